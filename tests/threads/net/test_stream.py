import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from swapper.net.http1 import Framing, ProtocolError
from swapper.net.stream import (
    SocketReader,
    TruncatedError,
    open_body,
    set_receive_timeout,
)

DEADLINE_S = 10.0
HEAD = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

Pair = tuple[SocketReader, socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield SocketReader(ours), ours, theirs


def in_pieces(theirs: socket.socket, *pieces: bytes) -> threading.Thread:
    """Send pieces from another thread, then close."""

    def send() -> None:
        for piece in pieces:
            theirs.sendall(piece)
        theirs.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_heads_come_one_by_one_and_what_follows_stays(pair: Pair) -> None:
    reader, _, theirs = pair
    theirs.sendall(b"\r\n\r\n" + HEAD + HEAD + b"rest")

    assert reader.read_head(1000, None) == HEAD
    more = [reader.has_head]
    assert reader.read_head(1000, None) == HEAD
    more.append(reader.has_head)
    assert more == [True, False]
    assert reader.buffered == b"rest"
    assert reader.take_buffered() == b"rest"
    assert reader.buffered == b""


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_heads_may_be_split_anywhere(pair: Pair, size: int) -> None:
    reader, _, theirs = pair
    raw = b"\r\n" + HEAD + b"x"
    thread = in_pieces(
        theirs, *(raw[at : at + size] for at in range(0, len(raw), size))
    )

    assert reader.read_head(1000, time.monotonic() + DEADLINE_S) == HEAD
    assert reader.read1(10) == b"x"
    thread.join()


def test_a_peer_that_says_nothing_more_gives_an_empty_head(pair: Pair) -> None:
    reader, _, theirs = pair
    theirs.sendall(b"\r\n")
    theirs.shutdown(socket.SHUT_WR)

    assert reader.read_head(1000, None) == b""
    assert not reader.wait_for_head(None)


def test_a_head_that_breaks_off_is_an_error(pair: Pair) -> None:
    reader, _, theirs = pair
    theirs.sendall(HEAD[:-1])
    theirs.shutdown(socket.SHUT_WR)

    with pytest.raises(TruncatedError):
        reader.read_head(1000, None)


@pytest.mark.parametrize("raw", [HEAD, HEAD[:-2], HEAD + HEAD])
def test_a_head_over_the_limit_is_refused(pair: Pair, raw: bytes) -> None:
    reader, _, theirs = pair
    theirs.sendall(raw)

    with pytest.raises(ProtocolError) as raised:
        reader.read_head(len(HEAD) - 3, None)
    assert raised.value.status == 431


def test_a_head_of_exactly_the_limit_is_taken(pair: Pair) -> None:
    reader, _, theirs = pair
    theirs.sendall(HEAD + b"x" * 100)

    assert reader.read_head(len(HEAD), None) == HEAD


def test_a_head_may_be_waited_for_again_after_its_deadline(pair: Pair) -> None:
    reader, ours, theirs = pair
    set_receive_timeout(ours, 0.01)
    theirs.sendall(HEAD[:7])
    with pytest.raises(TimeoutError):
        reader.read_head(1000, time.monotonic() + 0.05)
    assert reader.buffered == HEAD[:7]
    theirs.sendall(HEAD[7:])

    assert reader.read_head(1000, time.monotonic() + DEADLINE_S) == HEAD


def test_waiting_for_a_head_skips_empty_lines_and_has_a_deadline(pair: Pair) -> None:
    reader, ours, theirs = pair
    set_receive_timeout(ours, 0.01)
    theirs.sendall(b"\r\n\r\n")
    with pytest.raises(TimeoutError):
        reader.wait_for_head(time.monotonic() + 0.05)
    theirs.sendall(b"G")

    assert reader.wait_for_head(time.monotonic() + DEADLINE_S)
    assert reader.buffered == b"G"


def test_bodies_wait_beyond_the_receive_timeout(pair: Pair) -> None:
    reader, ours, theirs = pair
    set_receive_timeout(ours, 0.001)
    late = threading.Timer(0.05, theirs.sendall, (b"x",))
    late.start()

    assert reader.read1(10) == b"x"
    late.join()


def test_a_body_deadline_is_kept(pair: Pair) -> None:
    reader, ours, _ = pair
    set_receive_timeout(ours, 0.01)
    reader.body_deadline = time.monotonic() + 0.05

    with pytest.raises(TimeoutError):
        reader.read1(10)


def test_the_smallest_timeout_is_not_for_ever(pair: Pair) -> None:
    _, ours, _ = pair
    set_receive_timeout(ours, 1e-9)

    with pytest.raises(BlockingIOError):
        ours.recv(1)


def test_bytes_pushed_back_are_read_first(pair: Pair) -> None:
    reader, _, theirs = pair
    theirs.sendall(b"second")
    reader.push_back(b"first")

    assert reader.read1(3) == b"fir"
    assert reader.read1(100) == b"st"
    assert reader.read1(100) == b"second"


@pytest.mark.parametrize(
    ("framing", "length", "raw", "rest"),
    [
        (Framing.NONE, 0, b"next", b"next"),
        (Framing.LENGTH, 5, b"abcdenext", b"next"),
        (Framing.CHUNKED, 0, b"2\r\nab\r\n3\r\ncde\r\n0\r\nA: b\r\n\r\nnext", b"next"),
        (Framing.CLOSE, 0, b"abcde", b""),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_bodies_end_where_their_framing_says(
    pair: Pair, framing: Framing, length: int, raw: bytes, rest: bytes, size: int
) -> None:
    reader, _, theirs = pair
    thread = in_pieces(
        theirs, *(raw[at : at + size] for at in range(0, len(raw), size))
    )
    body = open_body(reader, framing, length)
    data = b"".join(iter(lambda: body.read1(3), b""))
    left = b"".join(iter(lambda: reader.read1(100), b""))
    thread.join()

    assert data == (b"" if framing is Framing.NONE else b"abcde")
    assert body.complete
    assert left == rest
    assert body.read1(10) == b""


@pytest.mark.parametrize(
    ("framing", "raw"),
    [
        (Framing.LENGTH, b"ab"),
        (Framing.CHUNKED, b"5\r\nab"),
        (Framing.CHUNKED, b"2\r\nab\r\n"),
        (Framing.CHUNKED, b"2\r\nab\r\n0\r\n"),
    ],
)
def test_bodies_that_break_off_are_errors(
    pair: Pair, framing: Framing, raw: bytes
) -> None:
    reader, _, theirs = pair
    theirs.sendall(raw)
    theirs.shutdown(socket.SHUT_WR)
    body = open_body(reader, framing, 5)

    def read_all() -> None:
        while body.read1(100):
            pass

    _raises_truncated(read_all)
    assert not body.complete


def _raises_truncated(call: Callable[[], None]) -> None:
    with pytest.raises(TruncatedError):
        call()
