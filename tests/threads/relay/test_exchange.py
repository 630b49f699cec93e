"""Upstreams that lie, answer early, or have gone away meanwhile."""

import io
import socket
import threading
from collections.abc import Callable

import pytest

from swapper.core.errors import UpstreamError, UpstreamTimeoutError
from swapper.relay import Buffers, Timeouts, Upstream
from swapper.relay.connection import Connection
from swapper.relay.exchange import Exchange, NoAnswerError, outgoing
from swapper.sync import CancelToken
from tests.fakes.relaying import Background, get, idle_connections, post, request
from tests.fakes.scripted_upstream import (
    GOOD,
    Peer,
    ScriptedUpstream,
    well_behaved_from,
)


@pytest.mark.parametrize(
    "answer",
    [
        b"GARBAGE\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\ngood!",
        b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\ngood",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: 1\rX-B: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (1 << 20) + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"",
    ],
)
def test_a_head_that_is_not_http_is_an_upstream_error(answer: bytes) -> None:
    def lie(peer: Peer) -> None:
        peer.head()
        peer.send(answer)

    with ScriptedUpstream(well_behaved_from(2, lie)) as server:
        upstream = Upstream(server.url, "model liar")
        with pytest.raises(UpstreamError, match="model liar") as caught:
            get(upstream)
        assert caught.value.request_sent
        assert idle_connections(upstream) == 0
        assert b"".join(get(upstream)) == b"good"
        assert server.connections == 2
        upstream.close()


def test_interim_answers_are_skipped() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        for _ in range(200):
            peer.send(b"HTTP/1.1 102 Processing\r\nX-Step: 1\r\n\r\n")
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD)

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        assert b"".join(get(upstream)) == b"good"
        upstream.close()


def test_a_flood_of_interim_answers_ends_as_an_error() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        while True:
            peer.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        with pytest.raises(UpstreamError, match="larger"):
            get(upstream)


def test_a_silent_upstream_is_a_timeout_where_one_is_set() -> None:
    with ScriptedUpstream(lambda peer: peer.rest()) as server:
        upstream = Upstream(server.url, "model x", Timeouts(response_head_s=0.05))
        with pytest.raises(UpstreamTimeoutError, match="did not answer"):
            get(upstream)


def test_a_head_that_trickles_in_is_a_timeout_as_well() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        pause = threading.Event()
        while not pause.wait(0.01):
            peer.send(b"H")

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x", Timeouts(response_head_s=0.1))
        with pytest.raises(UpstreamTimeoutError):
            get(upstream)


def test_the_time_for_the_head_does_not_limit_the_body() -> None:
    may_go_on = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(GOOD[:-4])
        assert may_go_on.wait(10)
        peer.send(b"good")

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x", Timeouts(response_head_s=0.05))
        response = get(upstream)
        timer = threading.Timer(0.2, may_go_on.set)
        timer.start()
        assert b"".join(response) == b"good"
        timer.join()
        upstream.close()


# --- a kept connection that the upstream has closed ---------------------------------


class Kept:
    """An upstream that answers once and treats the second request as told."""

    def __init__(self, second: Callable[[Peer], object]) -> None:
        self.requests = 0
        self._second = second

    def __call__(self, peer: Peer) -> None:
        while peer.head():
            self.requests += 1
            if peer.number == 1 and self.requests == 2:
                self._second(peer)
                return
            peer.send(GOOD)


def test_a_connection_closed_while_idle_is_noticed_before_use() -> None:
    closed = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(GOOD)
        if peer.number == 1:
            peer.sock.close()
            closed.set()
        else:
            peer.rest()

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        assert b"".join(get(upstream)) == b"good"
        assert closed.wait(10)
        assert b"".join(post(upstream, b"body")) == b"good"
        assert server.connections == 2
        upstream.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_met_a_reset_is_repeated_once(method: str) -> None:
    script = Kept(Peer.reset)
    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        b"".join(get(upstream))
        again = upstream.forward(request(method=method), CancelToken())
        assert b"".join(again) == b"good"
        assert server.connections == 2
        assert script.requests == 3
        upstream.close()


def test_a_body_in_several_places_is_repeated_as_a_whole() -> None:
    long = b"x" * 300_000
    received: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.head()
        if peer.number == 1:
            peer.send(GOOD)
            peer.head()
            peer.reset()
        else:
            received.append(peer.take(len(long) + 2))
            peer.send(GOOD)

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        b"".join(get(upstream))
        body = Buffers([b"{", long, b"}"])
        answer = post(upstream, body, length=len(body))
        assert b"".join(answer) == b"good"
        assert received == [b"{" + long + b"}"]
        upstream.close()


def test_a_repeated_request_is_not_repeated_again() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        if peer.number == 1:
            peer.send(GOOD)
            peer.head()
        peer.reset()

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        b"".join(get(upstream))
        with pytest.raises(UpstreamError) as caught:
            get(upstream)
        assert caught.value.request_sent
        assert server.connections == 2


def test_a_request_the_upstream_has_read_is_repeated_if_idempotent() -> None:
    with ScriptedUpstream(Kept(Peer.end)) as server:
        upstream = Upstream(server.url, "model x")
        b"".join(get(upstream))
        assert b"".join(get(upstream)) == b"good"
        assert server.connections == 2
        upstream.close()


def test_a_generation_the_upstream_has_read_is_never_run_twice() -> None:
    with ScriptedUpstream(Kept(Peer.end)) as server:
        upstream = Upstream(server.url, "model x")
        b"".join(get(upstream))
        with pytest.raises(UpstreamError, match="without answering") as caught:
            post(upstream, b"{}")
        assert caught.value.request_sent
        assert server.connections == 1


@pytest.mark.parametrize(
    "partial", [b"H", b"HTTP/1.1 102 Processing\r\n\r\n", GOOD[:-6]]
)
def test_a_request_is_not_repeated_once_anything_came_back(partial: bytes) -> None:
    def second(peer: Peer) -> None:
        peer.send(partial)
        peer.end()
        peer.rest()

    with ScriptedUpstream(Kept(second)) as server:
        upstream = Upstream(server.url, "model x")
        b"".join(get(upstream))
        with pytest.raises(UpstreamError):
            get(upstream)
        assert server.connections == 1


@pytest.mark.parametrize("is_read", [False, True])
def test_what_a_closed_upstream_cannot_have_read_counts_as_not_sent(
    is_read: bool,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection(socket.create_connection(listener.getsockname()))
        server_end, _ = listener.accept()
    connection.is_reused = True
    token = CancelToken()
    sent = outgoing("POST", "/", (), b"body", 4, token, is_upgrade=False)
    exchange = Exchange(connection, sent)

    def read_and_close() -> None:
        server_end.recv(65536)
        server_end.close()

    if is_read:
        with Background(read_and_close), pytest.raises(NoAnswerError) as failed:
            exchange.run(None)
        assert exchange.repeat_after(failed.value) is None
    else:
        server_end.close()
        with pytest.raises(ConnectionError) as broken:
            exchange.run(None)
        repeat = exchange.repeat_after(broken.value)
        assert repeat is not None
        assert not repeat.was_sent
    connection.close()


def test_a_first_request_is_never_repeated() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.reset()

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        with pytest.raises(UpstreamError):
            get(upstream)
        assert server.connections == 1


def test_a_streamed_body_that_has_begun_is_not_repeated() -> None:
    def second(peer: Peer) -> None:
        peer.take(10)
        peer.reset()

    with ScriptedUpstream(Kept(second)) as server:
        upstream = Upstream(server.url, "model x")
        b"".join(get(upstream))
        with pytest.raises(UpstreamError):
            post(upstream, io.BytesIO(bytes(500_000)))
        assert server.connections == 1
