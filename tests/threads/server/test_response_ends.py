"""Every way a response can end: applications that fail, clients that leave."""

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from swapper.core.errors import ClientGoneError, UpstreamError
from tests.fakes.http_client import read_answer
from tests.fakes.raw_client import connect, read_all, read_until, receive
from tests.fakes.wsgi_apps import Pieces, answering, hello
from tests.threads.server.conftest import DEADLINE_S, Serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_1_0 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"


# --- applications that fail --------------------------------------------------------


def raising(error: Exception) -> "WSGIApplication":
    def app(_: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response("200 OK", [])
        raise error

    return app


def test_an_exception_before_the_head_is_logged_and_answered(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    with connect(serve(raising(RuntimeError("secret"))).port) as sock:
        sock.sendall(GET)
        answer = read_answer(sock)
        assert read_all(sock) == b""

    assert answer.status == 500
    assert b"secret" not in answer.body
    (record,) = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert record.exc_info is not None
    assert "secret" in str(record.exc_info[1])


@pytest.mark.parametrize("error", [ConnectionAbortedError(), ClientGoneError()])
def test_a_dropped_request_is_not_answered_nor_logged(
    serve: Serve, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    with connect(serve(raising(error)).port) as sock:
        sock.sendall(GET)

        assert read_all(sock) == b""
    assert [r for r in caplog.records if r.levelno >= logging.INFO] == []


@pytest.mark.parametrize(
    "headers",
    [
        [("A", "b\r\nInjected: c")],
        [("A", "b\nInjected: c")],
        [("A b", "c")],
        [("Content-Length", "x")],
        [("Content-Length", "1"), ("Content-Length", "2")],
        [("Transfer-Encoding", "chunked")],
    ],
)
@pytest.mark.parametrize("body", [[b"x"], Pieces([b"x"])])
def test_headers_that_break_the_framing_are_not_sent(
    serve: Serve,
    caplog: pytest.LogCaptureFixture,
    headers: list[tuple[str, str]],
    body: Iterable[bytes],
) -> None:
    with connect(serve(answering(body, headers)).port) as sock:
        sock.sendall(GET)
        answer = read_answer(sock)

    assert answer.status == 500
    assert answer.all("injected") == []
    assert "application failed" in caplog.text


@pytest.mark.parametrize(
    ("app", "word"),
    [
        (lambda _, __: [b"x"], "did not call start_response"),
        (lambda _, __: Pieces([b"x"]), "did not call start_response"),
        (answering(["text"]), "str"),  # type: ignore[list-item]  # that is the point
        (answering(Pieces(["text"])), "str"),  # type: ignore[list-item]  # likewise
        (answering([b""], status="0 OK"), "bad status"),
    ],
)
def test_breaches_of_wsgi_are_logged_and_end_the_connection(
    serve: Serve, caplog: pytest.LogCaptureFixture, app: "WSGIApplication", word: str
) -> None:
    with connect(serve(app).port) as sock:
        sock.sendall(GET)
        received = read_all(sock)

    assert word in caplog.text
    assert received.startswith(b"HTTP/1.1 500 ") or b"text" not in received


def test_start_response_twice_needs_exc_info(serve: Serve) -> None:
    def twice(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        start("200 OK", [])
        return answering([b""])(environ, start)

    with connect(serve(twice).port) as sock:
        sock.sendall(GET)

        assert read_answer(sock).status == 500


def test_exc_info_replaces_a_head_that_is_not_sent(serve: Serve) -> None:
    def app(_: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response("200 OK", [])
        error = ValueError()
        start_response("418 Teapot", [], (ValueError, error, None))  # type: ignore[arg-type]  # as sys.exc_info
        return [b"sorry"]

    with connect(serve(app).port) as sock:
        sock.sendall(GET)
        answer = read_answer(sock)

    assert (answer.status, answer.body) == (418, b"sorry")


def test_exc_info_after_the_head_ends_the_response(serve: Serve) -> None:
    def app(_: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"begun")
        error = ValueError()
        start_response("500 Late", [], (ValueError, error, None))  # type: ignore[arg-type]  # as sys.exc_info
        return [b"never"]

    with connect(serve(app).port) as sock:
        sock.sendall(GET)
        received = read_all(sock)

    assert received.endswith(b"5\r\nbegun\r\n")


@pytest.mark.parametrize(
    "error", [RuntimeError("broke"), UpstreamError("broke"), ClientGoneError()]
)
def test_a_stream_that_breaks_has_no_last_chunk(serve: Serve, error: Exception) -> None:
    body = Pieces([b"begun", error])
    with connect(serve(answering(body)).port) as sock:
        sock.sendall(GET)
        received = read_all(sock)

    assert received.endswith(b"5\r\nbegun\r\n")
    assert body.closes == 1


def test_a_stream_to_http_1_0_that_breaks_is_reset(serve: Serve) -> None:
    """Its end is the connection's end, so a plain close would look like success."""
    gate = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"begun"
        assert gate.wait(DEADLINE_S)
        raise RuntimeError

    with connect(serve(answering(pieces())).port) as sock:
        sock.sendall(GET_1_0)
        read_until(sock, b"begun")
        gate.set()

        with pytest.raises(ConnectionResetError):
            read_all(sock)


@pytest.mark.parametrize("body", [[b"abc"], Pieces([b"abc"])])
def test_a_body_short_of_its_length_closes_the_connection(
    serve: Serve, caplog: pytest.LogCaptureFixture, body: Iterable[bytes]
) -> None:
    with connect(serve(answering(body, [("Content-Length", "5")])).port) as sock:
        sock.sendall(GET)
        received = read_all(sock)

    assert received.endswith(b"\r\n\r\nabc")
    assert "2 bytes short" in caplog.text


@pytest.mark.parametrize("body", [[b"abcdef"], Pieces([b"abc", b"def", b"ghi"])])
def test_a_body_beyond_its_length_is_cut(
    serve: Serve, caplog: pytest.LogCaptureFixture, body: Iterable[bytes]
) -> None:
    with connect(serve(answering(body, [("Content-Length", "4")])).port) as sock:
        sock.sendall(GET)
        received = read_all(sock)

    assert received.endswith(b"\r\n\r\nabcd")
    assert "longer than its length" in caplog.text


# --- close(), exactly once and at once ----------------------------------------------

BIG = b"x" * (1 << 20)


@pytest.mark.parametrize(
    ("raw", "pieces", "headers", "status"),
    [
        pytest.param(GET, [b"a", b"b"], [], "200 OK", id="stream"),
        pytest.param(GET, [b"ab"], [("Content-Length", "2")], "200 OK", id="length"),
        pytest.param(GET, [], [], "200 OK", id="empty"),
        pytest.param(GET, [b"a"], [("Content-Length", "2")], "200 OK", id="short"),
        pytest.param(GET, [b"abc"], [("Content-Length", "2")], "200 OK", id="long"),
        pytest.param(GET, [b"a", RuntimeError()], [], "200 OK", id="broken"),
        pytest.param(GET, [RuntimeError()], [], "200 OK", id="broken at once"),
        pytest.param(GET, [b"a"], [("A", "\r\n")], "200 OK", id="bad header"),
        pytest.param(HEAD, [b"a"], [], "200 OK", id="head"),
        pytest.param(GET, [b"a"], [], "204 No Content", id="no content"),
        pytest.param(GET_1_0, [b"a"], [], "200 OK", id="http 1.0"),
    ],
)
def test_the_body_is_closed_once(
    serve: Serve,
    raw: bytes,
    pieces: list[bytes | Exception],
    headers: list[tuple[str, str]],
    status: str,
) -> None:
    body = Pieces(pieces)
    server = serve(answering(body, headers, status))
    with connect(server.port) as sock:
        sock.sendall(raw)
        assert body.closed.wait(DEADLINE_S)
    server.close()

    assert body.closes == 1


def test_the_body_is_closed_once_when_the_client_leaves(serve: Serve) -> None:
    body = Pieces(iter(lambda: BIG, b""))
    server = serve(answering(body))
    with connect(server.port) as sock:
        sock.sendall(GET)
        receive(sock, 100)
    assert body.closed.wait(DEADLINE_S)
    server.close()

    assert body.closes == 1


def test_the_body_is_closed_before_the_rest_of_the_request_is_read(
    serve: Serve,
) -> None:
    body = Pieces([b"a"])
    with connect(serve(answering(body)).port) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")

        assert body.closed.wait(DEADLINE_S)
        sock.sendall(b"defghi" + GET)
        assert read_answer(sock).body == b"a"


def test_a_close_that_fails_is_logged(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Pieces):
        def close(self) -> None:
            super().close()
            raise RuntimeError("cannot close")

    body = Failing([b"a"])
    with connect(serve(answering(body)).port) as sock:
        sock.sendall(GET)
        assert read_answer(sock).body == b"a"
        assert body.closed.wait(DEADLINE_S)
    assert body.closes == 1


def test_a_slow_reader_gets_everything(serve: Serve) -> None:
    """There is no time limit on sending."""
    with connect(serve(answering(Pieces([BIG] * 4))).port) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.sendall(GET)
        answer = read_answer(sock)

    assert len(answer.body) == 4 * len(BIG)


def test_a_served_connection_stays_usable_after_every_kind_of_body(
    serve: Serve,
) -> None:
    def app(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        kinds: dict[str, Callable[[], WSGIApplication]] = {
            "/list": lambda: answering([b"a"]),
            "/stream": lambda: answering(Pieces([b"a", b"b"])),
            "/length": lambda: answering(Pieces([b"ab"]), [("Content-Length", "2")]),
            "/none": lambda: answering([], status="204 No Content"),
        }
        return kinds.get(environ["PATH_INFO"], lambda: hello)()(environ, start)

    with connect(serve(app).port) as sock:
        for path in ("/list", "/stream", "/none", "/length", "/hello", "/stream"):
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert read_answer(sock).status in {200, 204}
