"""config.md section 5: environment macros."""

from collections.abc import Mapping

import pytest

from swapper.config import Config, parse_config
from swapper.config.read.sources import MAX_SOURCE_CHARS
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId

A = ModelId("a")
PROXY = "    proxy: http://h:1\n"


def load(text: str, **environ: str) -> Config:
    return parse_config(text, environ=environ)


def cmd_of(cmd: str, **environ: str) -> str:
    text = f"models:\n  a:\n{PROXY}    cmd: {cmd}\n"
    return load(text, **environ).models[A].cmd


def error_of(text: str, environ: Mapping[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, environ=environ)
    return str(caught.value)


def test_env_1_value_is_inserted() -> None:
    assert cmd_of('"run ${env.SWQ}"', SWQ="v1") == "run v1"


def test_env_2_unset_variable_is_named_with_its_line() -> None:
    message = error_of('models:\n  a:\n    cmd: "run ${env.SWQ}"\n', {})

    assert message == "<config>:3: environment variable SWQ is not set"


def test_all_unset_variables_are_reported_together() -> None:
    message = error_of("a: ${env.X}\nb: ${env.Y}\n", {})

    assert "X is not set" in message
    assert "Y is not set" in message


def test_env_3_value_is_typed_by_yaml() -> None:
    text = f"models:\n  a:\n{PROXY}    cmd: x\n    ttl: "

    assert load(text + "${env.SWQ}", SWQ="60").models[A].ttl_s == 60
    assert "models.a.ttl" in error_of(text + '"${env.SWQ}"', {"SWQ": "60"})


def test_env_4_macro_value_from_the_environment_keeps_its_type() -> None:
    text = (
        "macros:\n  T: ${env.SWQ}\nmodels:\n  a:\n"
        f"{PROXY}    cmd: x\n    ttl: ${{T}}\n"
    )

    assert load(text, SWQ="60").models[A].ttl_s == 60


def test_env_5_backslash_survives_double_quotes() -> None:
    assert cmd_of('"x ${env.SWQ}"', SWQ="a\\b") == "x a\\b"
    assert cmd_of('"x ${env.SWQ}"', SWQ='"q"') == 'x "q"'


def test_env_6_escape_stays_visible_in_a_plain_scalar() -> None:
    assert cmd_of("x ${env.SWQ}", SWQ="a\\b") == "x a\\\\b"


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b"])
def test_env_7_value_with_a_line_break_is_refused(value: str) -> None:
    assert "SWQ" in error_of('models: {a: {cmd: "${env.SWQ}"}}', {"SWQ": value})


@pytest.mark.parametrize(
    "comment",
    [
        "# ${env.UNSET_X}\nmodels: {}\n",
        "models: {} # ${env.UNSET_X}\n",
        "models: # ${env.UNSET_X}\n  a: {cmd: x, proxy: 'http://h'}\n",
        f"models:\n  a:\n{PROXY}    cmd: | # ${{env.UNSET_X}}\n      x\n",
        f"models:\n  a:\n{PROXY}    cmd: |\n      x\n  # ${{env.UNSET_X}}\n",
    ],
)
def test_env_8_comment_is_not_looked_up(comment: str) -> None:
    load(comment)


def test_env_9_comment_is_looked_up_if_the_text_is_no_yaml_before() -> None:
    text = "# ${env.UNSET_X}\nlib: [${env.SWQ}]\n"

    assert "UNSET_X" in error_of(text, {"SWQ": "k"})


def test_env_10_flow_list_takes_an_unquoted_reference() -> None:
    text = f"models:\n  a:\n{PROXY}    cmd: x\n    aliases: [${{env.SWQ}}]\n"

    assert load(text, SWQ="k").models[A].aliases == ("k",)


@pytest.mark.parametrize(
    "keys",
    [
        *('["${env.SWQ}"]', "\n- ${env.SWQ}", '[k, "${env.SWQ}"]'),
        *("[${env.SWQ}]", "[\n  ${env.SWQ}\n  ]", "${env.SWQ}", "\n  ${env.SWQ}"),
    ],
)
def test_env_11_and_12_empty_key_does_not_switch_authentication_off(keys: str) -> None:
    assert "apiKeys" in error_of(f"apiKeys: {keys}\n", {"SWQ": ""})


def test_env_12_variable_that_is_empty_elsewhere_does_not_matter() -> None:
    text = "globalTTL: ${env.SWQ}\napiKeys: []\nlogTimeFormat: ${env.SWQ}\n"

    assert load(text, SWQ="").api_keys == ()
    assert load("apiKeys: [k${env.SWQ}]", SWQ="").api_keys == ("k",)


def test_env_13_comment_line_of_a_block_scalar_is_content() -> None:
    text = "models:\n  a:\n    cmd: |\n      # ${env.UNSET_X}\n      x\n"

    assert "UNSET_X" in error_of(text, {})


def test_env_14_value_may_ask_for_a_port() -> None:
    config = load("models:\n  a:\n    cmd: x ${env.SWQ}\n", SWQ="${PORT}")

    assert config.models[A].cmd == "x 5800"
    assert config.models[A].proxy == "http://localhost:5800"


def test_env_15_value_in_a_plain_scalar_may_start_a_comment() -> None:
    assert cmd_of("x ${env.SWQ}", SWQ="a #b") == "x a"


def test_env_16_key_comes_from_the_environment() -> None:
    config = load("models:\n  ${env.SWQ}:\n    cmd: x\n    proxy: http://h\n", SWQ="mm")

    assert list(config.models) == ["mm"]


def test_env_17_reference_made_by_a_macro_is_not_set() -> None:
    text = f"macros: {{B: SWQ}}\nmodels:\n  a:\n{PROXY}    cmd: x ${{env.${{B}}}}\n"

    message = error_of(text, {"SWQ": "v"})

    assert "models.a.cmd" in message
    assert "SWQ is not set" in message


def test_env_18_value_may_refer_to_one_more_variable() -> None:
    assert cmd_of('"${env.P}"', P="${env.Q}", Q="deep") == "deep"


def test_variable_that_refers_to_itself_is_reported() -> None:
    message = error_of(
        f'models:\n  a:\n{PROXY}    cmd: "${{env.P}}"\n', {"P": "${env.P}"}
    )

    assert "P is not set" in message


@pytest.mark.parametrize("text", ["${env.9A}", "${env.a-b}", "${env.}"])
def test_what_is_no_environment_macro_stays(text: str) -> None:
    assert cmd_of(f"x {text}") == f"x {text}"


def test_long_value_in_many_places_is_stopped_early() -> None:
    text = "lib: |\n" + "  ${env.X}\n" * 10_000

    message = error_of(text, {"X": "y" * (MAX_SOURCE_CHARS // 100)})

    assert "is larger than" in message
