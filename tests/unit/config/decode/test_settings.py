"""config.md sections 3, 8 and 15: top-level settings, unknown keys, preload."""

from collections.abc import Callable

import pytest

from swapper.config import Config, GroupConfig, parse_config
from swapper.config.re2 import Pattern
from swapper.core.ids import ModelId

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

A = ModelId("a")
B = ModelId("b")

DEFAULT_IGNORE_PATH = r".*\.(js|json|css|png|gif|jpg|jpeg|ico|txt)$"


@pytest.mark.parametrize("text", ["", "  \n\n", "# only a comment\n", "---\n", "~"])
def test_top_1_and_pipe_8_empty_document_is_the_default_with_a_warning(
    text: str,
) -> None:
    config = parse_config(text, environ={})

    assert config == Config(
        groups={"(default)": GroupConfig(id="(default)")},
        ignore_paths=(Pattern(DEFAULT_IGNORE_PATH),),
        is_blank=True,
        warnings=config.warnings,
    )
    assert "is empty" in str(config.warnings[0])


@pytest.mark.parametrize(
    ("value", "seconds"), [("1", 15), ("-10", 15), ("15", 15), ("16", 16), ("~", 120)]
)
def test_top_2_health_check_timeout_is_raised_to_15(
    load: Load, value: str, seconds: int
) -> None:
    config = load(f"healthCheckTimeout: {value}")

    assert config.health_check_timeout_s == seconds
    assert config.models[A].health_check_timeout_s == seconds


def test_top_3_negative_global_ttl_is_refused(errors: Errors) -> None:
    assert "globalTTL: must be at least 0, not -1" in errors("globalTTL: -1")[0]


def test_top_4_unload_timeout(load: Load, errors: Errors) -> None:
    assert load("unloadTimeout: 0").unload_timeout_s == 10
    assert "unloadTimeout" in errors("unloadTimeout: -1")[0]


def test_top_5_log_to_stdout(load: Load, errors: Errors) -> None:
    assert load("logToStdout: both").log_to_stdout == "both"
    assert load("logToStdout:").log_to_stdout == "proxy"
    for value in ('""', "Both"):
        assert "logToStdout: must be one of" in errors(f"logToStdout: {value}")[0]


@pytest.mark.parametrize(
    ("value", "level"), [("debug", "debug"), ('" WARN "', "warn"), ("~", "info")]
)
def test_log_level_is_trimmed_and_case_insensitive(
    load: Load, value: str, level: str
) -> None:
    assert load(f"logLevel: {value}").log_level == level


@pytest.mark.parametrize(
    ("value", "form"), [("RFC3339", "rfc3339"), ('" Kitchen "', "kitchen"), ("~", "")]
)
def test_time_format_is_trimmed_and_case_insensitive(
    load: Load, value: str, form: str
) -> None:
    config = load(f"logTimeFormat: {value}")

    assert config.log_time_format == form
    assert not config.warnings


def test_top_6_unknown_time_format_means_none_with_a_warning(load: Load) -> None:
    config = load("logTimeFormat: bogus")

    assert config.log_time_format == ""
    assert 'logTimeFormat: "bogus" is none of ansic, ' in str(config.warnings[0])


def test_top_6_unknown_log_level_acts_as_info_with_a_warning(load: Load) -> None:
    config = load("logLevel: chatty")

    assert config.log_level == "info"
    assert "chatty" in str(config.warnings[0])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('[""]', "apiKeys[0]: an API key must not be empty"),
        ("[~]", "apiKeys[0]: an API key must not be empty"),
        ("[~, k]", "apiKeys[0]: an API key must not be empty"),
        ('[good, "b d"]', "apiKeys[1]: an API key must not contain spaces"),
        ("abc", "apiKeys: must be a list of texts, not a text"),
        ("{a: b}", "apiKeys: must be a list of texts, not a mapping"),
    ],
    ids=["TOP-16", "YML-10 Q4", "YML-10 two", "TOP-17", "TOP-18", "mapping"],
)
def test_bad_api_keys_are_refused(errors: Errors, keys: str, message: str) -> None:
    """Ignoring one could open a server that its owner believes to be closed."""
    assert errors(f"apiKeys: {keys}") == [f"<config>:6: {message}"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("[0123, 1.10]", ("0123", "1.10")),
        ("[k, k]", ("k", "k")),
        ("['a\tb']", ("a\tb",)),
        ("[]", ()),
        ("", ()),
    ],
    ids=["YML-9 Q5", "twice", "tab", "empty", "null"],
)
def test_api_keys_are_taken_as_they_are_written(
    load: Load, keys: str, expected: tuple[str, ...]
) -> None:
    config = load(f"apiKeys: {keys}")

    assert config.api_keys == expected
    assert not config.warnings


def test_top_23_log_requests_is_accepted(load: Load) -> None:
    assert not load("logRequests: true").warnings


def test_include_aliases_in_list(load: Load) -> None:
    assert load("includeAliasesInList: yes").include_aliases_in_list


def test_pipe_1_unknown_top_level_key_is_ignored_with_a_warning(load: Load) -> None:
    [warning] = load("frobnicate: 7").warnings

    assert warning.key_path == "frobnicate"
    assert warning.line == 6


def test_pipe_2_unknown_model_key_names_the_closest_known_one(load: Load) -> None:
    [warning] = load(a="ttll: 3").warnings

    assert str(warning) == (
        "<config>:3: models.a.ttll: `ttll` is not a setting of models.a;"
        " did you mean `ttl`?"
    )


def test_pipe_3_unresolved_macro_below_an_unknown_model_key_is_refused(
    errors: Errors,
) -> None:
    [message] = errors(a='wobble: "${NOPE}"')

    assert "models.a.wobble: unknown macro NOPE" in message


def test_pipe_4_unknown_section_is_not_checked_for_macros(load: Load) -> None:
    load('library: "${NOPE}"')


def test_pipe_5_key_in_the_wrong_case_is_ignored_with_advice(load: Load) -> None:
    config = load("GlobalTTL: 9")

    assert config.global_ttl_s == 0
    assert "did you mean `globalTTL`?" in str(config.warnings[0])


def test_hook_1_and_q17_preload_resolves_names_and_warns_of_the_rest(
    load: Load,
) -> None:
    peers = "peers: {p: {proxy: 'http://h', models: [u]}}\n"
    config = load(
        peers + 'hooks: {on_startup: {preload: [al, " b ", zz, "", a, u, p/u, a]}}',
        a="aliases: [al]",
    )

    assert config.preload == (A, B, A, A)
    assert [w.key_path for w in config.warnings] == [
        "hooks.on_startup.preload[2]",
        "hooks.on_startup.preload[3]",
        "hooks.on_startup.preload[5]",
        "hooks.on_startup.preload[6]",
    ]
    assert '"zz"' in str(config.warnings[0])


def test_hook_2_null_hooks_are_none(load: Load) -> None:
    assert load("hooks:").preload == ()
    assert load("hooks: {on_startup: {preload: }}").preload == ()
