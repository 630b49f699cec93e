"""The same over TLS."""

import http.client
import socket
import ssl
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from swapper.server import ServerLimits, SwapperServer
from tests.fakes.http_client import read_answer, read_chunk, read_head
from tests.fakes.raw_client import connect, read_all, receive
from tests.fakes.wsgi_apps import Gated, Pieces, answering, hello
from tests.threads.server.conftest import DEADLINE_S, Serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

CERTIFICATE = str(Path(__file__).parents[2] / "fakes" / "localhost.pem")
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def connect_tls(port: int) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=CERTIFICATE)
    # ends must be told from truncation
    sock = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
    return context.wrap_socket(
        sock, server_hostname="localhost", suppress_ragged_eofs=False
    )


def test_requests_and_streams_are_served(serve: Serve) -> None:
    body = Gated()
    server = serve(answering(body), tls_cert_file=CERTIFICATE)
    assert server.url == f"https://127.0.0.1:{server.port}"
    with connect_tls(server.port) as sock:
        sock.sendall(GET + GET)
        read_head(sock)
        assert read_chunk(sock) == b"first"
        body.gate.set()
        assert read_chunk(sock) == b"second"
        assert read_chunk(sock) == b""

        assert read_answer(sock).body == b"firstsecond"


def test_large_bodies_pass_both_ways(serve: Serve) -> None:
    server = serve(hello, tls_cert_file=CERTIFICATE)
    context = ssl.create_default_context(cafile=CERTIFICATE)
    client = http.client.HTTPSConnection(
        "localhost", server.port, timeout=DEADLINE_S, context=context
    )
    for size in (3, 300_000, 3_000_000):
        client.request("POST", "/", body=b"x" * size)
        assert client.getresponse().read() == b"POST / " + b"x" * size
    client.close()


def test_the_scheme_is_https(serve: Serve) -> None:
    def app(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        scheme = environ["wsgi.url_scheme"].encode()
        return answering([scheme])(environ, start_response)

    server = serve(app, tls_cert_file=CERTIFICATE)
    with connect_tls(server.port) as sock:
        sock.sendall(GET)

        assert read_answer(sock).body == b"https"


def test_a_whole_answer_ends_in_close_notify(serve: Serve) -> None:
    server = serve(hello, tls_cert_file=CERTIFICATE)
    with connect_tls(server.port) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")

        assert read_all(sock).endswith(b"GET / ")


def test_a_stream_that_breaks_does_not_end_in_close_notify(serve: Serve) -> None:
    body = Pieces([b"begun", RuntimeError()])
    server = serve(answering(body), tls_cert_file=CERTIFICATE)
    with connect_tls(server.port) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")

        with pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
            read_all(sock)


def test_errors_are_answered(serve: Serve) -> None:
    server = serve(hello, tls_cert_file=CERTIFICATE)
    with connect_tls(server.port) as sock:
        sock.sendall(b"bad\r\n\r\n")

        assert read_answer(sock).status == 400
        assert read_all(sock) == b""


@pytest.mark.parametrize("raw", [b"", b"GET / HTTP/1.1\r\nHos"])
def test_heads_have_their_time_limits(serve: Serve, raw: bytes) -> None:
    limits = ServerLimits(head_timeout_s=1.0)  # for the handshake as well
    server = serve(hello, tls_cert_file=CERTIFICATE, limits=limits)
    with connect_tls(server.port) as sock:
        sock.sendall(raw)

        assert read_answer(sock).status == 408


@pytest.mark.parametrize("behind", [b"", b"\r\n"])
def test_idle_connections_are_closed(serve: Serve, behind: bytes) -> None:
    limits = ServerLimits(idle_timeout_s=0.1)
    server = serve(hello, tls_cert_file=CERTIFICATE, limits=limits)
    with connect_tls(server.port) as sock:
        sock.sendall(GET + behind)
        read_answer(sock)

        assert read_all(sock) == b""


def test_time_limits_do_not_reach_into_bodies(serve: Serve) -> None:
    limits = ServerLimits(head_timeout_s=1.0, idle_timeout_s=1.0)
    server = serve(hello, tls_cert_file=CERTIFICATE, limits=limits)
    with connect_tls(server.port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
        assert not threading.Event().wait(1.3)
        sock.sendall(b"ab")

        assert read_answer(sock).body == b"POST / ab"


def test_a_slow_handshake_does_not_keep_others_waiting(serve: Serve) -> None:
    server = serve(hello, tls_cert_file=CERTIFICATE)
    with connect(server.port), connect(server.port) as slow:
        slow.sendall(b"\x16\x03\x01")
        with connect_tls(server.port) as sock:
            sock.sendall(GET)

            assert read_answer(sock).status == 200


def test_a_handshake_has_a_time_limit(serve: Serve) -> None:
    limits = ServerLimits(head_timeout_s=0.1)
    server = serve(hello, tls_cert_file=CERTIFICATE, limits=limits)
    with connect(server.port) as sock:
        assert read_all(sock) == b""


def test_plain_http_is_told_what_is_wrong(serve: Serve) -> None:
    server = serve(hello, tls_cert_file=CERTIFICATE)
    with connect(server.port) as sock:
        sock.sendall(GET)

        assert b"speaks HTTPS" in read_all(sock)


def test_a_waiting_application_learns_that_its_client_left(serve: Serve) -> None:
    entered, left = threading.Event(), threading.Event()

    def app(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        environ["swapper.client"].token.bind(left.set)
        entered.set()
        assert left.wait(DEADLINE_S)
        return hello(environ, start_response)

    server = serve(app, tls_cert_file=CERTIFICATE)
    with connect_tls(server.port) as sock:
        sock.sendall(GET)
        assert entered.wait(DEADLINE_S)

    assert left.wait(DEADLINE_S)


def test_a_tunnel_gets_the_tls_socket(serve: Serve) -> None:
    def app(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        sock, data = environ["swapper.client"].takeover()
        while data:
            sock.sendall(data)
            data = sock.recv(100)
        raise ConnectionAbortedError

    server = serve(app, tls_cert_file=CERTIFICATE)
    with connect_tls(server.port) as sock:
        sock.sendall(GET + b"early")
        assert receive(sock, 5) == b"early"
        sock.sendall(b"late")

        assert receive(sock, 4) == b"late"


def test_stopping_ends_idle_and_shaking_connections(serve: Serve) -> None:
    server = serve(hello, tls_cert_file=CERTIFICATE)
    with connect(server.port) as shaking, connect_tls(server.port) as idle:
        idle.sendall(GET)
        read_answer(idle)
        server.stop_accepting()

        assert read_all(idle) == b""
        assert len(read_all(shaking)) < 10  # an alert at most


def test_bad_files_are_named_at_start(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    bad = tmp_path / "bad.pem"
    bad.write_text("nothing", encoding="utf-8")

    with pytest.raises(OSError, match=r"missing\.pem"):
        SwapperServer.bind("127.0.0.1:0", tls_cert_file=missing)
    with pytest.raises(OSError, match=r"missing\.pem"):
        SwapperServer.bind(
            "127.0.0.1:0", tls_cert_file=CERTIFICATE, tls_key_file=missing
        )
    with pytest.raises(OSError, match=r"bad\.pem"):
        SwapperServer.bind("127.0.0.1:0", tls_cert_file=str(bad))
