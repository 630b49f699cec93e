"""Clients that hang up, and requests that take their connection over."""

import http.client
import logging
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from swapper.server import ClientConnection
from swapper.sync import CancelToken
from tests.fakes.http_client import read_answer, read_chunk, read_head
from tests.fakes.raw_client import connect, read_all, receive
from tests.fakes.wsgi_apps import hello
from tests.threads.server.conftest import DEADLINE_S, Serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Waiting:
    """An application that waits for its client to leave."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.left = threading.Event()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        environ["swapper.client"].token.bind(self.left.set)
        self.entered.set()
        assert self.left.wait(DEADLINE_S)
        return hello(environ, start_response)


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
@pytest.mark.parametrize("behind", [b"", GET, b"x" * 100_000])
def test_a_waiting_application_learns_that_its_client_left(
    serve: Serve, how: str, behind: bytes
) -> None:
    app = Waiting()
    with connect(serve(app).port) as sock:
        sock.sendall(GET + behind)
        assert app.entered.wait(DEADLINE_S)
        if how == "half-close":
            sock.shutdown(socket.SHUT_WR)
            assert app.left.wait(DEADLINE_S)
        elif how == "reset":
            linger = b"\1\0\0\0\0\0\0\0"
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    assert app.left.wait(DEADLINE_S)


def test_a_streaming_application_learns_that_its_client_left(serve: Serve) -> None:
    left = threading.Event()

    def app(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterator[bytes]:
        environ["swapper.client"].token.bind(left.set)
        start_response("200 OK", [])
        yield b"one"
        assert left.wait(DEADLINE_S)

    with connect(serve(app).port) as sock:
        sock.sendall(GET)
        read_head(sock)
        assert read_chunk(sock) == b"one"

    assert left.wait(DEADLINE_S)


def test_a_client_that_had_left_before_its_request_was_read_has_left(
    serve: Serve,
) -> None:
    app = Waiting()
    with connect(serve(app).port) as sock:
        sock.sendall(GET)
        sock.shutdown(socket.SHUT_WR)

        assert app.left.wait(DEADLINE_S)
        assert read_answer(sock).status == 200


def test_each_request_has_a_token_of_its_own(serve: Serve) -> None:
    tokens: list[CancelToken] = []

    def app(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        tokens.append(environ["swapper.client"].token)
        return hello(environ, start_response)

    server = serve(app)
    with connect(server.port) as sock:
        for _ in range(2):
            sock.sendall(GET)
            read_answer(sock)
        # asked while connected: a client that leaves right after an answer may be
        # noticed before the request has quite ended
        assert not any(token.cancelled for token in tokens)
    server.close()

    assert len(set(tokens)) == 2


def test_requests_behind_a_hang_up_know_it_at_once(serve: Serve) -> None:
    app = Waiting()
    with connect(serve(app).port) as sock:
        sock.sendall(GET + GET + GET)
        sock.shutdown(socket.SHUT_WR)

        assert [read_answer(sock).status for _ in range(3)] == [200] * 3


def test_sockets_are_tuned_for_small_pieces_and_dead_peers(serve: Serve) -> None:
    options: list[int] = []

    def app(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        sock: socket.socket = environ["werkzeug.socket"]
        options.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        options.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        options.append(int(sock.getblocking()))
        return hello(environ, start_response)

    with connect(serve(app).port) as sock:
        sock.sendall(GET)
        read_answer(sock)

    assert options == [1, 1, 1]


# --- takeover -----------------------------------------------------------------------------

UPGRADE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"


class Echo:
    """Takes the connection over and echoes until the client has said all."""

    def __init__(self, end: Exception | None = None) -> None:
        self._end = end
        self.client: ClientConnection | None = None
        self.timeouts: list[Any] = []

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        client = self.client = environ["swapper.client"]
        sock, data = client.takeover()
        assert sock is environ["werkzeug.socket"]
        timeout = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
        self.timeouts += [sock.gettimeout(), timeout.strip(b"\0")]
        sock.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        while True:
            sock.sendall(data)
            data = sock.recv(100)
            if not data:
                break
        if self._end is not None:
            raise self._end
        start_response("101 Switching Protocols", [])
        return [b"nobody reads this"]


@pytest.mark.parametrize("end", [None, ConnectionAbortedError(), RuntimeError()])
def test_a_tunnel_gets_early_bytes_and_the_server_writes_nothing(
    serve: Serve, end: Exception | None
) -> None:
    app = Echo(end)
    with connect(serve(app).port) as sock:
        sock.sendall(UPGRADE + b"early")
        assert read_head(sock).status == 101
        assert receive(sock, 5) == b"early"
        sock.sendall(b"late")
        assert receive(sock, 4) == b"late"
        sock.shutdown(socket.SHUT_WR)

        assert read_all(sock) == b""
    assert app.timeouts == [None, b""]


def test_a_half_close_is_the_tunnels_to_read(serve: Serve) -> None:
    app = Echo()
    with connect(serve(app).port) as sock:
        sock.sendall(UPGRADE)
        read_head(sock)
        sock.sendall(b"last words")
        sock.shutdown(socket.SHUT_WR)

        assert read_all(sock) == b"last words"
    assert app.client is not None
    assert not app.client.token.cancelled


def test_a_tunnel_is_not_waited_for_but_ended_by_close(serve: Serve) -> None:
    app = Echo()
    server = serve(app)
    with connect(server.port) as sock:
        sock.sendall(UPGRADE)
        read_head(sock)
        server.stop_accepting()
        assert server.wait_idle(DEADLINE_S)
        sock.sendall(b"still there")
        assert receive(sock, 11) == b"still there"
        server.close()

        assert read_all(sock) == b""
    assert app.client is not None
    assert app.client.token.cancelled


def test_an_ordinary_answer_is_fine_after_a_hang_up(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Broken connections are everyday life: nothing above debug."""
    app = Waiting()
    server = serve(app)
    with connect(server.port) as sock:
        sock.sendall(GET)
        assert app.entered.wait(DEADLINE_S)
    assert app.left.wait(DEADLINE_S)
    server.close()

    assert [r for r in caplog.records if r.levelno > logging.DEBUG] == []


def test_clients_of_the_standard_library_are_served(serve: Serve) -> None:
    client = http.client.HTTPConnection("127.0.0.1", serve(hello).port, DEADLINE_S)
    client.request("POST", "/", body=iter([b"ab", b"cd"]), encode_chunked=True)
    assert client.getresponse().read() == b"POST / abcd"
    client.close()
