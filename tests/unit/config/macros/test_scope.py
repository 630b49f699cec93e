"""config.md section 6: macros, through the whole loader."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapper.config import Config, parse_config, split_command
from swapper.config.macros.scope import Macros, macro_text
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

A = ModelId("a")


def error_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, environ={})
    return str(caught.value)


def cmd_of(macros: str, cmd: str, own: str = "") -> str:
    """Return the cmd of a model with global *macros* and macros of its *own*."""
    text = (
        f"macros: {macros}\nmodels:\n  a:\n    proxy: http://h\n"
        f"    macros: {own}\n    cmd: {cmd}\n"
    )
    return parse_config(text, environ={}).models[A].cmd


def cmd_error(macros: str, cmd: str, own: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        cmd_of(macros, cmd, own)
    return str(caught.value)


def test_mac_1_macros_build_on_each_other() -> None:
    config = parse_config(
        """
macros:
  root: /srv/llm
  bin: "${root}/bin/serve"
  run: "${bin} --port ${PORT} --id ${MODEL_ID}"
startPort: 7000
models:
  tiny: {macros: {ctx: 2048}, cmd: "${run} --ctx ${ctx}"}
  wide: {macros: {ctx: 65536, root: /opt/llm}, cmd: "${run} --ctx ${ctx}"}
""",
        environ={},
    )
    tiny, wide = config.models[ModelId("tiny")], config.models[ModelId("wide")]

    assert tiny.cmd == "/srv/llm/bin/serve --port 7000 --id tiny --ctx 2048"
    assert tiny.proxy == "http://localhost:7000"
    assert wide.cmd == "/opt/llm/bin/serve --port 7001 --id wide --ctx 65536"
    assert wide.proxy == "http://localhost:7001"


def test_mac_2_later_macro_is_unknown_and_the_message_says_why() -> None:
    message = cmd_error('{A: "${B}", B: 2}', "x ${A}")

    assert "models.a.cmd" in message
    assert "macro B is declared after a macro that uses it" in message


def test_mac_3_type_survives_a_chain_of_macros(load: Load) -> None:
    config = load('macros: {A: 5, B: "${A}"}', a='metadata: {v: "${B}"}')

    assert config.models[A].metadata == {"v": 5}


def test_mac_4_type_is_lost_inside_a_text(load: Load) -> None:
    config = load("macros: {A: 5}", a='metadata: {v: "p${A}", w: "${A} "}')

    assert config.models[A].metadata == {"v": "p5", "w": "5 "}


def test_mac_5_integer_macro_fills_an_integer_setting(
    load: Load, errors: Errors
) -> None:
    assert load("macros: {A: 5}", a='ttl: "${A}"').models[A].ttl_s == 5
    assert "models.a.ttl" in errors("macros: {A: 5}", a='ttl: "${A}${A}"')[0]


def test_mac_6_text_macro_does_not_fill_an_integer_setting(errors: Errors) -> None:
    assert "models.a.ttl" in errors('macros: {A: "5"}', a="ttl: ${A}")[0]


def test_mac_7_macros_keep_their_types(load: Load) -> None:
    config = load(
        'macros: {n: 12, f: 0.25, b: true, s: "12"}',
        a=(
            'metadata: {n: "${n}", f: "${f}", b: "${b}", s: "${s}",'
            ' j: "${n}/${f}/${b}"}'
        ),
    )

    assert config.models[A].metadata == {
        "n": 12,
        "f": 0.25,
        "b": True,
        "s": "12",
        "j": "12/0.25/true",
    }


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (100000.0, "100000"),
        (100000.5, "100000.5"),
        (1000000.0, "1e+06"),
        (1234567.0, "1.234567e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (123456789.5, "1.234567895e+08"),
        (16777216.0, "1.6777216e+07"),
        (-0.25, "-0.25"),
        (-1e-7, "-1e-07"),
        (0.0, "0"),
        (1e100, "1e+100"),
        (0x1F, "31"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_mac_9_value_is_inserted_as_text(value: float, text: str) -> None:
    assert macro_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_inserted_float_round_trips(value: float) -> None:
    assert float(macro_text(value)) == value


def test_mac_10_model_macro_takes_the_place_of_the_global_one() -> None:
    assert cmd_of('{L: glob, G: "g-${L}"}', "x ${G}", "{L: loc}") == "x g-loc"


def test_mac_11_overriding_does_not_change_the_order() -> None:
    assert "macro L" in cmd_error('{G: "g-${L}", L: glob}', "x ${G}", "{L: loc}")


def test_mac_12_global_macro_does_not_see_a_model_macro() -> None:
    assert "macro L" in cmd_error('{G: "g-${L}"}', "x ${G}", "{L: loc}")


def test_mac_13_overriding_macro_sees_what_the_global_one_saw() -> None:
    assert "macro Z" in cmd_error("{L: x, Z: zed}", "${L}", '{L: "l-${Z}"}')
    assert cmd_of("{Z: zed, L: x}", "${L}", '{L: "l-${Z}"}') == "l-zed"


def test_mac_14_model_macros_are_ordered_too() -> None:
    assert cmd_of("{}", "x ${B}", '{A: 1, B: "b${A}"}') == "x b1"
    assert "macro A" in cmd_error("{}", "x ${B}", '{B: "b${A}", A: 1}')


def test_mac_15_model_macro_is_unknown_in_another_model() -> None:
    message = error_of(
        "models:\n  a: {cmd: x, proxy: 'http://h', macros: {M: 1}}\n"
        "  b: {cmd: 'x ${M}', proxy: 'http://h'}\n"
    )

    assert message == "<config>:3: models.b.cmd: unknown macro M"


def test_mac_16_macro_must_not_refer_to_itself() -> None:
    assert "macros.A: macro A refers to itself" in error_of('macros: {A: "x${A}"}')


def test_mac_17_cycle_is_an_error_only_where_it_is_used() -> None:
    assert cmd_of('{A: "${B}", B: "${A}"}', "x") == "x"
    assert "macro B" in cmd_error('{A: "${B}", B: "${A}"}', "x ${A}")


@pytest.mark.parametrize("name", ["n" * 64, "a.b", "a b", "é", '""'])
def test_mac_18_bad_macro_name_is_refused(name: str) -> None:
    assert "a macro name has" in error_of(f"macros: {{{name}: 1}}")


def test_mac_18_longest_macro_name_is_accepted() -> None:
    name = "n" * 63

    assert cmd_of(f"{{{name}: 1}}", f"x ${{{name}}}") == "x 1"


@pytest.mark.parametrize("name", ["PORT", "MODEL_ID", "PID"])
def test_mac_19_reserved_name_is_refused(errors: Errors, name: str) -> None:
    assert f"macros.{name}: the macro name" in error_of(f"macros: {{{name}: 1}}")
    assert f"models.a.macros.{name}" in errors(a=f"macros: {{{name}: 1}}")[0]


def test_mac_19_reserved_names_are_case_sensitive() -> None:
    assert cmd_of("{port: 1}", "x ${port}") == "x 1"


@pytest.mark.parametrize("value", ["~", "[1]", "{b: 1}", "2024-01-01", ""])
def test_mac_20_macro_value_must_be_a_scalar(value: str) -> None:
    assert "macros.A: must be a text" in error_of(f"macros: {{A: {value}}}")


@pytest.mark.parametrize("block", ["[x]", "text"])
def test_mac_21_macros_must_be_a_mapping(block: str) -> None:
    assert "macros: must be a mapping" in error_of(f"macros: {block}")


def test_mac_21_null_macros_are_none() -> None:
    assert cmd_of("", "x") == "x"


def test_mac_22_keys_are_not_expanded(load: Load) -> None:
    config = load("macros: {A: z}", a='metadata: {"${A}": v}')

    assert config.models[A].metadata == {"${A}": "v"}


@pytest.mark.parametrize("text", ["${a.b}", "${}", "${a b}", "$HOME", "${HOME:-y}"])
def test_mac_26_what_is_no_reference_stays(text: str) -> None:
    assert cmd_of("{}", f"x {text}") == f"x {text}"


def test_mac_27_dollar_before_a_reference_stays() -> None:
    assert cmd_of("{A: 1}", "x $${A}") == "x $1"


def test_mac_28_names_are_case_sensitive() -> None:
    assert "unknown macro a" in cmd_error("{A: 1}", "x ${a}")


def test_mac_29_comment_line_of_a_command_is_not_checked(load: Load) -> None:
    assert load(a="cmd: |\n  # ${NOPE}\n  serve").models[A].cmd.strip() == "serve"


def test_mac_30_comment_line_from_a_macro_is_removed_when_run() -> None:
    config = parse_config(
        "macros:\n  S: |\n    srv\n    # note\n    --x\n"
        "models: {a: {cmd: '${S}', proxy: 'http://h'}}\n",
        environ={},
    )

    assert split_command(config.models[A].cmd) == ("srv", "--x")


def test_mac_31_comment_line_from_a_macro_is_checked() -> None:
    message = error_of(
        "macros:\n  S: |\n    srv\n    # ${NOPE}\n"
        "models: {a: {cmd: '${S}', proxy: 'http://h'}}\n"
    )

    assert "unknown macro NOPE" in message


@pytest.mark.parametrize("name", ["PORT", "MODEL_ID", "ZED"])
def test_mac_32_unresolved_reference_names_its_place(errors: Errors, name: str) -> None:
    messages = errors(f'hooks: {{on_startup: {{preload: [a, "${{{name}}}"]}}}}')

    assert "hooks.on_startup.preload[1]: " in messages[0]
    assert name in messages[0]


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ('["${PORT}"]', "apiKeys[0]: ${PORT}"),
        ('["${MODEL_ID}"]', "apiKeys[0]: ${MODEL_ID}"),
        ('[k, "${ZED}"]', "apiKeys[1]: unknown macro ZED"),
    ],
)
def test_mac_32_api_keys_see_global_macros_only(
    errors: Errors, keys: str, place: str
) -> None:
    [message] = errors(f"apiKeys: {keys}")

    assert place in message


def test_mac_34_global_macros_work_in_top_level_settings() -> None:
    config = parse_config(
        """
macros: {T: 70, N: m, S: 6000, L: debug, G: false, E: 1m}
performance: {every: "${E}"}
globalTTL: ${T}
startPort: ${S}
logLevel: "${L}"
hooks: {on_startup: {preload: ["${N}"]}}
groups: {g: {swap: "${G}", members: ["${N}"]}}
models: {m: {cmd: "x ${PORT}"}}
""",
        environ={},
    )

    assert config.global_ttl_s == 70
    assert config.start_port == 6000
    assert config.performance_every_s == 60
    assert config.log_level == "debug"
    assert config.preload == ("m",)
    assert config.groups["g"].swap is False
    assert config.models[ModelId("m")].cmd == "x 6000"


def test_mac_35_model_macro_is_unknown_at_top_level(errors: Errors) -> None:
    [message] = errors("globalTTL: ${N}", a="macros: {N: 5}")

    assert "globalTTL: unknown macro N" in message


def test_mac_36_group_id_stays_literal(load: Load) -> None:
    config = load('macros: {N: x}\ngroups: {"${N}": {members: [a]}}')

    assert "${N}" in config.groups


def test_mac_37_pid_is_kept_in_the_stop_command_only(
    load: Load, errors: Errors
) -> None:
    assert load(a="cmdStop: kill ${PID}").models[A].cmd_stop == "kill ${PID}"
    assert "PID" in errors(a="cmd: x ${PID}")[0]


def test_every_unresolved_reference_of_a_value_is_named() -> None:
    message = error_of("models: {a: {cmd: 'x ${NOPE} ${NEVER}'}}")

    assert "NOPE" in message
    assert "NEVER" in message


def test_only_the_first_of_many_unresolved_references_are_named() -> None:
    text = "".join(f"${{N{n}}}" for n in range(500))
    message = error_of(f"logLevel: '{text}'")

    assert "unknown macro N9; and 490 more" in message
    assert len(message) < 500


def test_macros_that_double_each_other_are_stopped() -> None:
    macros = "  m0: xxxxxxxxxx\n" + "".join(
        f'  m{n}: "${{m{n - 1}}}${{m{n - 1}}}"\n' for n in range(1, 60)
    )
    message = error_of(f"macros:\n{macros}models: {{a: {{cmd: '${{m59}}'}}}}\n")

    assert "makes a value too long" in message


NAMES = st.sampled_from("ABCDE")
TEXTS = st.lists(
    st.one_of(NAMES.map("${{{}}}".format), st.sampled_from(["x", "$", "{", "}", "${"]))
).map("".join)


@given(st.dictionaries(NAMES, st.one_of(st.integers(), st.booleans(), TEXTS)), TEXTS)
def test_expansion_leaves_no_reference_to_the_first_macro(
    values: dict[str, int | bool | str], text: str
) -> None:
    """The first macro is expanded last, so nothing can bring it back but itself."""
    expanded = macro_text(Macros(values).expand(text, 10**6))

    if values:
        first, value = next(iter(values.items()))
        if f"${{{first}}}" not in str(value) and "$" not in str(value):
            assert f"${{{first}}}" not in expanded


@given(
    st.dictionaries(NAMES, st.one_of(st.integers(), TEXTS), min_size=1),
    st.lists(NAMES | TEXTS | st.sampled_from(["", "A}", "{A}", "{B", "$$"])).map(
        "".join
    ),
)
def test_expansion_is_once_per_macro_from_the_last_to_the_first(
    values: dict[str, int | str], text: str
) -> None:
    """What section 6.3 says word by word, without leaving any macro out."""
    expected: int | str = text
    for name, value in reversed(values.items()):
        if not isinstance(expected, str):
            break
        reference = f"${{{name}}}"
        expected = (
            value if expected == reference else expected.replace(reference, str(value))
        )

    found = Macros(values).expand(text, 10**9)

    assert found == expected
    assert type(found) is type(expected)
