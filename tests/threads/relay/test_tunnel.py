"""Bytes both ways after a switch of protocols."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swapper.core.errors import UpstreamError
from swapper.relay import Tunnel, Upstream, UpstreamResponse
from swapper.relay.tunnel import _watch
from swapper.sync import CancelToken
from tests.fakes.model_server import FakeModel
from tests.fakes.relaying import Background, upgrade
from tests.fakes.scripted_upstream import Peer, ScriptedUpstream

CERTIFICATE = Path(__file__).parents[2] / "fakes" / "localhost.pem"
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
    b"Upgrade: WebSocket\r\nSec-WebSocket-Accept: k\r\nKeep-Alive: 5\r\n\r\n"
)


def echo(peer: Peer) -> None:
    peer.head()
    peer.send(SWITCH)
    while data := peer.take(1):
        peer.send(data + peer._buffer)
        peer._buffer = b""


class Client:
    """The client's end of a tunnel that runs in the background."""

    def __init__(self, sock: socket.socket, token: CancelToken) -> None:
        self.sock = sock
        self.token = token

    def head(self) -> bytes:
        received = b""
        while not received.endswith(b"\r\n\r\n"):
            received += self.take(1)
        return received

    def take(self, length: int) -> bytes:
        received = b""
        while len(received) < length:
            data = self.sock.recv(length - len(received))
            assert data, f"ended after {received!r}"
            received += data
        return received

    def rest(self) -> bytes:
        received = b""
        while data := self.sock.recv(65536):
            received += data
        return received


@contextlib.contextmanager
def tunnelled(
    script: Callable[[Peer], object],
    early: bytes = b"",
    tls: ssl.SSLContext | None = None,
) -> Iterator[tuple[Client, Background]]:
    """Yield a client connected to *script* through a tunnel."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    token = CancelToken()
    with ScriptedUpstream(script, tls=tls) as server, ours, theirs:
        upstream = Upstream(server.url, "model x")
        tunnel = upgrade(upstream, "/sock%2F1?x=1", token)
        assert isinstance(tunnel, Tunnel)

        def run() -> None:
            try:
                tunnel.run(ours, early, token)
            finally:
                ours.close()

        work = Background(run)
        with work:
            yield Client(theirs, token), work
            theirs.close()
        upstream.close()


def test_the_switch_is_passed_on_and_bytes_are_echoed() -> None:
    with tunnelled(echo) as (client, _):
        assert client.head() == (
            b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: k\r\n"
            b"Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n"
        )
        for _ in range(100):
            client.sock.sendall(b"ping")
            assert client.take(4) == b"ping"


def test_the_upstream_sees_the_upgrade_and_the_exact_target() -> None:
    heads = []

    def script(peer: Peer) -> None:
        heads.append(peer.head())
        peer.send(SWITCH)

    with tunnelled(script) as (client, _):
        client.head()
        assert client.rest() == b""
    assert heads[0].startswith(b"GET /sock%2F1?x=1 HTTP/1.1\r\n")
    assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in heads[0]


def test_bytes_that_came_early_on_either_side_are_not_lost() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(SWITCH + b"hello")
        peer.send(peer.take(5))
        peer.rest()

    with tunnelled(script, early=b"early") as (client, _):
        client.head()
        assert client.take(10) == b"helloearly"


def test_the_end_of_one_direction_leaves_the_other_open() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(SWITCH)
        received = peer.rest()  # to the client's half-close
        peer.send(b"got %d" % len(received))

    with tunnelled(script) as (client, work):
        client.head()
        client.sock.sendall(bytes(1000))
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest() == b"got 1000"
        work.join()


def test_the_upstreams_end_is_passed_on_while_the_client_still_sends() -> None:
    received = []

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(SWITCH + b"bye")
        peer.end()
        received.append(peer.rest())

    with tunnelled(script) as (client, work):
        client.head()
        assert client.rest() == b"bye"
        client.sock.sendall(b"still here")
        client.sock.shutdown(socket.SHUT_WR)
        work.join()
    assert received == [b"still here"]


def test_a_slow_reader_slows_the_writer_and_loses_nothing() -> None:
    size = 30_000_000
    sent_bytes = [0]
    may_read = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(SWITCH)
        for _ in range(size // 100_000):
            peer.send(bytes(100_000))
            sent_bytes[0] += 100_000
        peer.rest()

    with tunnelled(script) as (client, _):
        client.head()
        client.sock.sendall(b"x")  # the other direction moves all the same
        may_read.wait(0.3)
        assert sent_bytes[0] < size  # buffers are full, the upstream waits
        left = size
        while left:
            left -= len(client.take(min(left, 100_000)))
        assert sent_bytes[0] == size


def test_much_in_both_directions_at_once_arrives_whole() -> None:
    size = 10_000_000

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(SWITCH)
        with Background(lambda: peer.send(b"d" * size)):
            assert len(peer.take(size)) == size
        peer.rest()

    with tunnelled(script) as (client, _):
        client.head()
        with Background(lambda: client.sock.sendall(b"u" * size)):
            assert client.take(size) == b"d" * size


@pytest.mark.parametrize("side", ["client", "upstream"])
def test_a_side_that_breaks_ends_the_tunnel(side: str) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(SWITCH)
        if side == "upstream":
            peer.take(1)
            peer.reset()
        else:
            peer.rest()

    with tunnelled(script) as (client, work):
        client.head()
        client.sock.sendall(b"x")
        if side == "client":
            client.sock.close()
        work.join()


def test_a_cancel_ends_the_tunnel() -> None:
    with tunnelled(echo) as (client, work):
        client.head()
        client.token.cancel()
        work.join()
        assert work.error is None
        assert client.rest() == b""


def test_the_clients_socket_keeps_its_blocking_mode() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(SWITCH)

    ours, theirs = socket.socketpair()
    with ScriptedUpstream(script) as server, ours, theirs:
        ours.settimeout(7.0)
        theirs.shutdown(socket.SHUT_WR)
        tunnel = upgrade(Upstream(server.url, "model x"))
        assert isinstance(tunnel, Tunnel)
        tunnel.run(ours, b"", CancelToken())
        assert ours.gettimeout() == 7.0


def test_a_side_that_hung_up_does_not_wake_the_loop_while_nothing_is_wanted() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        theirs.close()
        poll = select.poll()
        _watch(poll, ours, reads=False, writes=False)
        assert poll.poll(0) == []
        _watch(poll, ours, reads=True, writes=False)
        assert poll.poll(0)


def test_a_tunnel_that_is_not_run_is_closed() -> None:
    hung_up = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(SWITCH)
        peer.rest()
        hung_up.set()

    with ScriptedUpstream(script) as server:
        tunnel = upgrade(Upstream(server.url, "model x"))
        assert isinstance(tunnel, Tunnel)
        tunnel.close()
        assert hung_up.wait(10)


def test_an_upgrade_over_tls_is_relayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    size = 1_000_000

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(SWITCH + b"hello")
        peer.send(peer.take(size))
        peer.rest()

    with tunnelled(script, tls=context) as (client, _):
        client.head()
        assert client.take(5) == b"hello"
        client.sock.sendall(b"x" * size)
        assert client.take(size) == b"x" * size


def test_a_refused_upgrade_is_an_ordinary_answer() -> None:
    with FakeModel() as model:
        upstream = Upstream(model.url, "model x")
        response = upgrade(upstream, "/ws?status=403")
        assert isinstance(response, UpstreamResponse)
        assert response.status == 403
        b"".join(response)
        upstream.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    ],
)
def test_a_switch_to_something_else_is_an_upstream_error(answer: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(answer)
        peer.rest()

    with ScriptedUpstream(script) as server, pytest.raises(UpstreamError, match="swit"):
        upgrade(Upstream(server.url, "model x"))
