"""config.md sections 0.1 and 3: the stages together."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from swapper.config import CapabilitiesConfig, parse_config
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


LARGE = """
healthCheckTimeout: 300
globalTTL: 900
startPort: 6100
logTimeFormat: rfc3339
apiKeys: ["${env.SWAPPER_KEY}"]
macros:
  weights: /data/weights
  serve: "serve-llm --port ${PORT}"
shared:  # a section of no meaning, for anchors
  text-only: &text-only {in: [text], out: [text], tools: true}
models:
  writer:
    cmd: |
      # comment lines are allowed here
      ${serve}
      --model ${weights}/writer.gguf --ctx ${ctx}
    macros: {ctx: 8192}
    aliases: [default-writer]
    capabilities: {<<: *text-only, context: "${ctx}"}
    filters:
      stripParams: "top_k, seed"
      setParams: {temperature: 0.4}
      setParamsByID:
        "${MODEL_ID}:calm": {temperature: 0}
  coder:
    cmd: ${serve} --model ${weights}/coder.gguf
    ttl: 0
  painter:
    cmd: podman run --rm --name ${MODEL_ID} -p 7001:80 example/painter
    cmdStop: podman stop ${MODEL_ID}
    proxy: http://127.0.0.1:7001
    unloadTimeout: 30
routing:
  router:
    use: matrix
    settings:
      matrix:
        vars: {w: writer, c: coder}
        evict_costs: {painter: 5}
        sets:
          desk: "w & c"
          studio: "(w | c) & painter"
  scheduler:
    settings: {fifo: {priority: {coder: 10}}}
peers:
  attic:
    proxy: http://10.0.0.7:8080
    apiKey: "${env.ATTIC_KEY}"
    models: [coder-xl]
selectors:
  code:
    strategy: spillover
    targets: [coder, attic/coder-xl]
    settings: {spillover: 2}
profiles:
  night:
    pins: {writer: coder, painter: ~}
hooks: {on_startup: {preload: [default-writer]}}
"""


def test_ex_1_to_5_large_example() -> None:
    config = parse_config(LARGE, environ={"SWAPPER_KEY": "k", "ATTIC_KEY": "z"})
    writer, coder = config.models[ModelId("writer")], config.models[ModelId("coder")]
    painter = config.models[ModelId("painter")]

    assert writer.cmd == (
        "serve-llm --port 6101\n--model /data/weights/writer.gguf --ctx 8192\n"
    )
    assert writer.aliases == ("default-writer", "writer:calm")
    assert (writer.ttl_s, coder.ttl_s) == (900, 0)
    assert writer.capabilities == CapabilitiesConfig(
        inputs=("text",), outputs=("text",), tools=True, context_tokens=8192
    )
    assert (painter.port, painter.unload_timeout_s) == (None, 30)
    assert painter.cmd_stop == "podman stop painter"
    assert (config.router, config.priority) == ("matrix", {"coder": 10})
    assert (config.preload, config.api_keys) == (("writer",), ("k",))
    assert config.peers["attic"].api_key == "z"
    assert config.selectors["code"].spillover == 2
    assert config.profiles["night"].pins == {"writer": "coder", "painter": ""}
    assert [warning.key_path for warning in config.warnings] == ["shared"]


@pytest.mark.parametrize("missing", ["SWAPPER_KEY", "ATTIC_KEY"])
def test_ex_6_a_variable_that_is_not_set_is_named(missing: str) -> None:
    environ = {"SWAPPER_KEY": "k", "ATTIC_KEY": "z"}
    del environ[missing]
    with pytest.raises(ConfigError, match=missing):
        parse_config(LARGE, environ=environ)
