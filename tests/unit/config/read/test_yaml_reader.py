"""config.md section 4: the YAML dialect, through the whole loader."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.config import Config, parse_config
from swapper.config.document import MapNode
from swapper.config.read.sources import MAX_SOURCE_CHARS, Source
from swapper.config.read.yaml_reader import MAX_DEPTH, content_spans, read_document
from swapper.config.report import Report
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

A = ModelId("a")


def error_of(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, environ={"SET": "1"})
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"), [("yes", True), ("off", False), ('"on"', True), ("NO", False)]
)
def test_yml_1_boolean_setting_takes_the_yes_family(
    load: Load, text: str, value: bool
) -> None:
    assert load(a=f"unlisted: {text}").models[A].unlisted is value


@pytest.mark.parametrize("text", ['"true"', "1", "0", '""', "yES", "[true]"])
def test_yml_2_boolean_setting_refuses_other_values(errors: Errors, text: str) -> None:
    [message] = errors(a=f"unlisted: {text}")

    assert "models.a.unlisted: must be true or false" in message


def test_yml_3_integer_setting_refuses_quoted_numbers(errors: Errors) -> None:
    [message] = errors(a='ttl: "60"')

    assert message == (
        '<config>:3: models.a.ttl: must be a whole number, not the text "60"'
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("60.7", 60), ("1e2", 100), ("010", 8), ("0x10", 16), ("1_000", 1000)],
)
def test_yml_4_integer_setting_takes_every_spelling(
    load: Load, text: str, value: int
) -> None:
    assert load(a=f"ttl: {text}").models[A].ttl_s == value


@pytest.mark.parametrize("text", ["1:30", "true", ".nan", ".inf", "1e30", "2024-01-01"])
def test_yml_5_integer_setting_refuses_what_is_no_number(
    errors: Errors, text: str
) -> None:
    [message] = errors(a=f"ttl: {text}")

    assert "models.a.ttl" in message


def test_yml_6_null_means_absent(load: Load) -> None:
    assert load("globalTTL: 7", a="ttl: ~").models[A].ttl_s == 7


def test_yml_7_metadata_keeps_the_types_of_the_dialect(load: Load) -> None:
    config = load(a="metadata: {x: yes, y: 1:30, z: 010, d: 2024-1-2, l: [1, ~]}")

    assert config.models[A].metadata == {
        "x": "yes",
        "y": "1:30",
        "z": 8,
        "d": "2024-01-02T00:00:00Z",
        "l": [1, None],
    }


@pytest.mark.parametrize("text", ["1.10", "0123", "1e3", "0x1F", "2024-01-02", "True"])
def test_yml_8_and_9_text_setting_keeps_its_spelling(load: Load, text: str) -> None:
    config = load(a=f"name: {text}\naliases: [{text}]")

    assert config.models[A].name == text
    assert config.models[A].aliases == (text,)


def test_yml_10_null_key_does_not_switch_authentication_off(errors: Errors) -> None:
    [message] = errors("apiKeys: [~]")

    assert "apiKeys" in message


def test_yml_11_null_items_are_dropped(load: Load) -> None:
    assert load(a="aliases: [x, ~, y]").models[A].aliases == ("x", "y")


def test_yml_12_and_13_keys_are_text_whatever_they_look_like() -> None:
    text = "models:\n" + "".join(
        f"  {key}: {{cmd: x, proxy: 'http://h'}}\n"
        for key in ('"7"', "y", "n", "on", "5", "1.0", "true", "2024-01-01")
    )

    assert set(parse_config(text, environ={}).models) == {
        *("7", "y", "n", "on", "5", "1.0", "true", "2024-01-01")
    }


def test_q1_macros_work_below_a_key_that_is_no_text() -> None:
    text = "macros: {A: z}\nmodels:\n  5: {cmd: 'x ${A}', proxy: 'http://h'}\n"

    assert parse_config(text, environ={}).models[ModelId("5")].cmd == "x z"


def test_yml_14_earlier_mapping_of_a_merge_list_wins() -> None:
    text = """
lib: {x: &x {cmd: c1, ttl: 1}, y: &y {ttl: 2, proxy: "http://h:1"}}
models: {m: {<<: [*x, *y]}}
"""
    model = parse_config(text, environ={}).models[ModelId("m")]

    assert (model.cmd, model.ttl_s, model.proxy) == ("c1", 1, "http://h:1")


def test_yml_15_own_key_wins_over_a_merged_one_wherever_it_stands() -> None:
    text = """
lib: &x {cmd: c, ttl: 1, proxy: "http://h:1"}
models:
  m:
    ttl: 9
    <<: *x
"""
    assert parse_config(text, environ={}).models[ModelId("m")].ttl_s == 9


def test_yml_16_merge_key_is_no_macro_name() -> None:
    assert "macros.<<" in error_of("lib: &m {A: 1}\nmacros: {<<: *m}\n")


def test_macros_may_be_an_alias_as_a_whole() -> None:
    text = """
lib: &m {A: 1}
macros: *m
models: {a: {cmd: "x ${A}", proxy: "http://h"}}
"""
    assert parse_config(text, environ={}).models[A].cmd == "x 1"


def test_yml_17_aliases_are_independent_copies() -> None:
    text = """
lib: &d {macros: {A: 1}, cmd: "x ${A}", proxy: "http://h:1"}
models: {p: {<<: *d}, q: {<<: *d, macros: {A: 2}}}
"""
    models = parse_config(text, environ={}).models

    assert models[ModelId("p")].cmd == "x 1"
    assert models[ModelId("q")].cmd == "x 2"


def test_yml_18_models_may_be_merged() -> None:
    text = """
lib: &d {p: {cmd: x, proxy: "http://h"}}
models: {<<: *d, q: {cmd: y, proxy: "http://h"}}
"""
    assert set(parse_config(text, environ={}).models) == {"p", "q"}


def test_yml_19_unquoted_reference_in_a_flow_list_is_no_yaml(
    load: Load, errors: Errors
) -> None:
    [message] = errors("macros: {A: z}", a="aliases: [${A}]")

    assert "not valid YAML" in message
    assert "needs quotes" in message
    assert load("macros: {A: z}", a='aliases: ["${A}"]').models[A].aliases == ("z",)
    assert load("macros: {A: z}", a="aliases:\n- ${A}").models[A].aliases == ("z",)


def test_byte_order_mark_and_crlf_are_accepted() -> None:
    text = "\ufeffmodels:\r\n  a:\r\n    cmd: |\r\n      x\r\n      y\r\n    proxy: http://h\r\n"

    assert parse_config(text, environ={}).models[A].cmd == "x\ny\n"


@pytest.mark.parametrize(
    "line", ["ttl: 5\t", "ttl: 5\t# c", "ttl: 5 \t # c", "ttl:\t5", "ttl: 5\t\n"]
)
def test_tab_after_a_value_is_white_space(load: Load, line: str) -> None:
    assert load(a=line).models[A].ttl_s == 5


def test_tab_inside_a_plain_text_belongs_to_it(load: Load) -> None:
    assert load(a="name: x\ty \t z").models[A].name == "x\ty \t z"


def test_tab_as_indentation_is_refused_with_advice() -> None:
    assert "not with tabs" in error_of("models:\n\ta: 1\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: *x", "alias *x has no anchor"),
        ("a: &x {b: *x}", "alias *x contains itself"),
        ("a: &x 1\nb: &x [*x]", "alias *x contains itself"),
        ("[a]: b", "a key must be"),
        ("a: {<<: 5}", "<< needs a mapping"),
        ("a: {<<: [{b: 1}, 5]}", "<< needs a mapping"),
        ("a: !!int x", "!!int does not fit"),
        ('a: "\\ud800"', "surrogate"),
        ('a: "\\U00110000"', "not valid YAML"),
        ("a: \x01", "not allowed in YAML"),
        ("%YAML 1.123456789\n---\na: 1", "not valid YAML"),
        ('a: "', "not valid YAML"),
        ("a: b: c", "not valid YAML"),
    ],
)
def test_malformed_text_is_explained_with_its_line(text: str, words: str) -> None:
    message = error_of(text)

    assert words in message


def test_alias_takes_the_latest_anchor_of_its_name() -> None:
    text = "l: [&x 1, &x 2]\nmodels: {a: {cmd: x, proxy: 'http://h', ttl: *x}}\n"

    assert parse_config(text, environ={}).models[A].ttl_s == 2


def test_every_key_path_keeps_its_line() -> None:
    report = Report()
    root = read_document(Source("c.yaml", "a: 1\nb:\n  - x\n  - {k: v}\n"), report)

    assert isinstance(root, MapNode)
    assert root.entries["a"].where == ("c.yaml", 1)
    assert root.entries["b"].where == ("c.yaml", 2)
    assert root.entries["b"].node.where == ("c.yaml", 3)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused(opening: str) -> None:
    assert "nested more than" in error_of(opening * 2000)


def test_deeply_nested_text_is_not_searched_for_comments() -> None:
    text = "[" * 5000 + " # ${env.X}"

    assert content_spans(text) is None
    assert "nested more than" in error_of(text.replace("X", "SET"))


def test_nesting_through_aliases_is_refused() -> None:
    text = "l0: &a0 {x: 1}\n" + "".join(
        f"l{n}: &a{n} {{x: *a{n - 1}}}\n" for n in range(1, MAX_DEPTH + 5)
    )

    assert "nested more than" in error_of(text)


def test_aliases_that_multiply_are_refused() -> None:
    text = "l0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"l{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )

    assert "aliases expanded" in error_of(text)


def test_huge_text_is_refused() -> None:
    assert "is larger than" in error_of("#" * (MAX_SOURCE_CHARS + 1))


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_any_text_loads_or_raises_a_config_error(text: str) -> None:
    try:
        config = parse_config(text, environ={})
    except ConfigError as exc:
        problems = exc.problems
    else:
        problems = config.warnings
    assert all(str(problem).isprintable() for problem in problems)


FRAGMENTS = st.sampled_from(
    [
        *("models", "a", "cmd", "macros", "groups", "routing", "hooks", "ttl", "<<"),
        *(": ", ":\n  ", ":\n    ", "- ", "\n", "\n  ", "[", "]", "{", "}", ", "),
        *(
            "&x ",
            "*x",
            "!!int ",
            "!!binary ",
            "!a ",
            "| \n",
            ">-\n",
            "? ",
            "--- ",
            "...",
        ),
        *(
            "'",
            '"',
            "\\",
            "#",
            " #",
            "%",
            "\t",
            "${A}",
            "${env.X}",
            "${PORT}",
            "~",
            "5",
        ),
        *(
            "\r\n",
            "\x85",
            "\u2028",
            "\ufeff",
            "%YAML 1.1\n",
            "%TAG ! x\n",
            "1e999",
            "@",
        ),
    ]
)


@settings(max_examples=700)
@given(st.lists(FRAGMENTS, max_size=40).map("".join))
def test_any_mixture_of_yaml_loads_or_raises_a_config_error(text: str) -> None:
    try:
        config = parse_config(text, environ={"X": "*x"})
    except ConfigError as exc:
        problems = exc.problems
    else:
        problems = config.warnings
    assert all(problem.message for problem in problems)
