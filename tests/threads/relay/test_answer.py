"""Bodies that lie or break off, and closing an answer before its end."""

import threading

import pytest

from swapper.core.errors import ClientGoneError, UpstreamError
from swapper.relay import Upstream
from tests.fakes.relaying import Background, get, idle_connections
from tests.fakes.scripted_upstream import (
    CHUNKED,
    GOOD,
    Peer,
    ScriptedUpstream,
    well_behaved_from,
)


class Half:
    """An upstream that sends half a body and waits for the hang-up."""

    def __init__(self, head: bytes = b"Content-Length: 10\r\n") -> None:
        self.hung_up = threading.Event()
        self._head = head

    def __call__(self, peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\n" + self._head + b"\r\nhello")
        peer.rest()
        self.hung_up.set()


def test_close_before_the_end_hangs_up() -> None:
    script = Half()
    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        response = get(upstream)
        response.close()
        response.close()
        assert script.hung_up.wait(10)
        assert idle_connections(upstream) == 0
        with pytest.raises(ClientGoneError):
            response.read1()


@pytest.mark.parametrize("head", [b"Content-Length: 10\r\n", b""])
def test_close_from_another_thread_wakes_a_reader_without_a_false_end(
    head: bytes,
) -> None:
    script = Half(head)
    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        response = get(upstream)
        received = b""
        while len(received) < 5:
            received += response.read1()
        with Background(response.read1) as work:
            response.close()
        assert isinstance(work.error, ClientGoneError)
        assert script.hung_up.wait(10)


def test_close_after_the_end_leaves_the_kept_connection_alone() -> None:
    def script(peer: Peer) -> None:
        while peer.head():
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        response = get(upstream)
        assert response.read1() == b"good"
        response.close()
        assert response.read1() == b""
        assert b"".join(get(upstream)) == b"good"
        assert server.connections == 1
        upstream.close()


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nx\r\n0\r\n\r\n",
        b"-1\r\nx\r\n0\r\n\r\n",
        b"4\r\ngoodBAD",
        b"4\ngood\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\nx",
        b"4\r\ngood\r\n0\r\nbad trailer\r\n\r\n",
        b"4\r\ngood\r\n",
        b"4\r\ngo",
        b"4\r\ngood\r\n0\r\n",
    ],
)
def test_a_chunked_body_that_is_broken_or_breaks_off_is_an_upstream_error(
    body: bytes,
) -> None:
    def lie(peer: Peer) -> None:
        peer.head()
        peer.send(CHUNKED + body)

    with ScriptedUpstream(well_behaved_from(2, lie)) as server:
        upstream = Upstream(server.url, "model liar")
        response = get(upstream)
        with pytest.raises(UpstreamError, match="model liar"):
            b"".join(response)
        with pytest.raises(UpstreamError):  # and never looks like a clean end
            response.read1()
        assert b"".join(get(upstream)) == b"good"
        upstream.close()


def test_a_body_shorter_than_announced_gives_its_bytes_and_then_an_error() -> None:
    def lie(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")

    with ScriptedUpstream(lie) as server:
        upstream = Upstream(server.url, "model liar")
        response = get(upstream)
        received = response.read1()
        while len(received) < 5:
            received += response.read1()
        assert received == b"hello"
        with pytest.raises(UpstreamError, match="after 5 bytes"):
            response.read1()


@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("extra", [b"x", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_bytes_after_a_body_never_become_part_of_the_next_answer(
    extra: bytes, delayed: bool
) -> None:
    may_send, has_sent = threading.Event(), threading.Event()

    def lie(peer: Peer) -> None:
        peer.head()
        if delayed:
            peer.send(GOOD)
            assert may_send.wait(10)
            peer.send(extra)
        else:
            peer.send(GOOD + extra)
        has_sent.set()
        peer.rest()

    with ScriptedUpstream(well_behaved_from(2, lie)) as server:
        upstream = Upstream(server.url, "model liar")
        assert b"".join(get(upstream)) == b"good"
        may_send.set()
        assert has_sent.wait(10)
        assert b"".join(get(upstream)) == b"good"
        assert server.connections == 2
        upstream.close()


def test_bytes_after_a_chunked_body_close_the_connection() -> None:
    def lie(peer: Peer) -> None:
        peer.head()
        peer.send(CHUNKED + b"4\r\ngood\r\n0\r\n\r\n" + GOOD)
        peer.rest()

    with ScriptedUpstream(well_behaved_from(2, lie)) as server:
        upstream = Upstream(server.url, "model liar")
        assert b"".join(get(upstream)) == b"good"
        assert idle_connections(upstream) == 0
        upstream.close()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\ngood",
        b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\ngood",
        b"HTTP/1.1 200 OK\r\n\r\ngood",
    ],
)
def test_a_connection_the_upstream_will_not_keep_is_not_kept(head: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(head)

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        assert b"".join(get(upstream)) == b"good"
        assert idle_connections(upstream) == 0


def test_what_came_with_the_head_can_be_had_without_waiting() -> None:
    gate = threading.Event()

    def serve(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        gate.wait(10)
        peer.send(b"more")

    with ScriptedUpstream(serve) as server:
        upstream = Upstream(server.url, "model x")
        response = get(upstream)
        assert response.read_ready() == b"half"
        assert response.read_ready() == b""
        assert not response.is_complete
        gate.set()

        assert response.read1() == b"more"
        assert response.read_ready() == b""
        assert response.read1() == b""
        upstream.close()
