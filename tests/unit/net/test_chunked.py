import contextlib
import http.client
import io
import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapper.net.chunked import ChunkedDecoder, ChunkTracker
from swapper.net.http1 import ProtocolError


def decode(pieces: Sequence[bytes]) -> tuple[bytes, bool, bytes]:
    decoder = ChunkedDecoder()
    data = b"".join(decoder.feed(piece) for piece in pieces)
    return data, decoder.done, decoder.leftover() if decoder.done else b""


def test_data_is_handed_out_before_its_chunk_is_complete() -> None:
    decoder = ChunkedDecoder()

    assert decoder.feed(b"a\r\n01") == b"01"
    assert decoder.feed(b"234567") == b"234567"
    assert decoder.feed(b"89\r\n0\r\n\r\n") == b"89"
    assert decoder.done


def test_extensions_and_trailers_are_dropped() -> None:
    raw = b'3;a=b;c="d e"\r\nabc\r\n0 ;x\r\nTrailer: t\r\nOther: u\r\n\r\nnext'

    assert decode([raw]) == (b"abc", True, b"next")


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n",
        b"g\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b"1_0\r\n",
        b" 1\r\n",
        b"1 \r\n",
        b"1\n",
        b"1 a\r\n",
        b"1;a\x00\r\n",
        b"1;a\rb\r\n",
        b"11111111111111111\r\n",
        b"1\r\nab",
        b"1\r\na\n",
        b"1\r\na\rb",
        b"0\r\nno colon\r\n\r\n",
        b"0\r\na : b\r\n\r\n",
        b"0\r\n folded\r\n\r\n",
        b"0\r\na: b\n\r\n",
        b"1;" + b"x" * 5000,
        b"0\r\n" + b"a: " + b"x" * 70000,
        b"0\r\n" + b"a: b\r\n" * 20000,
    ],
)
def test_malformed_framing_is_refused_as_a_whole_and_byte_by_byte(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode([raw])
    with pytest.raises(ProtocolError):
        decode([raw[i : i + 1] for i in range(len(raw))])


chunks = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
extension = st.sampled_from([b"", b";a", b" ;a=b", b'; a="b c"'])
trailers = st.lists(st.sampled_from([b"A: b\r\n", b"C:\r\n"]), max_size=3)
cuts = st.lists(st.integers(0, 600), max_size=20)


def encode(data: list[bytes], ext: bytes, trailer: list[bytes]) -> bytes:
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(c), ext, c) for c in data)
    return body + b"0" + ext + b"\r\n" + b"".join(trailer) + b"\r\n"


def split(raw: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(raw)) for place in places} | {0, len(raw)})
    return [raw[a:b] for a, b in itertools.pairwise(ends)]


@given(chunks, extension, trailers, cuts, st.binary(max_size=10))
def test_any_split_gives_the_same_body(
    data: list[bytes],
    ext: bytes,
    trailer: list[bytes],
    places: list[int],
    behind: bytes,
) -> None:
    raw = encode(data, ext, trailer) + behind

    body, done, leftover = decode(split(raw, places))

    assert body == b"".join(data)
    assert done
    assert leftover == behind


@given(chunks, cuts, st.integers(0, 300), st.binary(max_size=4))
def test_any_split_of_a_damaged_body_is_judged_alike(
    data: list[bytes], places: list[int], at: int, damage: bytes
) -> None:
    raw = bytearray(encode(data, b"", []))
    at = min(at, len(raw))
    raw[at : at + len(damage)] = damage

    def outcome(pieces: Sequence[bytes]) -> object:
        try:
            return decode(pieces)
        except ProtocolError:
            return "refused"

    assert outcome(split(bytes(raw), places)) == outcome([bytes(raw)])


@given(st.binary(max_size=100))
def test_anything_is_decoded_or_refused(raw: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        decode([raw])


class _Socket:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


@given(chunks, extension, trailers)
def test_the_standard_library_reads_the_same_body(
    data: list[bytes], ext: bytes, trailer: list[bytes]
) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    theirs = http.client.HTTPResponse(_Socket(head + encode(data, ext, trailer)))  # type: ignore[arg-type]  # all it uses
    theirs.begin()

    assert decode([encode(data, ext, trailer)])[0] == theirs.read()


def track(pieces: Sequence[bytes]) -> tuple[bytes, bytes, bool, bytes]:
    """Return what is passed on, the data, whether it ended and what is behind."""
    payload: list[bytes] = []
    tracker = ChunkTracker(payload)
    passed = b"".join(tracker.feed(piece) for piece in pieces)
    data = b"".join(payload)
    assert tracker.payload_bytes == len(data)
    return passed, data, tracker.done, tracker.leftover() if tracker.done else b""


def test_what_is_passed_on_is_what_came() -> None:
    raw = b"a\r\n0123456789\r\n0A\r\n0123456789\r\n0\r\n\r\n"

    assert track([raw]) == (raw, b"0123456789" * 2, True, b"")


def test_a_line_is_passed_on_when_it_is_complete_and_data_at_once() -> None:
    tracker = ChunkTracker()

    assert tracker.feed(b"a") == b""
    assert tracker.feed(b"\r\n01") == b"a\r\n01"
    assert tracker.feed(b"23456789\r") == b"23456789"
    assert tracker.feed(b"\n") == b"\r\n"
    assert tracker.feed(b"0\r\n\r") == b""
    assert not tracker.done
    assert tracker.feed(b"\n") == b"0\r\n\r\n"
    assert tracker.done


def test_extensions_and_trailers_are_not_passed_on() -> None:
    raw = b'3;a=b;c="d e"\r\nabc\r\n0 ;x\r\nTrailer: t\r\nOther: u\r\n\r\nnext'

    assert track([raw]) == (b"3\r\nabc\r\n0\r\n\r\n", b"abc", True, b"next")


def test_nothing_after_malformed_framing_looks_like_an_end() -> None:
    tracker = ChunkTracker()

    assert tracker.feed(b"1\r\na\r\n") == b"1\r\na\r\n"
    with pytest.raises(ProtocolError):
        tracker.feed(b"1\r\nab\r\n0\r\n\r\n")
    assert not tracker.done


@given(chunks, extension, trailers, cuts, st.integers(0, 300), st.binary(max_size=4))
def test_what_is_passed_on_is_judged_as_the_decoder_does(
    data: list[bytes],
    ext: bytes,
    trailer: list[bytes],
    places: list[int],
    at: int,
    damage: bytes,
) -> None:
    raw = bytearray(encode(data, ext, trailer))
    raw[min(at, len(raw)) : at + len(damage)] = damage
    pieces = split(bytes(raw), places)
    try:
        expected = decode([bytes(raw)])
    except ProtocolError:
        with pytest.raises(ProtocolError):
            track(pieces)
        return

    passed, seen, done, leftover = track(pieces)

    assert (seen, done, leftover) == expected
    assert decode([passed]) == (seen, done, b"")
