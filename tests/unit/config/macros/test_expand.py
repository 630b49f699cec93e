"""config.md section 6.4: which model gets which port."""

from collections.abc import Callable

import pytest

from swapper.config import parse_config
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId

Errors = Callable[..., list[str]]

A = ModelId("a")


def error_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, environ={})
    return str(caught.value)


def test_port_1_ports_go_out_in_byte_order_of_the_ids() -> None:
    names = ["zed", "Alpha", '"10"', '"9"']
    text = "models:\n  beta: {cmd: x, proxy: 'http://h'}\n" + "".join(
        f"  {name}: {{cmd: 'x ${{PORT}}'}}\n" for name in names
    )
    models = parse_config(text, environ={}).models

    assert {name: model.cmd for name, model in models.items()} == {
        "10": "x 5800",
        "9": "x 5801",
        "Alpha": "x 5802",
        "beta": "x",
        "zed": "x 5803",
    }
    assert list(models) == ["10", "9", "Alpha", "beta", "zed"]


def test_port_2_a_model_has_one_port() -> None:
    text = "models: {a: {cmd: 'x ${PORT} ${PORT}'}}"

    assert parse_config(text, environ={}).models[A].cmd == "x 5800 5800"


@pytest.mark.parametrize(
    "model",
    [
        "{cmd: serve}",
        '{cmd: serve, proxy: "http://h:${PORT}"}',
        '{cmd: "# ${PORT}\\nserve"}',
        "{}",
        "",
    ],
    ids=["PORT-3", "PORT-4", "PORT-5", "MOD-15", "null"],
)
def test_port_3_to_5_proxy_needs_a_port_that_cmd_does_not_get(model: str) -> None:
    message = error_of(f"models: {{m: {model}}}")

    assert "models.m.proxy" in message
    assert "models.m.cmd" in message


def test_port_6_port_may_come_from_a_macro() -> None:
    text = "macros: {P: '--port ${PORT}'}\nmodels: {a: {cmd: 'serve ${P}'}}"

    assert parse_config(text, environ={}).models[A].cmd == "serve --port 5800"


def test_port_7_port_without_one_in_cmd_is_unresolved(errors: Errors) -> None:
    [message] = errors(a='cmdStop: "k ${PORT}"')

    assert "models.a.cmdStop" in message
    assert "PORT" in message


def test_port_8_port_is_known_in_the_whole_model() -> None:
    model = parse_config(
        """
models:
  a:
    cmd: x ${PORT}
    env: ["P=${PORT}"]
    metadata: {p: "${PORT}", q: "x${PORT}"}
    aliases: ["on-${PORT}"]
""",
        environ={},
    ).models[A]

    assert model.env == ("P=5800",)
    assert model.metadata == {"p": 5800, "q": "x5800"}
    assert model.aliases == ("on-5800",)


@pytest.mark.parametrize("value", ["0", "-1", "abc"])
def test_port_9_start_port_must_be_at_least_1(errors: Errors, value: str) -> None:
    assert "startPort" in errors(f"startPort: {value}")[0]


@pytest.mark.parametrize(("value", "port"), [("1", 1), ("", 5800), ("70000", 70000)])
def test_port_9_start_port_is_the_first_port(value: str, port: int) -> None:
    text = f"startPort: {value}\nmodels: {{a: {{cmd: 'x ${{PORT}}'}}}}"

    assert parse_config(text, environ={}).models[A].cmd == f"x {port}"


def test_port_that_does_not_exist_is_warned_about() -> None:
    config = parse_config(
        "startPort: 70000\nmodels: {a: {cmd: 'x ${PORT}'}}", environ={}
    )

    assert "port 70000" in str(config.warnings[0])


def test_unknown_macro_in_cmd_is_the_only_error_of_a_model() -> None:
    assert error_of("models: {a: {cmd: 'x ${NOPE}'}}") == (
        "<config>:1: models.a.cmd: unknown macro NOPE"
    )
