"""Binding, stopping, and many connections at once."""

import contextlib
import errno
import http.client
import socket
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from swapper.server import ServerLimits, SwapperServer
from tests.fakes.http_client import read_answer, read_chunk, read_head
from tests.fakes.raw_client import connect, read_all
from tests.fakes.waiting import wait_until
from tests.fakes.wsgi_apps import answering, hello
from tests.threads.server.conftest import DEADLINE_S, Serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Held:
    """An application whose requests wait for ``release``."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.release = threading.Event()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        environ["swapper.client"].token.bind(self.release.set)
        self.entered.release()
        assert self.release.wait(DEADLINE_S)
        return hello(environ, start_response)


def is_refused(port: int) -> bool:
    try:
        with connect(port):
            return False
    except ConnectionRefusedError:
        return True


def has_read(server: SwapperServer, data: bytes) -> bool:
    """Return whether a connection has *data* and waits for the rest."""
    open_ = server.connections._open()
    return any(connection.reader.buffered == data for connection in open_)


# --- binding --------------------------------------------------------------------------


def test_a_port_in_use_is_an_error_that_names_the_address(serve: Serve) -> None:
    server = serve(hello)

    with pytest.raises(OSError, match=f"127.0.0.1:{server.port}.*in use"):
        SwapperServer.bind(f"127.0.0.1:{server.port}")


@pytest.mark.parametrize("address", ["192.0.2.1:0", "no.such.host.invalid:0", "a..b:0"])
def test_an_address_that_is_not_ours_is_an_error(address: str) -> None:
    with pytest.raises(OSError, match="cannot listen on"):
        SwapperServer.bind(address)


def test_no_colon_is_an_error() -> None:
    with pytest.raises(ValueError, match="no port"):
        SwapperServer.bind("8080")


def test_a_server_that_never_served_can_be_closed() -> None:
    server = SwapperServer.bind("127.0.0.1:0")
    server.close()
    server.close()

    assert is_refused(server.port)


def test_nobody_is_served_before_there_is_an_application() -> None:
    server = SwapperServer.bind("127.0.0.1:0")
    with connect(server.port) as sock:
        sock.sendall(GET)
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        server.close()


def test_every_interface_means_both_families(serve: Serve) -> None:
    def app(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        return answering([environ["REMOTE_ADDR"].encode()])(environ, start_response)

    server = serve(app, address=":0")
    hosts = ["127.0.0.1"]
    if socket.has_dualstack_ipv6():
        hosts.append("::1")
    for host in hosts:
        with socket.create_connection((host, server.port), DEADLINE_S) as sock:
            sock.sendall(GET)
            assert read_answer(sock).body == host.encode()
    assert not server.is_loopback
    assert server.url == f"http://localhost:{server.port}"


def test_loopback_addresses_are_told_from_public_ones(serve: Serve) -> None:
    server = serve(hello, address="localhost:0")

    assert server.is_loopback
    assert server.url == f"http://localhost:{server.port}"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_ipv6_literals_are_served(serve: Serve) -> None:
    server = serve(hello, address="[::1]:0")
    with socket.create_connection(("::1", server.port), DEADLINE_S) as sock:
        sock.sendall(GET)
        assert read_answer(sock).status == 200

    assert server.url == f"http://[::1]:{server.port}"
    assert server.is_loopback


# --- stopping --------------------------------------------------------------------------


def test_idle_connections_are_closed_and_new_ones_refused(serve: Serve) -> None:
    server = serve(hello)
    with connect(server.port) as used, connect(server.port) as fresh:
        used.sendall(GET)
        read_answer(used)
        fresh.sendall(GET[:5])
        # closing with unread bytes would be a reset, as is right for a request unseen
        wait_until(lambda: has_read(server, GET[:5]))
        server.stop_accepting()

        assert read_all(used) == b""
        assert read_all(fresh) == b""
    assert is_refused(server.port)


def test_serving_ends_with_accepting(serve: Serve) -> None:
    server = SwapperServer.bind("127.0.0.1:0")
    ended = threading.Event()

    def run() -> None:
        server.serve_forever(hello)
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    with connect(server.port) as sock:
        sock.sendall(GET)
        read_answer(sock)
    server.stop_accepting()

    assert ended.wait(DEADLINE_S)
    thread.join()
    server.close()


def test_a_request_in_progress_finishes_and_its_connection_ends(serve: Serve) -> None:
    app = Held()
    server = serve(app)
    with connect(server.port) as sock:
        sock.sendall(GET + GET)
        assert app.entered.acquire(timeout=DEADLINE_S)
        server.stop_accepting()
        assert not server.wait_idle(0.02)
        app.release.set()

        assert read_answer(sock)["connection"] == "close"
        assert read_all(sock) == b""
    assert server.wait_idle(DEADLINE_S)
    assert not app.entered.acquire(blocking=False)


def test_a_stream_in_progress_finishes_and_its_connection_ends(serve: Serve) -> None:
    release = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"one"
        assert release.wait(DEADLINE_S)
        yield b"two"

    server = serve(answering(pieces()))
    with connect(server.port) as sock:
        sock.sendall(GET)
        assert read_head(sock).all("connection") == []
        assert read_chunk(sock) == b"one"
        server.stop_accepting()
        release.set()

        assert read_chunk(sock) == b"two"
        assert read_chunk(sock) == b""
        assert read_all(sock) == b""


def test_waiting_for_idle_counts_requests_not_connections(serve: Serve) -> None:
    server = serve(hello)
    with connect(server.port) as sock:
        sock.sendall(GET)
        read_answer(sock)

        assert server.wait_idle(DEADLINE_S)


def test_close_cancels_and_cuts_requests_in_progress(serve: Serve) -> None:
    entered, cancelled, release = (threading.Event() for _ in range(3))

    def app(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        environ["swapper.client"].token.bind(cancelled.set)
        entered.set()
        assert release.wait(DEADLINE_S)
        return hello(environ, start_response)

    server = serve(app)
    with connect(server.port) as sock, ThreadPoolExecutor(1) as pool:
        sock.sendall(GET)
        assert entered.wait(DEADLINE_S)
        closing = pool.submit(server.close)

        assert read_all(sock) == b""
        assert cancelled.is_set()
        release.set()
        closing.result()


def test_close_cuts_clients_that_do_not_read(serve: Serve) -> None:
    started = threading.Event()

    def pieces() -> Iterator[bytes]:
        while True:
            started.set()
            yield b"x" * (1 << 20)

    server = serve(answering(pieces()))
    with connect(server.port) as sock:
        sock.sendall(GET)
        assert started.wait(DEADLINE_S)
        server.close()


def test_close_does_not_wait_for_bodies_that_do_not_come(serve: Serve) -> None:
    entered = threading.Event()

    def app(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        entered.set()
        return hello(environ, start_response)

    server = serve(app)
    with connect(server.port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        assert entered.wait(DEADLINE_S)
        server.close()


# --- many connections ----------------------------------------------------------------------


def test_many_connections_wait_at_the_same_time(serve: Serve) -> None:
    app = Held()
    server = serve(app)
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connect(server.port)) for _ in range(150)]
        for sock in socks:
            sock.sendall(GET)
        for _ in socks:
            assert app.entered.acquire(timeout=DEADLINE_S)
        app.release.set()

        assert [read_answer(sock).status for sock in socks] == [200] * len(socks)


def test_busy_clients_with_and_without_keep_alive_are_all_served(serve: Serve) -> None:
    server = serve(hello)

    def talk(number: int) -> int:
        served = 0
        for _ in range(5):
            client = http.client.HTTPConnection("127.0.0.1", server.port, DEADLINE_S)
            for path in range(number % 4 + 1):
                client.request("POST", f"/{path}", body=b"x" * number)
                answer = client.getresponse().read()
                assert answer == f"POST /{path} ".encode() + b"x" * number
                served += 1
            client.close()
        return served

    with ThreadPoolExecutor(24) as pool:
        served = sum(pool.map(talk, range(48)))

    assert served == 5 * sum(number % 4 + 1 for number in range(48))


def test_connections_beyond_the_limit_wait_until_one_ends(serve: Serve) -> None:
    app = Held()
    server = serve(app, limits=ServerLimits(max_connections=2))
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(connect(server.port)) for _ in range(3)]
        for sock in socks:
            sock.sendall(GET)
        for _ in range(2):
            assert app.entered.acquire(timeout=DEADLINE_S)
        assert not app.entered.acquire(timeout=0.05)
        app.release.set()
        served = [sock for sock in socks[:2] if read_answer(sock).status == 200]
        served[0].close()

        assert app.entered.acquire(timeout=DEADLINE_S)
        assert read_answer(socks[2]).status == 200


def test_running_out_of_descriptors_is_waited_out(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [OSError(errno.EMFILE, "Too many open files")] * 2
    real = SwapperServer.get_request

    def get_request(server: SwapperServer) -> object:
        if failures:
            raise failures.pop()
        return real(server)

    monkeypatch.setattr(SwapperServer, "get_request", get_request)
    with connect(serve(hello).port) as sock:
        sock.sendall(GET)

        assert read_answer(sock).status == 200
    assert caplog.text.count("Too many open files") == 1
