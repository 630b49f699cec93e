"""Parameter names as paths (http-api.md section 11)."""

import pytest

from swapper.web.json_path import Step, parse_path


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("top_k", (Step("top_k"),)),
        ("a.b", (Step("a"), Step("b"))),
        ("a.0.7", (Step("a"), Step("0", 0), Step("7", 7))),
        ("a.-1", (Step("a"), Step("-1", is_end=True))),
        (r"a\.b", (Step("a.b"),)),
        (r"a\\.b", (Step("a\\"), Step("b"))),
        (r"a\*", (Step("a*"),)),
        (r"\7", (Step("7"),)),
        (":7", (Step("7"),)),
        ("a.:-1", (Step("a"), Step("-1"))),
        (r"\:7", (Step(":7"),)),
        ("-2", (Step("-2"),)),
        ("٣", (Step("٣"),)),
        ("a..b", (Step("a"), Step(""), Step("b"))),
        ("a.", (Step("a"), Step(""))),
        ("a\\", (Step("a"),)),
        ("", ()),
    ],
)
def test_steps(text: str, steps: tuple[Step, ...]) -> None:
    path = parse_path(text)

    assert path.steps == steps
    assert not path.has_wildcards
    assert not path.is_query


@pytest.mark.parametrize("text", ["a*", "a.?", "?"])
def test_wildcards(text: str) -> None:
    path = parse_path(text)

    assert path.has_wildcards
    assert not path.is_query


@pytest.mark.parametrize("text", ["a.#", "a|b", "@this", "a.@x", "a.#.b*"])
def test_queries(text: str) -> None:
    path = parse_path(text)

    assert path.has_wildcards
    assert path.is_query


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("te*", "te", True),
        ("te*", "temp", True),
        ("te*", "ate", False),
        ("t?p", "top", True),
        ("t?p", "tp", False),
        (r"a\**", "a*b", True),
        (r"a\**", "ab", False),
        ("a[b]*", "a[b]c", True),
        ("*", "a\nb", True),
    ],
)
def test_what_wildcards_match(text: str, key: str, expected: bool) -> None:
    (step,) = parse_path(text).steps

    assert step.matches(key) is expected
