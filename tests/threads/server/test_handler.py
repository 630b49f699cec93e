"""Requests as they come in: keep-alive, pipelining, limits, what is refused."""

import http.client
import socket
import threading

import pytest

from swapper.server import ServerLimits
from tests.fakes.http_client import read_answer
from tests.fakes.raw_client import connect, read_all
from tests.fakes.wsgi_apps import Recorder, hello
from tests.threads.server.conftest import DEADLINE_S, Serve

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_connection_serves_many_requests(serve: Serve) -> None:
    client = http.client.HTTPConnection("127.0.0.1", serve(hello).port, DEADLINE_S)
    client.connect()
    first = client.sock
    for number in range(3):
        client.request("POST", f"/{number}", body=b"x" * number)
        answer = client.getresponse()
        assert answer.read() == f"POST /{number} ".encode() + b"x" * number
        assert answer.getheader("Connection") is None
    assert client.sock is first
    client.close()


def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    with connect(serve(hello).port) as sock:
        sock.sendall(
            GET % 1
            + b"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            + b"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"2\r\nde\r\n0\r\n\r\n"
            + GET % 4
        )
        bodies = [read_answer(sock).body for _ in range(4)]

    assert bodies == [b"GET /1 ", b"POST /2 abc", b"POST /3 de", b"GET /4 "]


def test_requests_before_a_half_close_are_answered(serve: Serve) -> None:
    with connect(serve(hello).port) as sock:
        sock.sendall(GET % 1 + GET % 2)
        sock.shutdown(socket.SHUT_WR)

        assert read_answer(sock).body == b"GET /1 "
        assert read_answer(sock).body == b"GET /2 "
        assert read_all(sock) == b""


def test_a_head_may_come_byte_by_byte_after_empty_lines(serve: Serve) -> None:
    with connect(serve(hello).port) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"\r\n\r\n" + GET % 1:
            sock.sendall(bytes([byte]))

        assert read_answer(sock).body == b"GET /1 "


def test_the_last_request_of_a_client_closes_the_connection(serve: Serve) -> None:
    with connect(serve(hello).port) as sock:
        sock.sendall(
            b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET % 2
        )
        answer = read_answer(sock)

        assert answer["connection"] == "close"
        assert read_all(sock) == b""


def test_http_1_0_is_answered_and_closed(serve: Serve) -> None:
    with connect(serve(hello).port) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")

        assert read_answer(sock)["connection"] == "close"
        assert read_all(sock) == b""


def test_http_1_0_clients_may_ask_for_keep_alive(serve: Serve) -> None:
    with connect(serve(hello).port) as sock:
        for _ in range(2):
            sock.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert read_answer(sock)["connection"] == "keep-alive"


@pytest.mark.parametrize(
    ("raw", "status", "word"),
    [
        (b"nonsense\r\n\r\n", 400, "request line"),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, "HTTP/1.1"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Host"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400, "header name"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400, "control character"),
        (b"GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"),
        (b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "fragment"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "target"),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET % 1,
            400,
            "both",
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nabc",
            501,
            "chunked",
        ),
    ],
)
def test_a_bad_request_is_named_and_never_reaches_the_application(
    serve: Serve, raw: bytes, status: int, word: str
) -> None:
    app = Recorder()
    with connect(serve(app).port) as sock:
        sock.sendall(raw)
        answer = read_answer(sock)

        assert answer.status == status
        assert answer["connection"] == "close"
        assert answer["content-type"] == "text/plain; charset=utf-8"
        assert word in answer.body.decode()
        assert read_all(sock) == b""
    assert app.environs == []


def test_what_follows_a_bad_request_is_not_served(serve: Serve) -> None:
    app = Recorder()
    with connect(serve(app).port) as sock:
        sock.sendall(GET % 1 + b"bad\r\n\r\n" + GET % 2)

        assert [read_answer(sock).status for _ in range(2)] == [200, 400]
        assert read_all(sock) == b""
    assert [environ["PATH_INFO"] for environ in app.environs] == ["/1"]


def test_a_huge_head_is_answered_although_the_client_goes_on_sending(
    serve: Serve,
) -> None:
    app = Recorder()
    with connect(serve(app).port) as sock:
        # much more than the kernel buffers: the answer survives only if the server
        # reads on for a while
        sender = threading.Thread(
            target=sock.sendall,
            args=(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (8 << 20),),
        )
        sender.start()
        answer = read_answer(sock)
        sender.join(DEADLINE_S)

        assert answer.status == 431
        assert b"1048576" in answer.body
    assert app.environs == []


def test_a_head_within_the_limit_is_served(serve: Serve) -> None:
    with connect(serve(hello).port) as sock:
        sock.sendall(
            b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 1_000_000 + b"\r\n\r\n"
        )

        assert read_answer(sock).status == 200


def test_a_client_that_sends_nothing_gets_408(serve: Serve) -> None:
    server = serve(hello, limits=ServerLimits(head_timeout_s=0.1))
    with connect(server.port) as sock:
        answer = read_answer(sock)

        assert answer.status == 408
        assert read_all(sock) == b""


@pytest.mark.parametrize("prelude", [b"", GET % 1])
def test_a_head_that_does_not_end_gets_408(serve: Serve, prelude: bytes) -> None:
    server = serve(hello, limits=ServerLimits(head_timeout_s=0.1))
    with connect(server.port) as sock:
        sock.sendall(prelude + b"GET / HTTP/1.1\r\nHost: a\r\n")
        statuses = [read_answer(sock).status for _ in range(2 if prelude else 1)]

        assert statuses[-1] == 408
        assert read_all(sock) == b""


def test_a_trickling_head_gets_408_as_well(serve: Serve) -> None:
    server = serve(hello, limits=ServerLimits(head_timeout_s=0.2))
    with connect(server.port) as sock:
        has_ended = threading.Event()

        def trickle() -> None:
            sock.sendall(b"GET / HTTP/1.1\r\nX: ")
            while not has_ended.wait(0.02):
                try:
                    sock.sendall(b"x")
                except OSError:
                    return

        sender = threading.Thread(target=trickle)
        sender.start()
        answer = read_answer(sock)
        has_ended.set()
        sender.join(DEADLINE_S)

    assert answer.status == 408


def test_an_idle_connection_is_closed_silently(serve: Serve) -> None:
    server = serve(hello, limits=ServerLimits(idle_timeout_s=0.1))
    with connect(server.port) as sock:
        sock.sendall(GET % 1)
        assert read_answer(sock).status == 200

        assert read_all(sock) == b""


def test_time_limits_do_not_reach_into_bodies(serve: Serve) -> None:
    limits = ServerLimits(head_timeout_s=0.5, idle_timeout_s=0.5)
    with connect(serve(hello, limits=limits).port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
        assert not threading.Event().wait(0.8)
        sock.sendall(b"ab")

        assert read_answer(sock).body == b"POST / ab"


def test_a_client_that_breaks_off_a_head_costs_nothing(serve: Serve) -> None:
    app = Recorder()
    server = serve(app)
    with connect(server.port) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHo")
        sock.shutdown(socket.SHUT_WR)

        assert read_all(sock) == b""
    assert app.environs == []
