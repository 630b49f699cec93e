"""config.md sections 3, 8 and 15: top-level settings, unknown keys, preload."""

from collections.abc import Callable

import pytest

from swapper.config import Config, GroupConfig, parse_config
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

A = ModelId("a")
B = ModelId("b")


@pytest.mark.parametrize("text", ["", "  \n\n", "# only a comment\n", "---\n", "~"])
def test_top_1_and_pipe_8_empty_document_is_the_default_with_a_warning(text: str):
    config = parse_config(text, environ={})

    assert config == Config(
        groups={"(default)": GroupConfig(id="(default)")}, warnings=config.warnings
    )
    assert "is empty" in str(config.warnings[0])


@pytest.mark.parametrize(
    ("value", "seconds"), [("1", 15), ("-10", 15), ("15", 15), ("16", 16), ("~", 120)]
)
def test_top_2_health_check_timeout_is_raised_to_15(
    load: Load, value: str, seconds: int
):
    config = load(f"healthCheckTimeout: {value}")

    assert config.health_check_timeout_s == seconds
    assert config.models[A].health_check_timeout_s == seconds


def test_top_3_negative_global_ttl_is_refused(errors: Errors):
    assert "globalTTL: must be at least 0, not -1" in errors("globalTTL: -1")[0]


def test_top_4_unload_timeout(load: Load, errors: Errors):
    assert load("unloadTimeout: 0").unload_timeout_s == 10
    assert "unloadTimeout" in errors("unloadTimeout: -1")[0]


def test_top_5_log_to_stdout(load: Load, errors: Errors):
    assert load("logToStdout: both").log_to_stdout == "both"
    assert load("logToStdout:").log_to_stdout == "proxy"
    for value in ('""', "Both"):
        assert "logToStdout: must be one of" in errors(f"logToStdout: {value}")[0]


@pytest.mark.parametrize(
    ("value", "level"), [("debug", "debug"), ('" WARN "', "warn"), ("~", "info")]
)
def test_log_level_is_trimmed_and_case_insensitive(load: Load, value: str, level: str):
    assert load(f"logLevel: {value}").log_level == level


def test_top_6_unknown_log_level_acts_as_info_with_a_warning(load: Load):
    config = load("logLevel: chatty")

    assert config.log_level == "info"
    assert "chatty" in str(config.warnings[0])


@pytest.mark.parametrize("keys", ['[""]', '[good, "b d"]', "abc", "[k]", "{a: b}"])
def test_top_16_to_18_any_api_key_is_refused(errors: Errors, keys: str):
    """Ignoring keys would open a server that its owner believes to be closed."""
    [message] = errors(f"apiKeys: {keys}")

    assert "apiKeys" in message
    assert "good" not in message


@pytest.mark.parametrize("keys", ["[]", "", "~"])
def test_no_api_keys_are_fine(load: Load, keys: str):
    assert not load(f"apiKeys: {keys}").warnings


def test_top_23_log_requests_is_accepted(load: Load):
    assert not load("logRequests: true").warnings


def test_include_aliases_in_list(load: Load):
    assert load("includeAliasesInList: yes").include_aliases_in_list


@pytest.mark.parametrize(
    "setting",
    ["peers: {p: {}}", "profiles: {p: {}}", "store: {path: x}", "captureBuffer: 9"],
)
def test_section_of_a_later_version_is_warned_about(load: Load, setting: str):
    [warning] = load(setting).warnings

    name = setting.partition(":")[0]
    assert warning.message == (
        f"`{name}` is not supported by this version yet and is ignored"
    )


@pytest.mark.parametrize("setting", ["peers: {}", "selectors:", "sendLoadingState: no"])
def test_section_of_a_later_version_that_sets_nothing_is_silent(
    load: Load, setting: str
):
    # ``no`` is a text to YAML, so only a real false can be told apart.
    expected = 1 if setting.endswith("no") else 0
    assert len(load(setting).warnings) == expected


def test_pipe_1_unknown_top_level_key_is_ignored_with_a_warning(load: Load):
    [warning] = load("frobnicate: 7").warnings

    assert warning.key_path == "frobnicate"
    assert warning.line == 6


def test_pipe_2_unknown_model_key_names_the_closest_known_one(load: Load):
    [warning] = load(a="ttll: 3").warnings

    assert str(warning) == (
        "<config>:3: models.a.ttll: `ttll` is not a setting of models.a;"
        " did you mean `ttl`?"
    )


def test_pipe_3_unresolved_macro_below_an_unknown_model_key_is_refused(
    errors: Errors,
):
    [message] = errors(a='wobble: "${NOPE}"')

    assert "models.a.wobble: unknown macro NOPE" in message


def test_pipe_4_unknown_section_is_not_checked_for_macros(load: Load):
    load('library: "${NOPE}"')


def test_pipe_5_key_in_the_wrong_case_is_ignored_with_advice(load: Load):
    config = load("GlobalTTL: 9")

    assert config.global_ttl_s == 0
    assert "did you mean `globalTTL`?" in str(config.warnings[0])


def test_pipe_6_duplicate_key_names_both_lines(errors: Errors):
    [message] = errors("globalTTL: 1\nglobalTTL: 1")

    assert message == "<config>:7: globalTTL: is already set on line 6"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("models:\n  a: {cmd: x}\n  a: {cmd: x}\n", "models.a"),
        ("models: {a: {cmd: x, cmd: y}}\n", "models.a.cmd"),
        ("macros: {X: 1, X: 2}\n", "macros.X"),
        ("lib: {x: [{k: 1, k: 2}]}\n", "lib.x[0].k"),
        ("lib: {<<: {a: 1}, <<: {b: 1}}\n", "lib.<<"),
    ],
)
def test_pipe_7_duplicate_keys_are_refused_anywhere(text: str, path: str):
    with pytest.raises(ConfigError) as caught:
        parse_config(text, environ={})

    assert [problem.key_path for problem in caught.value.problems] == [path]


@pytest.mark.parametrize("models", ["[a]", "hello", "{a: hello}", "{a: [x]}"])
def test_pipe_9_models_must_be_a_mapping_of_mappings(models: str):
    with pytest.raises(ConfigError, match=r"models.*must be a mapping"):
        parse_config(f"models: {models}", environ={})


def test_pipe_10_null_models_are_none():
    assert not parse_config("models:", environ={}).models


@pytest.mark.parametrize("text", ["- a", "hello", "[]", "5"])
def test_src_24_and_q14_top_level_must_be_a_mapping(text: str):
    with pytest.raises(ConfigError, match="top level must be a mapping"):
        parse_config(text, environ={})


def test_src_23_only_the_first_document_counts():
    config = parse_config("globalTTL: 5\n---\nglobalTTL: 6\n--- [", environ={})

    assert config.global_ttl_s == 5


def test_hook_1_and_q17_preload_resolves_names_and_warns_of_the_rest(load: Load):
    config = load(
        'hooks: {on_startup: {preload: [al, " b ", zz, "", a, a]}}', a="aliases: [al]"
    )

    assert config.preload == (A, B, A, A)
    assert [w.key_path for w in config.warnings] == ["hooks.on_startup.preload"] * 2
    assert "preload[2]" in str(config.warnings[0])
    assert '"zz"' in str(config.warnings[0])


def test_hook_2_null_hooks_are_none(load: Load):
    assert load("hooks:").preload == ()
    assert load("hooks: {on_startup: {preload: }}").preload == ()


def test_independent_errors_are_reported_together_in_file_order(errors: Errors):
    messages = errors(
        "globalTTL: -1\nlogToStdout: x\ngroups: {g: {members: [zz]}}",
        a='ttl: "1"\ncmd: x ${NOPE}\naliases: [z, z]',
    )

    assert [message.split(": ")[1] for message in messages] == [
        "models.a.ttl",
        "models.a.cmd",
        "models.a.aliases[1]",
        "globalTTL",
        "logToStdout",
        "groups.g.members[0]",
    ]


def test_ex_1_to_5_large_example():
    config = parse_config(
        """
healthCheckTimeout: 300
globalTTL: 900
startPort: 6100
macros:
  weights: /data/weights
  serve: "serve-llm --port ${PORT}"
shared:
  texts: &texts {useModelName: real}
models:
  writer:
    <<: *texts
    cmd: |
      # comment lines are allowed here
      ${serve}
      --model ${weights}/writer.gguf --ctx ${ctx}
    macros: {ctx: 8192}
    aliases: [default-writer]
  coder:
    cmd: ${serve} --model ${weights}/coder.gguf
    ttl: 0
  painter:
    cmd: podman run --rm --name ${MODEL_ID} -p 7001:80 example/painter
    cmdStop: podman stop ${MODEL_ID}
    proxy: http://127.0.0.1:7001
    unloadTimeout: 30
hooks: {on_startup: {preload: [default-writer]}}
""",
        environ={},
    )
    writer, coder = config.models[ModelId("writer")], config.models[ModelId("coder")]
    painter = config.models[ModelId("painter")]

    assert writer.cmd == (
        "serve-llm --port 6101\n--model /data/weights/writer.gguf --ctx 8192\n"
    )
    assert (writer.ttl_s, coder.ttl_s) == (900, 0)
    assert writer.use_model_name == "real"
    assert (painter.unload_timeout_s, painter.cmd_stop) == (30, "podman stop painter")
    assert config.preload == ("writer",)
