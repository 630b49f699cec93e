"""config.md 13.3: the language of the matrix."""

import pytest

from swapper.config.expressions import (
    MAX_HEIGHT,
    AllOf,
    AnyOf,
    Expression,
    ExpressionError,
    Insert,
    One,
    SetCycleError,
    SetHeightError,
    evaluation_order,
    inserted_sets,
    parse_expression,
)
from swapper.core.ids import ModelId

MODELS = {
    name: ModelId(name) for name in ("a", "b", "c", "a_x", "modèle", "x.y-2", "٣")
}
A, B, C = (One(ModelId(name)) for name in "abc")


def parse(text: str) -> Expression:
    return parse_expression(text, MODELS)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a", A),
        ("((a))", A),
        ("a|b|c", AnyOf((A, B, C))),
        ("a & b & c", AllOf((A, B, C))),
        ("a | b & c", AnyOf((A, AllOf((B, C))))),
        ("a & b | c", AnyOf((AllOf((A, B)), C))),
        ("(a | b) & c", AllOf((AnyOf((A, B)), C))),
        ("a & (b & c)", AllOf((A, AllOf((B, C))))),
        ("+a & +s.t", AllOf((Insert("a"), Insert("s.t")))),
        ("x.y-2 | a_x", AnyOf((One(ModelId("x.y-2")), One(ModelId("a_x"))))),
        ("modèle|٣", AnyOf((One(ModelId("modèle")), One(ModelId("٣"))))),
        ("\u2003a\u00a0&\n\tb\u3000", AllOf((A, B))),
    ],
)
def test_expressions_and_their_trees(text: str, tree: Expression) -> None:
    assert parse(text) == tree


def test_variables_stand_for_their_models() -> None:
    assert parse_expression("v", {"v": ModelId("org/a:1")}) == One(ModelId("org/a:1"))


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "empty"),
        (" \t\n", 0, "empty"),
        ("a @ b", 2, "unexpected character '@'"),
        ("   a, b", 1, "unexpected character ','"),
        ("a &\u2003!b", 4, "unexpected character '!'"),
        ("!a", 0, "unexpected character '!'"),
        ("a | b²", 5, "unexpected character '²'"),
        ("a \x1c b", 2, "unexpected character"),
        ("+ a", 0, "+ must be followed"),
        ("a & +", 4, "+ must be followed"),
        ("++a", 0, "+ must be followed"),
        ("a && b", 3, "a name is missing before &"),
        ("| a", 0, "a name is missing before |"),
        ("()", 1, "a name is missing before )"),
        ("a &", 3, "a name is missing"),
        ("(a |", 4, "a name is missing"),
        ("a b", 2, "& or | is missing before b"),
        ("a +b", 2, "& or | is missing before +b"),
        ("a (b)", 2, "& or | is missing before ("),
        ("c & ((a)", 4, "there is no ) for the ("),
        ("a)", 1, "there is no ( for the )"),
        ("a | nope", 4, "nope is neither a variable nor the id of a model"),
    ],
)
def test_faults_and_where_they_are(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)

    assert caught.value.position == position
    assert message in str(caught.value)
    assert str(caught.value).endswith(f"at position {position}")


def test_parentheses_alone_may_be_nested_at_will() -> None:
    assert parse("(" * 100_000 + "a" + ")" * 100_000) == A


def test_a_chain_may_have_any_length() -> None:
    assert parse("a" + " | b" * 50_000) == AnyOf((A, *[B] * 50_000))


def test_operators_may_be_nested_up_to_a_limit() -> None:
    def nested(levels: int) -> str:
        opening = "".join(f"a {'&|'[level % 2]} (" for level in range(levels - 1))
        return f"{opening}a & b{')' * (levels - 1)}"

    parse(nested(MAX_HEIGHT))
    with pytest.raises(ExpressionError, match="more than 100 levels"):
        parse(nested(MAX_HEIGHT + 1))
    with pytest.raises(ExpressionError, match="more than 100 levels"):
        parse(nested(20_000))


def test_inserted_sets_are_listed_once_in_order() -> None:
    assert inserted_sets(parse("a & (+s | +r & +s) | +q")) == ("s", "r", "q")


def order(**sets: str) -> list[str]:
    expressions = {name: parse(text) for name, text in sets.items()}
    return [matrix_set.name for matrix_set in evaluation_order(expressions)]


def test_q2_sets_keep_the_order_of_their_definition() -> None:
    assert order(z="a", b="b", a10="a", a9="b") == ["z", "b", "a10", "a9"]


def test_q2_an_inserted_set_comes_before_the_one_that_inserts_it() -> None:
    assert order(s="+u & a", t="b", u="+w | +v", v="c", w="c") == [
        "w",
        "v",
        "u",
        "s",
        "t",
    ]


@pytest.mark.parametrize(
    ("sets", "cycle"),
    [
        ({"s": "+s"}, ("s", "s")),
        ({"s": "+t & a", "t": "+s"}, ("s", "t", "s")),
        ({"r": "+s", "s": "a | +t", "t": "b & (c | +s)"}, ("s", "t", "s")),
    ],
)
def test_sets_must_not_insert_themselves(
    sets: dict[str, str], cycle: tuple[str, ...]
) -> None:
    with pytest.raises(SetCycleError) as caught:
        order(**sets)

    assert caught.value.cycle == cycle
    assert " -> ".join(cycle) in str(caught.value)


def test_a_long_line_of_sets_may_pass_one_on() -> None:
    chain = {f"s{n}": f"+s{n + 1}" for n in range(5000)}

    assert order(**chain, s5000="a") == [f"s{n}" for n in range(5000, -1, -1)]


def test_sets_that_nest_too_deeply_through_others_are_refused() -> None:
    chain = {f"s{n}": f"a & (b | +s{n + 1})" for n in range(1000)}

    with pytest.raises(SetHeightError) as caught:
        order(**chain, s1000="a")
    assert caught.value.set_name == "s949"  # the 51st from the end
