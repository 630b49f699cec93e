"""Searching with RE2 patterns (config.md 8.7)."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.config.re2 import Pattern
from swapper.config.re2.pattern import MAX_REMEMBERED

YES = [
    *(
        ("(?i)straße", "STRAßE"),
        (r"^[\d_]$", "7"),
        ("^(ab|c)*$", "abcab"),
        ("x*?y", "y"),
    ),
    *(
        ("^(a|)+$", "aa"),
        (r"\/\-\.", "/-."),
        ("a{,2}", "a{,2}"),
        (r"\.(js|css)$", "/x.css"),
    ),
    *(("", ""), ("", "x"), ("b", "abc"), ("^a", "ab"), ("a$", "ba"), (r"\Aa\z", "a")),
    *(
        ("(?m)^b$", "a\nb\nc"),
        ("(?m)$", "a\n"),
        ("(?s)a.b", "a\nb"),
        ("(?i)aBc", "AbC"),
    ),
    *(("(?s:.)", "\n"), ("(?i:a)b", "Ab"), ("(?U)a+?b", "aab"), ("(?i)k", "\u212a")),
    *(("(?i)[^a]", "b"), ("(?i)\u212a", "k"), ("a(?i)b|c", "C"), ("(?is-m)A.", "a\n")),
    *(
        (r"\pL", "é"),
        (r"\p{Lu}", "É"),
        (r"\PL", "1"),
        (r"\p{^L}", "1"),
        (r"\P{^L}", "a"),
    ),
    *(
        (r"\p{Greek}", "\u03b1"),
        (r"\p{Han}", "漢"),
        (r"\p{Cyrillic}", "я"),
        (r"\p{Any}", "x"),
    ),
    *((r"[\p{Greek}x]", "β"), ("[[:alpha:]]", "q"), ("[[:^alpha:]]", "1")),
    *(
        ("[[:word:]-]", "-"),
        ("[]a]", "]"),
        ("[^]a]", "b"),
        ("[a-]", "-"),
        ("[-a]", "-"),
    ),
    *(
        (r"[\d-z]", "-"),
        ("[[a]", "["),
        ("[[:alpha]", ":"),
        ("[^a]", "\n"),
        (r"\_", "_"),
    ),
    *(
        (r"\Qa.b\E", "a.b"),
        (r"\Q(\E+", "(("),
        (r"\Qa", "a"),
        (r"\Q\E", ""),
        (r"\.", "."),
    ),
    *(
        ("(?P<n>a)(?<m>b)", "ab"),
        ("(?:a|b)c", "bc"),
        ("a|", "x"),
        ("()", ""),
        ("(|a)", ""),
    ),
    *(
        ("a{2}", "aa"),
        ("a{2,}b", "aaab"),
        ("a{,2}", "a{,2}"),
        ("{", "{"),
        ("a{x}", "a{x}"),
    ),
    *(("a{0}b", "b"), ("a{1,2}$", "aaa"), ("(ab){2}", "abab"), ("^*a", "a")),
    *((r"\x41", "A"), (r"\x{1F600}", "\U0001f600"), (r"\101", "A"), (r"\0", "\0")),
    *((r"\bab\b", "x ab y"), (r"\Ba", "ba"), (r"\w\W\s\S", "a- b"), (r"\D", "x")),
    *(
        (r"\t\n\f\r\v\a", "\t\n\f\r\v\a"),
        (r"(?i)[[:upper:]]", "a"),
        ("(?i)\u017f", "S"),
    ),
    *(
        (r"[\]\-\\]", "\\"),
        (r"\pN", "½"),
        ("a*(?i)*b", "b"),
        ("é", "é"),
        ("(a*)*b", "b"),
    ),
]
NO = [
    *((r"(^a|b)c", "xac"), ("^a{2}$", "aaa"), ("(?i-i:a)", "A"), (r"\bfoo\b", "afoo")),
    *(("a$", "a\n"), (r"a\z", "a\n"), ("^b", "a\nb"), (".", "\n"), ("(?-s).", "\n")),
    *((r"\d", "٣"), (r"\w", "é"), (r"\s", "\v"), (r"\s", "\u00a0"), (r"\bé\b", "é")),
    *((r"\pL", "1"), (r"\PL", "a"), (r"\p{Greek}", "a"), (r"\p{C}", "\u0378")),
    *(
        ("(?i)[^a]", "A"),
        ("[^a-c]", "b"),
        ("a{2}", "a"),
        ("a{2,3}$", "a"),
        ("(?m)^b", "ab"),
    ),
    *(
        ("((?i)a)b", "AB"),
        ("(?i)a(?-i)b", "AB"),
        (r"\Qa.b\E", "axb"),
        ("[[:punct:]]", "a"),
    ),
    *(
        ("(?i)[[:^upper:]]", "a"),
        ("A", "a"),
        (r"\B", "a"),
        ("$a", "a"),
        ("[[:digit:]]", "x"),
    ),
]


@pytest.mark.parametrize(("pattern", "text"), YES)
def test_pattern_is_found(pattern: str, text: str) -> None:
    assert Pattern(pattern).search(text)


@pytest.mark.parametrize(("pattern", "text"), NO)
def test_pattern_is_not_found(pattern: str, text: str) -> None:
    assert not Pattern(pattern).search(text)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*c", "(a|aa)+$", ".*.*.*.*c", "((a*)*)*c", "(.*a){20}c"]
)
def test_no_pattern_makes_a_search_long(pattern: str) -> None:
    """These take a backtracking matcher longer than anybody has."""
    assert not Pattern(pattern).search("a" * 5_000 + "b\n")


def test_program_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        Pattern("(abcde){1000}")


def test_memory_of_steps_is_bounded() -> None:
    pattern = Pattern("x$")

    assert not pattern.search("".join(map(chr, range(32, 20_000))))
    assert len(pattern._remembered) <= MAX_REMEMBERED


def test_threads_share_a_pattern() -> None:
    pattern = Pattern(r"(a|b)*abb$")
    texts = ["ab" * n + "abb" * (n % 2) for n in range(1, 200)]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(pattern.search, texts))

    assert found == [text.endswith("abb") for text in texts]


def test_pattern_is_equal_to_one_of_the_same_text() -> None:
    assert Pattern("a") == Pattern("a")
    assert hash(Pattern("a")) == hash(Pattern("a"))
    assert Pattern("a") != Pattern("b")
    assert Pattern("a") != "a"
    assert repr(Pattern("a")) == "Pattern('a')"


# What both syntaxes have and mean alike, for ASCII texts. ``\Z`` stands for ``$``.
_ATOMS = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", r"\w", r"\W", r"\d", r"\b", r"\B", "^", r"\n", ""]
)
_BOTH = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: f"(?:{'|'.join(p)})"),
        st.tuples(
            inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "*?", "{2,}"])
        ).map(lambda p: f"(?:{p[0]}){p[1]}"),
        st.tuples(st.sampled_from("ims"), inner).map(lambda p: f"(?{p[0]}:{p[1]})"),
    ),
    max_leaves=8,
)


# Not the empty text: there ``re`` finds no ``\B``.
@settings(deadline=None)
@given(_BOTH, st.text("abAB1\n -", min_size=1, max_size=6))
def test_search_agrees_with_a_backtracking_matcher(pattern: str, text: str) -> None:
    assert Pattern(pattern).search(text) is bool(re.search(pattern, text, re.ASCII))


@settings(deadline=None)
@given(
    st.text(max_size=20)
    | st.text(st.sampled_from("ab.*+?|()[]^$\\{},0123-:PQEdpLzimsU<>x="), max_size=30)
)
def test_any_text_is_a_pattern_or_a_value_error(pattern: str) -> None:
    try:
        compiled = Pattern(pattern)
    except ValueError:
        return
    assert compiled.search("ab\n0") in (True, False)
