"""What RE2 refuses, and what goes beyond our limits (config.md 8.7, TOP-19)."""

import pytest

from swapper.config.re2 import Pattern
from swapper.config.re2.syntax import (
    MAX_DEPTH,
    MAX_PATTERN_CHARS,
    Choice,
    Edge,
    Repeat,
    parse,
)


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        *(("(?=a)", "(?="), ("(?!a)", "(?!"), ("(?<=a)", "(?<="), ("(?<!a)", "(?<!")),
        *(("(?>a)", "(?>"), ("(?#a)", "(?#"), ("(?P=n)", "(?P="), ("(?P>n)", "(?P>")),
        *((r"(a)\1", r"\1"), (r"\k<n>", r"\k"), (r"\8", r"\8"), (r"(a)\9", r"\9")),
        *(("a*+", "+"), ("a++", "+"), ("a?+", "+"), ("a{2}+", "+"), ("a**", "*")),
        *(("a{2}{3}", "{3}"), ("a+??", "?"), ("*a", "*"), ("|*", "*"), ("(+a)", "+")),
        *(("(?i)*a", "*"), ("(", "("), ("a(b", "(b"), (")", ")"), ("a)b", ")")),
        *(("(?i", "(?i"), ("(?-)", "(?-"), ("(?x)a", "(?x"), ("(?", "(?")),
        *(("(?P<a-b>x)", "(?P"), ("(?<>x)", "(?<"), ("(?P<n>a)(?<n>b)", "n")),
        *(("[a(", "[a("), ("[", "["), ("[]", "[]"), ("[^]", "[^]"), ("[z-a]", "z-a")),
        *((r"[a-\d]", r"\d"), ("[[:alpah:]]", "[:alpah:]"), (r"[\b]", r"\b")),
        *((r"\Z", r"\Z"), (r"\G", r"\G"), (r"\C", r"\C"), (r"\é", r"\é"), ("a\\", "")),
        *((r"\x", r"\x"), (r"\x{110000}", r"\x{110000}"), (r"\u0041", r"\u")),
        *((r"\p{Klingon}", r"\p{Klingon}"), (r"\pX", r"\p{X}"), (r"\p", r"\p")),
        *((r"\p{", r"\p{"), ("a{1001}", "{1001}"), ("a{2,1}", "{2,1}")),
        *(("a{1,1001}", "{1,1001}"), ("(a{500}){3}", "{3}"), ("a{99999999999}", "{9")),
        (r"[\Qa\E]", r"\Q"),
    ],
)
def test_top_19_what_re2_does_not_have_is_refused(pattern: str, part: str) -> None:
    with pytest.raises(ValueError, match=r"is |ends in") as caught:
        parse(pattern)

    assert part in str(caught.value)


@pytest.mark.parametrize("pattern", ["a" * (MAX_PATTERN_CHARS + 1), "(?:" * 9000])
def test_pattern_beyond_a_limit_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"longer than|nested more than"):
        parse(pattern)


def test_groups_nest_up_to_the_limit() -> None:
    pattern = Pattern("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH)

    assert pattern.search("a")


def test_flags_end_with_their_group() -> None:
    tree = parse("((?m)^|a)^")

    assert isinstance(tree, type(parse("ab")))
    first, last = tree.nodes  # type: ignore[union-attr]  # a sequence, as above
    assert isinstance(first, Choice)
    assert first.nodes[0] is Edge.LINE_START
    assert last is Edge.TEXT_START


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [
        *(("a*", 0, None), ("a+?", 1, None), ("a??", 0, 1), ("a{3}", 3, 3)),
        *(("a{3,}", 3, None), ("a{3,5}?", 3, 5), ("a{1000}", 1000, 1000)),
    ],
)
def test_repetition_has_its_bounds(pattern: str, least: int, most: int | None) -> None:
    tree = parse(pattern)

    assert isinstance(tree, Repeat)
    assert (tree.least, tree.most) == (least, most)
