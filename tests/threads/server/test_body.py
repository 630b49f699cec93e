"""Request bodies as applications read them, and what becomes of the unread rest."""

import threading
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING

import pytest

from swapper.core.errors import BadRequestError, ClientGoneError
from tests.fakes.http_client import read_answer
from tests.fakes.raw_client import connect, read_all, receive
from tests.fakes.wsgi_apps import answering, hello
from tests.threads.server.conftest import DEADLINE_S, Serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
GET = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"


def post(length: int, *lines: bytes) -> bytes:
    head = (b"POST / HTTP/1.1", b"Host: a", b"Content-Length: %d" % length, *lines)
    return b"".join(line + b"\r\n" for line in (*head, b""))


def reading(how: Callable[[IO[bytes]], object]) -> "WSGIApplication":
    """Return an application that answers with the ``repr`` of what *how* returned."""

    def app(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        result = repr(how(environ["wsgi.input"])).encode()
        return answering([result])(environ, start)

    return app


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (lambda body: body.read(), b"one\ntwo\nthree"),
        (lambda body: body.read(-1), b"one\ntwo\nthree"),
        (lambda body: body.read(5) + body.read(100) + body.read(1), b"one\ntwo\nthree"),
        (lambda body: body.readline(), b"one\n"),
        (lambda body: body.readline(2), b"on"),
        (lambda body: body.readlines(), [b"one\n", b"two\n", b"three"]),
        (list, [b"one\n", b"two\n", b"three"]),
        (lambda body: body.readinto(bytearray(100)), 13),
        (lambda body: body.read(0), b""),
    ],
)
@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_the_body_reads_like_a_file(
    serve: Serve,
    how: Callable[[IO[bytes]], object],
    expected: object,
    is_split: bool,
    is_chunked: bool,
) -> None:
    head = CHUNKED + b"\r\n" if is_chunked else post(13)
    body = (
        b"8\r\none\ntwo\n\r\n5\r\nthree\r\n0\r\n\r\n"
        if is_chunked
        else (b"one\ntwo\nthree")
    )
    with connect(serve(reading(how)).port) as sock:
        sock.sendall(head if is_split else head + body)
        if is_split:
            sock.sendall(body)

        assert read_answer(sock).body == repr(expected).encode()


def test_data_is_read_as_it_arrives(serve: Serve) -> None:
    seen = threading.Event()

    def how(body: IO[bytes]) -> object:
        first = body.read1(100)  # type: ignore[attr-defined]  # BufferedReader has it
        seen.set()
        return first, body.read()

    with connect(serve(reading(how)).port) as sock:
        sock.sendall(CHUNKED + b"\r\n")
        sock.sendall(b"ff\r\nearly")
        assert seen.wait(DEADLINE_S)
        sock.sendall(b"-late".ljust(250, b".") + b"\r\n0\r\n\r\n")

        assert read_answer(sock).body.startswith(b"(b'early', b'-late")


def test_extensions_and_trailers_of_chunks_are_dropped(serve: Serve) -> None:
    with connect(serve(hello).port) as sock:
        sock.sendall(
            CHUNKED
            + b'\r\n3;a="b"\r\nabc\r\n2 ; c\r\nde\r\n0\r\nTrailer: x\r\n\r\n'
            + GET
        )

        assert read_answer(sock).body == b"POST / abcde"
        assert read_answer(sock).body == b"GET /next "


def test_a_large_upload_arrives_whole(serve: Serve) -> None:
    data = bytes(range(256)) * (16 << 10)
    with connect(serve(reading(lambda body: body.read() == data)).port) as sock:
        sock.sendall(post(len(data)))
        sock.sendall(data)

        assert read_answer(sock).body == b"True"


# --- Expect: 100-continue --------------------------------------------------------------


@pytest.mark.parametrize("head", [post(3, b"Expect: 100-Continue")])
def test_the_client_is_asked_once_when_the_body_is_wanted(
    serve: Serve, head: bytes
) -> None:
    is_asked = threading.Event()

    def how(body: IO[bytes]) -> object:
        assert is_asked.wait(DEADLINE_S)
        return body.read(1) + body.read()

    with connect(serve(reading(how)).port) as sock:
        sock.sendall(head)
        sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sock.recv(1)  # the application has not read yet
        sock.settimeout(DEADLINE_S)
        is_asked.set()
        assert receive(sock, len(CONTINUE)) == CONTINUE
        sock.sendall(b"abc")

        assert read_answer(sock).body == b"b'abc'"


def test_a_body_that_is_there_already_is_not_asked_for(serve: Serve) -> None:
    with connect(serve(hello).port) as sock:
        sock.sendall(post(3, b"Expect: 100-continue") + b"abc")

        assert read_answer(sock).status == 200


def test_a_client_that_was_not_asked_is_told_that_the_connection_ends(
    serve: Serve,
) -> None:
    with connect(serve(answering([b"no"], status="403 Forbidden")).port) as sock:
        sock.sendall(post(3, b"Expect: 100-continue"))
        answer = read_answer(sock)

        assert answer.status == 403
        assert answer["connection"] == "close"
        assert read_all(sock) == b""


def test_http_1_0_clients_are_never_asked(serve: Serve) -> None:
    with connect(serve(hello).port) as sock:
        sock.sendall(
            b"POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        sock.sendall(b"abc")

        assert read_answer(sock).body == b"POST / abc"


def test_the_body_is_not_asked_for_behind_the_answers_head(serve: Serve) -> None:
    def app(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        write = start("200 OK", [("Content-Length", "6")])
        write(b"abc")
        return [environ["wsgi.input"].read()]

    with connect(serve(app).port) as sock:
        sock.sendall(post(3, b"Expect: 100-continue"))
        sock.sendall(b"def")

        assert read_answer(sock).body == b"abcdef"


# --- what is left unread ----------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        post(3) + b"abc",
        post(60_000) + b"x" * 60_000,
        CHUNKED + b"\r\n3\r\nabc\r\n0\r\n\r\n",
    ],
)
def test_a_small_unread_body_does_not_cost_the_connection(
    serve: Serve, raw: bytes
) -> None:
    with connect(serve(answering([b"unread"])).port) as sock:
        for _ in range(2):
            sock.sendall(raw)
            answer = read_answer(sock)
            assert answer.body == b"unread"
            assert answer.all("connection") == []


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_large_unread_body_costs_the_connection_but_not_the_answer(
    serve: Serve, is_chunked: bool
) -> None:
    size = 8 << 20
    head = CHUNKED + b"\r\n%x\r\n" % size if is_chunked else post(size)
    with connect(serve(answering([b"unread"])).port) as sock:
        sock.sendall(head)
        sender = threading.Thread(target=sock.sendall, args=(b"x" * size,))
        sender.start()
        answer = read_answer(sock)
        assert answer.body == b"unread"
        assert read_all(sock) == b""
        sender.join(DEADLINE_S)

    assert not sender.is_alive()


def test_bytes_behind_the_last_request_do_not_cost_its_answer(serve: Serve) -> None:
    """Closing over unread bytes resets the connection; some clients add a line end."""
    last = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with connect(serve(answering([b"answer"])).port) as sock:
        sock.sendall(last + b"\r\n" * 100_000)

        assert read_answer(sock).body == b"answer"
        assert read_all(sock) == b""


def test_an_unread_body_that_does_not_come_is_not_waited_for(serve: Serve) -> None:
    with connect(serve(answering([b"unread"])).port) as sock:
        sock.sendall(post(10) + b"abc")

        assert read_answer(sock).body == b"unread"
        assert read_all(sock) == b""


# --- bodies that are wrong ----------------------------------------------------------------


def test_malformed_chunks_are_answered_400(serve: Serve) -> None:
    with connect(serve(hello).port) as sock:
        sock.sendall(CHUNKED + b"\r\n3\r\nabc\r\nzz\r\n" + GET)
        answer = read_answer(sock)

        assert answer.status == 400
        assert b"chunk size" in answer.body
        assert read_all(sock) == b""


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (CHUNKED + b"\r\n3\r\nabcd", BadRequestError),
        (CHUNKED + b"\r\n3\r\nab", ClientGoneError),
        (post(3) + b"ab", ClientGoneError),
    ],
)
def test_applications_see_what_is_wrong_with_a_body(
    serve: Serve, raw: bytes, error: type[Exception]
) -> None:
    raised: list[BaseException] = []

    def how(body: IO[bytes]) -> object:
        try:
            return body.read()
        except Exception as exc:
            raised.append(exc)
            raise

    with connect(serve(reading(how)).port) as sock:
        sock.sendall(raw)
        sock.shutdown(1)
        read_all(sock)

    assert [type(exc) for exc in raised] == [error]


def test_a_malformed_rest_is_never_taken_for_a_request(serve: Serve) -> None:
    with connect(serve(answering([b"unread"])).port) as sock:
        sock.sendall(CHUNKED + b"\r\nzz\r\n" + GET)

        assert read_answer(sock).body == b"unread"
        assert read_all(sock) == b""
