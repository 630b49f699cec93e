"""Checking a JSON text and finding the members of its object."""

import json
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.core.errors import InvalidJsonError
from swapper.web import json_scan
from swapper.web.json_scan import MAX_DEPTH, scan
from tests.fakes.json_texts import json_values, spelled

LONG = 5 * json_scan.WINDOW


def members(raw: bytes) -> dict[str, bytes]:
    parts = scan(raw)
    assert parts is not None
    return {
        json.loads(key): bytes(value)
        for key, value in zip(parts.keys, parts.values, strict=True)
    }


@pytest.fixture(params=["as it is", "tiny windows"])
def windows(request: pytest.FixtureRequest) -> Iterator[None]:
    """Everything again as if all values were long."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "as it is":
            patch.setattr(json_scan, "WINDOW", 16)
            patch.setattr(json_scan, "_PIECE", 8)
            patch.setattr(json_scan, "_SPARSE", 8)
        yield


def test_values_are_found_as_they_are_spelled() -> None:
    raw = b'\xef\xbb\xbf \n{"a": 1E400, "b" :[1 ,2]\t,"\\u0063":{"d":[[[{}]]]}}\r\n'

    assert members(raw) == {"a": b"1E400", "b": b"[1 ,2]", "c": b'{"d":[[[{}]]]}'}


@pytest.mark.parametrize("raw", [b"[1, {}]", b" 5 ", b'"x"', b"null", b"[[[[[[]]]]]]"])
def test_something_else_than_an_object_has_no_members(raw: bytes) -> None:
    assert scan(raw) is None


@pytest.mark.usefixtures("windows")
@pytest.mark.parametrize(
    ("raw", "where"),
    [
        (b"", "line 1 column 1: expected a value"),
        (b"not json", "line 1 column 1: expected a value"),
        (b'{"model": "m"', "line 1 column 14: expected ',' or '}'"),
        (b'{\n"model" "m"}', "line 2 column 9: expected ':'"),
        (b'{"model": }', "line 1 column 11: expected a value"),
        (b'{"model": "m"} x', "line 1 column 16: extra data"),
        (b'{"a": 1,}', "line 1 column 9: expected a key"),
        (b'{"a": 1}"b": 2}', "line 1 column 9: extra data"),
        (b'{"a": 1, 2, "b": 3}', "line 1 column 10: expected a key"),
        (b'{"a": [1,\n2,]}', "line 2 column 3: expected a value"),
        (b'{"a": [[[[1 2]]]]}', "line 1 column 13: expected ',' or ']'"),
        (b'{"a": [[[{"b" 2}]]]}', "line 1 column 15: expected ':'"),
        (b'{"a": [[[{"b": 2]]]}', "line 1 column 17: expected ',' or '}'"),
        (b'{"a": [[[{b: 2}]]]}', "line 1 column 11: expected a key"),
        (b'{"a": 01}', "line 1 column 8: expected ',' or '}'"),
        (b'{"a": tru}', "line 1 column 7: expected a value"),
        (b'\xef\xbb\xbf{"\xc3\xa9": ?}', "line 1 column 7: expected a value"),
        (b'{"a": "x', "line 1 column 7: this string does not end"),
        (b'{"a": "1\n"}', "line 1 column 9: a control character"),
        (b'{"a": "12\\x"}', "line 1 column 10: not an escape sequence"),
        (b'{"a": "\\u12g4"}', "line 1 column 8: not an escape sequence"),
        (b"\xff{}", "byte 0"),
        (b'{"' + b"x" * LONG + b"\xc3", f"byte {LONG + 2}"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(raw: bytes, where: str) -> None:
    with pytest.raises(InvalidJsonError) as caught:
        scan(raw)

    assert where in str(caught.value)


def test_only_a_very_long_string_may_hide_a_control_character() -> None:
    long = b"x" * (1 << 16)
    with pytest.raises(InvalidJsonError, match="control character"):
        scan(b'{"a": "\n%b"}' % long[2:])

    whole = scan(b'{"a": "\n%b", "b": 1}' % long)
    assert whole is not None
    assert list(whole.keys) == [b'"a"', b'"b"']


@pytest.mark.parametrize(
    ("opener", "closer"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":[', b"]}]")]
)
def test_depth_is_bounded(opener: bytes, closer: bytes) -> None:
    levels = opener.count(b"[") + opener.count(b"{")
    deepest = MAX_DEPTH // levels
    inner = b"[" * (MAX_DEPTH - deepest * levels)
    whole = opener * deepest + inner + b"1" + inner.replace(b"[", b"]")

    scan(whole + closer * deepest)
    with pytest.raises(InvalidJsonError, match="nested more than 1000 levels"):
        scan(opener * (deepest + 1) + b"1" + closer * (deepest + 1))
    with pytest.raises(InvalidJsonError, match="nested more than 1000 levels"):
        scan(opener * 100_000)


@pytest.mark.parametrize(
    "value",
    [
        json.dumps("x" * LONG),
        json.dumps('\\"\n\u00e9' * LONG, ensure_ascii=False),
        "9" * LONG + ".5e7",
        json.dumps(list(range(LONG // 4))),
        json.dumps([{"role": "user", "content": "x" * (n % 90)} for n in range(3000)]),
        json.dumps([[[[[[n]]]]] for n in range(LONG // 10)]),
        json.dumps({str(n): [n, {"é": n}] for n in range(LONG // 10)}),
        json.dumps([{"a": [{"b": {"c": "x" * LONG}}]}, "y" * LONG]),
        "[" + " " * LONG + "1" + "\n" * LONG + "]",
        "9" * 5000,
    ],
    ids=lambda value: f"{value[:12]}...",
)
def test_long_values_are_taken_whole(value: str) -> None:
    raw = f'{{"long":{value},"model":"m"}}'.encode()

    assert members(raw) == {"long": value.encode(), "model": b'"m"'}
    with pytest.raises(InvalidJsonError):
        scan(raw[:-1])


@settings(deadline=None, derandomize=True)
@given(document=json_values, rng=st.randoms(), window=st.sampled_from([8, 40]))
def test_it_agrees_with_the_json_module(
    document: object, rng: random.Random, window: int
) -> None:
    """Also about texts that were damaged, and whatever counts as long."""
    text = spelled(document, rng).encode("utf-8", "replace")
    for raw in (text, damaged(text, rng), damaged(text, rng)):
        try:
            expected: object = json.loads(raw.decode())
        except ValueError:
            expected = InvalidJsonError
        with pytest.MonkeyPatch.context() as patch:
            check(raw, expected)
            patch.setattr(json_scan, "WINDOW", window)
            patch.setattr(json_scan, "_PIECE", window)
            patch.setattr(json_scan, "_SPARSE", window // 2)
            check(raw, expected)


def check(raw: bytes, expected: object) -> None:
    if expected is InvalidJsonError:
        with pytest.raises(InvalidJsonError):
            scan(raw)
    elif isinstance(expected, dict):
        found = {key: json.loads(value) for key, value in members(raw).items()}
        assert repr(found) == repr(expected)  # NaN is not equal to itself
    else:
        assert scan(raw) is None


def damaged(raw: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(raw))
    put = rng.choice([b"", b'"', b",", b"[", b"}", b":", b"\\", b"\x01", b"e", b"\xff"])
    return raw[:at] + put + raw[at + rng.randrange(2) :]
