import itertools
import json

import pytest

from swapper.record.json_stream import (
    MAX_DEPTH,
    VALUE_LIMIT_BYTES,
    JsonStream,
    cut_string,
    wanted,
)

PATHS = ("usage", "response.usage", "message.usage", "error", "error.message")


def follow(text: bytes, *cuts: int, paths: tuple[str, ...] = PATHS) -> JsonStream:
    """Return a stream that has been fed *text*, cut at some places."""
    stream = JsonStream(wanted(paths))
    places = [0, *sorted(cuts), len(text)]
    for start, end in itertools.pairwise(places):
        stream.feed(text[start:end])
    return stream


VALID = [
    b"{}",
    b"[]",
    b' [1, -0.5e+3 ,true,false,null, "\\u00e9\\n" , {} , [ ] ]\n',
    b'{"a":{"b":[{"c":[{"d":[[[[1]]]]}]}]},"e":"x"}',
    b'"text"',
    b"12",
    b"-0",
    b"null",
    b"NaN",
    b'{"a":"\xff\xc3"}',
    b'{"":[],"usage":1}',
]
INVALID = [
    b"",
    b" ",
    b"nope",
    b"{",
    b"[1,]",
    b'{"a":1,}',
    b'{"a" 1}',
    b'{"a":}',
    b"{1:2}",
    b"[1 2]",
    b"[1}",
    b'{"a":1]',
    b"01",
    b"1.",
    b"+1",
    b"1e",
    b"tru",
    b"nul l",
    b"[1]]",
    b"{} {}",
    b'"a',
    b'"\\x"',
    b'"\\u12g4"',
    b'"\n"',
    b'{"a\n":1}',
    b"\xef\xbb\xbf{}",
    b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
]


@pytest.mark.parametrize("text", VALID)
def test_json_is_known_for_json_wherever_it_is_cut(text: bytes) -> None:
    for cut in range(len(text) + 1):
        assert follow(text, cut).end()
    assert follow(text, *range(len(text))).end()


@pytest.mark.parametrize("text", INVALID)
def test_other_texts_are_not_wherever_they_are_cut(text: bytes) -> None:
    for cut in range(min(len(text), 40) + 1):
        assert not follow(text, cut).end()
    assert not follow(text, *range(len(text))).end()


def test_depth_has_one_limit_wherever_the_text_is_cut() -> None:
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    too_deep = b"[1," * MAX_DEPTH + b"[]" + b"]" * MAX_DEPTH

    for cut in (0, 1, MAX_DEPTH - 2, MAX_DEPTH, MAX_DEPTH + 1, 3 * MAX_DEPTH - 5):
        assert follow(deepest, cut).end()
        assert not follow(too_deep, cut).end()


def test_wanted_values_come_out_as_they_are_written() -> None:
    text = (
        b'{"x":{"usage":0},"response":{"output":["usage",{}],"us\\u0061ge":{"a":[1, 2]}},'
        b'"message":"hello","error":{"message":"m","code":{"message":1}},"usage": null }'
    )
    found = {
        "response.usage": b'{"a":[1, 2]}',
        "error.message": b'"m"',
        "usage": b"null",
    }

    for cut in range(len(text) + 1):
        stream = follow(text, cut)
        assert stream.end()
        assert stream.found == found


def test_an_error_may_be_a_string_or_have_a_message() -> None:
    assert follow(b'{"error":"s"}').found == {"error": b'"s"'}
    assert follow(b'{"error":["s"]}').found == {"error": b'["s"]'}


def test_of_equal_keys_the_last_counts() -> None:
    text = b'{"usage":1,"usage":2,"response":{"usage":3},"response":{}}'

    assert follow(text).found == {"usage": b"2"}


def test_of_an_array_the_last_item_counts() -> None:
    text = (
        b'[{"timings":1},{"timings":{"n":2},"x":[1]} , {"y":{"timings":4},"timings":3}]'
    )
    stream = JsonStream(wanted(["usage"]), wanted(["timings"]))
    stream.feed(text)

    assert stream.end()
    assert stream.found == {"timings": b"3"}


def test_an_array_is_not_looked_into_unless_asked_for() -> None:
    assert follow(b'[{"usage":1}]').found == {}


def test_a_value_is_kept_up_to_a_limit() -> None:
    long = b'{"usage":"%b","error":{"message":[%b]}}' % (
        b"\\n" * VALUE_LIMIT_BYTES,
        b"1," * VALUE_LIMIT_BYTES + b"1",
    )
    stream = follow(long, 7, 100, 70_000)

    assert stream.end()
    assert {len(value) for value in stream.found.values()} == {VALUE_LIMIT_BYTES}


def test_a_string_that_is_cut_gets_an_end() -> None:
    assert cut_string(b'"abc"') == b'"abc"'
    assert cut_string(b'"ab\\n\\u12') == b'"ab\\n"'
    assert cut_string(b'"') == b'""'


def test_a_number_may_have_any_length() -> None:
    text = b'{"a":-1%b.%b5e%b,"usage":1}' % (b"23" * 9000, b"0" * 9000, b"1" * 9000)
    stream = follow(text, *range(0, len(text), 1000))

    assert stream.end()
    assert stream.found == {"usage": b"1"}


def test_what_is_broken_stays_broken() -> None:
    stream = follow(b"{]")
    stream.feed(b"{}" * 1000)

    assert not stream.end()
    assert not stream._carry


def test_a_long_text_passes_in_constant_memory() -> None:
    stream = follow(b'{"choices":["')
    kept = 0
    for piece in (b"a" * 65536, b"\\u00e9" * 1000, b'",{"b":"', b"1" * 65536, b'"},'):
        for _ in range(3 if piece[:1] in b"a1\\" else 1):
            stream.feed(piece)
            kept = max(kept, len(stream._carry))
    stream.feed(json.dumps([0.5] * 10_000).encode() + b'],"usage":{}}')

    assert stream.end()
    assert stream.found == {"usage": b"{}"}
    assert kept < 300
