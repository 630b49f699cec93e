"""Searching with RE2 patterns: what they mean, and that time stays linear."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.config.re2 import Pattern


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("", "", True),
        ("a", "bab", True),
        ("a", "A", False),
        ("^a", "ba", False),
        (r"a$", "a\n", False),  # unlike Python: $ is the very end
        (r"(?m)a$", "a\nb", True),
        (r"(?m)^b", "a\nb", True),
        (r"a\z", "a\n", False),
        (r"\Aa\z", "a", True),
        (r"a.b", "a\nb", False),
        (r"(?s)a.b", "a\nb", True),
        (r"(?i)straße", "STRAßE", True),
        (r"(?i)k", "\u212a", True),
        (r"(?i:a)b", "AB", False),
        (r"a(?i)b", "aB", True),
        (r"(?U)a+", "aa", True),
        (r"(?i-i:a)", "A", False),
        (r"\.(js|css)$", "/x.css", True),
        (r"\.(js|css)$", "/x.css/y", False),
        (r"a{2,3}b", "ab", False),
        (r"^a{2,3}$", "aaa", True),
        (r"^a{2}$", "aaa", False),
        (r"^a{2,}$", "aaaa", True),
        (r"a{,2}", "a{,2}", True),  # no counts: the characters themselves
        (r"^(ab|c)*$", "abcab", True),
        (r"x*?y", "y", True),
        (r"[[:alpha:]]+1", "Ab1", True),
        (r"^[[:^alpha:]]$", "a", False),
        (r"^[^a-c]$", "b", False),
        (r"^[]a]$", "]", True),
        (r"^[a-]$", "-", True),
        (r"^\d$", "\u0663", False),  # ASCII digits only
        (r"^\D\S\W$", "a!-", True),
        (r"^[\d_]$", "7", True),
        (r"\bfoo\b", "a foo b", True),
        (r"\bfoo\b", "afoo", False),
        (r"\Boo", "foo", True),
        (r"^\pL$", "é", True),
        (r"^\p{Lu}$", "é", False),
        (r"^\PL$", "1", True),
        (r"^\p{^Greek}$", "\u03b1", False),
        (r"^\p{Greek}$", "\u03b1", True),
        (r"^[\p{Cyrillic}x]$", "ж", True),
        (r"^\Qa.b\E$", "a.b", True),
        (r"^\Qa.b\E$", "axb", False),
        (r"^\Qa.", "a.", True),
        (r"^\x41\x{1F600}\101$", "A\U0001f600A", True),
        (r"^\t\n\f\r\v\a$", "\t\n\f\r\v\a", True),
        (r"^(?P<n>a)(?<m>b)(?:c)$", "abc", True),
        (r"^(|a)b$", "b", True),
        (r"^(a|)+$", "aa", True),
        (r"(^a|b)c", "xac", False),
        (r"\/\-\.", "/-.", True),
    ],
)
def test_meaning(pattern: str, text: str, found: bool) -> None:
    assert Pattern(pattern).search(text) is found


@pytest.mark.parametrize(
    "pattern",
    [
        *("(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?>a)", r"(a)\1", r"\k<n>"),
        *("a++", "a**", "*a", "|*", "(", ")", "a)", "[a", "[b-a]", "[[:foo:]]"),
        *(
            r"\p{Klingon}",
            r"\pQ",
            r"\p",
            "\\",
            r"\y",
            r"\C",
            r"\Z",
            r"\G",
            r"\x{110000}",
        ),
        *(
            "a{1001}",
            "(a{100}){11}",
            "a{3,2}",
            "(?z)a",
            "(?P<1-2>a)",
            "(?P<n>a)(?P<n>b)",
        ),
        *(
            "(" * 300 + ")" * 300,
            "a" * 10_001,
            "(((a{10}){10}){10}b{900}){1}c{900}" * 4,
        ),
        *(r"a{999999999999}", r"\8"),
    ],
)
def test_what_re2_does_not_have_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Pattern(pattern)


_ATOMS = st.sampled_from(
    ["a", "b", "ab", ".", "[ab]", "[^a]", r"\d", r"\bx", "(?:a|b)"]
)
_PATTERNS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda p: f"(?:{p[0]}|{p[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?"])).map(
            lambda p: f"(?:{p[0]}){p[1]}"
        ),
        inner.map(lambda p: f"^{p}"),
        inner.map(lambda p: f"{p}\\z"),
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(pattern=_PATTERNS, text=st.text("abx1\n", max_size=8))
def test_agrees_with_python_where_both_mean_the_same(pattern: str, text: str) -> None:
    ours = Pattern(pattern).search(text)

    assert ours is (re.search(pattern.replace(r"\z", r"\Z"), text) is not None)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=st.text(max_size=30) | st.text("()[]{}?*+|\\^$a-:pPLQE1,<>=!", max_size=30))
def test_any_text_is_a_pattern_or_a_value_error(text: str) -> None:
    try:
        pattern = Pattern(text)
    except ValueError:
        return
    pattern.search(text)


def test_a_search_takes_as_many_steps_as_there_are_characters() -> None:
    """``re`` would need 2**1000 of them."""
    pattern = Pattern("^(a|aa)+(a+)+b$")
    steps = 0
    take = pattern._next

    def count(*args: object) -> object:
        nonlocal steps
        steps += 1
        return take(*args)  # type: ignore[arg-type]  # passed through

    counted = type("Counted", (Pattern,), {"_next": staticmethod(count)})("x")
    counted._program, counted._start = pattern._program, pattern._start

    assert not counted.search("a" * 1000 + "c")
    assert steps == 1002


def test_patterns_are_values() -> None:
    assert Pattern("a") == Pattern("a") != Pattern("b")
    assert hash(Pattern("a")) == hash(Pattern("a"))
    assert repr(Pattern("a")) == "Pattern('a')"
