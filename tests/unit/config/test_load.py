"""config.md sections 0.1 and 3: the stages together."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from swapper.config import parse_config
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId

Errors = Callable[..., list[str]]


def test_importing_the_package_does_not_import_the_yaml_parser() -> None:
    program = "import swapper.config, sys; sys.exit('ruamel.yaml' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("text", ["models: {}", "macros: {A: 1}", "lib: 1"])
def test_configuration_that_sets_something_is_not_blank(text: str) -> None:
    assert not parse_config(text, environ={}).is_blank


def test_pipe_6_duplicate_key_names_both_lines(errors: Errors) -> None:
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
def test_pipe_7_duplicate_keys_are_refused_anywhere(text: str, path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, environ={})

    assert [problem.key_path for problem in caught.value.problems] == [path]


@pytest.mark.parametrize("models", ["[a]", "hello", "{a: hello}", "{a: [x]}"])
def test_pipe_9_models_must_be_a_mapping_of_mappings(models: str) -> None:
    with pytest.raises(ConfigError, match=r"models.*must be a mapping"):
        parse_config(f"models: {models}", environ={})


def test_pipe_10_null_models_are_none() -> None:
    assert not parse_config("models:", environ={}).models


@pytest.mark.parametrize("text", ["- a", "hello", "[]", "5"])
def test_src_24_and_q14_top_level_must_be_a_mapping(text: str) -> None:
    with pytest.raises(ConfigError, match="top level must be a mapping"):
        parse_config(text, environ={})


def test_src_23_only_the_first_document_counts() -> None:
    config = parse_config("globalTTL: 5\n---\nglobalTTL: 6\n--- [", environ={})

    assert config.global_ttl_s == 5


def test_independent_errors_are_reported_together_in_file_order(errors: Errors) -> None:
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


def test_ex_1_to_5_large_example() -> None:
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


@pytest.mark.parametrize("missing", ["SWAPPER_KEY", "ATTIC_KEY"])
def test_ex_6_a_variable_that_is_not_set_is_named(missing: str) -> None:
    text = (
        'apiKeys: ["${env.SWAPPER_KEY}"]\n'
        'peers: {attic: {proxy: "http://h", models: [m], apiKey: "${env.ATTIC_KEY}"}}\n'
    )
    environ = {"SWAPPER_KEY": "k", "ATTIC_KEY": "z"}
    del environ[missing]
    with pytest.raises(ConfigError, match=missing):
        parse_config(text, environ=environ)
