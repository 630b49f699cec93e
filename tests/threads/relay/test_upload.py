"""Request bodies on their way: framing, early answers, clients that break off."""

import io
import queue
import threading

import pytest

from swapper.core.errors import BadRequestError, ClientGoneError, UpstreamError
from swapper.net.http1 import ProtocolError
from swapper.net.stream import TruncatedError
from swapper.relay import Upstream
from swapper.relay.upload import BodySource, pieces, read_all
from tests.fakes.relaying import Background, idle_connections, post
from tests.fakes.scripted_upstream import CHUNKED, GOOD, Peer, ScriptedUpstream


def wire(body: io.BytesIO | bytes, length: int | None) -> bytes:
    return b"".join(pieces(b"HEAD", body, length))


def test_a_body_of_known_length_goes_as_it_is() -> None:
    assert wire(io.BytesIO(b"abc"), 3) == b"HEADabc"
    assert wire(b"abc", 3) == b"HEADabc"


def test_a_body_is_read_no_further_than_its_length() -> None:
    source = io.BytesIO(b"abcNEXT")
    assert wire(source, 3) == b"HEADabc"
    assert source.read() == b"NEXT"


def test_a_body_of_unknown_length_is_chunked() -> None:
    assert wire(io.BytesIO(b"a" * 26), None) == b"HEAD1a\r\n%b\r\n0\r\n\r\n" % (
        b"a" * 26
    )
    assert wire(io.BytesIO(b""), None) == b"HEAD0\r\n\r\n"


def test_a_body_that_ends_early_is_a_client_gone() -> None:
    with pytest.raises(ClientGoneError, match="2 bytes early"):
        read_all(io.BytesIO(b"abc"), 5)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError("x"), ClientGoneError),
        (TruncatedError("x"), ClientGoneError),
        (ProtocolError("x"), BadRequestError),
        (BadRequestError("x"), BadRequestError),
        (ValueError("x"), ValueError),
    ],
)
def test_what_goes_wrong_with_a_body_is_never_the_upstreams_fault(
    error: Exception, expected: type[Exception]
) -> None:
    class Broken:
        def read1(self, _limit_bytes: int, /) -> bytes:
            raise error

    with pytest.raises(expected):
        read_all(Broken(), 5)


class Endless:
    """A body that never ends and counts what was taken of it."""

    def __init__(self) -> None:
        self.taken_bytes = 0

    def read1(self, limit_bytes: int, /) -> bytes:
        self.taken_bytes += limit_bytes
        return bytes(limit_bytes)


REFUSAL = b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!"


@pytest.mark.parametrize("length", [None, 1 << 40])
@pytest.mark.parametrize("after", ["waits", "closes", "resets"])
def test_an_early_refusal_is_delivered_and_ends_the_upload(
    after: str, length: int | None
) -> None:
    is_read = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(REFUSAL)
        if after == "waits":  # without reading what keeps coming
            assert is_read.wait(10)
        elif after == "resets":
            peer.end()

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        response = post(upstream, Endless(), length=length)
        assert response.status == 413
        assert b"".join(response) == b"no!"
        assert idle_connections(upstream) == 0
        is_read.set()


def test_an_answer_cut_by_a_reset_is_not_whole_though_sending_met_the_reset() -> None:
    """Whoever meets a reset first is told; for all others the stream just ends."""
    may_reset, is_reset = threading.Event(), threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        assert may_reset.wait(10)
        peer.reset()
        is_reset.set()

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        response = post(upstream, Endless())
        assert response.read1() == b"half"
        may_reset.set()
        assert is_reset.wait(10)
        with pytest.raises(UpstreamError, match="broke off its answer after 4 bytes"):
            response.read1()


def test_nothing_more_is_taken_from_the_client_after_a_refusal() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(REFUSAL[:-1])
        with Background(peer.rest):  # it would take more
            threading.Event().wait(0.3)
            peer.send(REFUSAL[-1:])

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        body = Endless()
        response = post(upstream, body)
        taken_bytes = body.taken_bytes
        assert b"".join(response) == b"no!"
        assert body.taken_bytes == taken_bytes


def test_large_bytes_can_be_refused_early_too() -> None:
    is_read = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(REFUSAL)
        assert is_read.wait(10)

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        response = post(upstream, bytes(30_000_000))
        assert response.status == 413
        assert b"".join(response) == b"no!"
        is_read.set()


def test_an_answer_begun_early_gets_the_rest_of_the_request() -> None:
    size = 5_000_000

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(CHUNKED)
        left = size
        while left:
            taken = len(peer.take(min(left, 100_000)))
            peer.send(b"%x\r\n%b\r\n" % (5, b"%05d" % (taken // 1000)))
            left -= taken
        peer.send(b"0\r\n\r\n")
        peer.rest()

    for body in (io.BytesIO(bytes(size)), bytes(size)):
        with ScriptedUpstream(script) as server:
            upstream = Upstream(server.url, "model x")
            response = post(upstream, body, length=size)
            assert b"".join(response) == b"00100" * 50
            assert idle_connections(upstream) == 1
            upstream.close()


def test_an_interim_answer_does_not_stop_the_upload() -> None:
    size = 3_000_000

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.take(size)
        peer.send(GOOD)
        peer.rest()

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        response = post(upstream, io.BytesIO(bytes(size)), length=size)
        assert b"".join(response) == b"good"
        assert idle_connections(upstream) == 1
        upstream.close()


class Failing:
    """A body that gives some bytes and then fails, or ends too early."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error
        self._left = 3

    def read1(self, limit_bytes: int, /) -> bytes:
        if self._left:
            self._left -= 1
            return bytes(min(limit_bytes, 100_000))
        if self._error is not None:
            raise self._error
        return b""


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (Failing(None), ClientGoneError),
        (Failing(ConnectionResetError()), ClientGoneError),
        (Failing(RuntimeError("defect")), RuntimeError),
    ],
)
def test_a_client_that_breaks_off_its_upload_ends_the_exchange(
    body: BodySource, error: type[Exception]
) -> None:
    received: queue.SimpleQueue[int] = queue.SimpleQueue()

    def script(peer: Peer) -> None:
        peer.head()
        received.put(len(peer.rest()))

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        with pytest.raises(error):
            post(upstream, body, length=10_000_000)
        assert received.get(timeout=10) < 10_000_000


def test_a_malformed_client_body_is_the_clients_fault() -> None:
    with ScriptedUpstream(lambda peer: peer.rest()) as server:
        upstream = Upstream(server.url, "model x")
        with pytest.raises(Exception, match="malformed request body") as caught:
            post(upstream, Failing(ProtocolError("bad chunk")))
        assert getattr(caught.value, "status", 0) == 400
