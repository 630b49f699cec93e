"""Responses as clients see them: framing, flushing, and every way to end."""

import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from swapper.server.connection import Connection
from swapper.server.response import HttpDate
from tests.fakes.http_client import read_answer, read_chunk, read_head
from tests.fakes.raw_client import connect, receive
from tests.fakes.wsgi_apps import Gated, Pieces, answering
from tests.threads.server.conftest import DEADLINE_S, Serve

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
GET_1_0 = b"GET / HTTP/1.0\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_headers_pass_in_order_with_duplicates_and_nothing_of_ours_but_a_date(
    serve: Serve,
) -> None:
    headers = [("B", "1"), ("Set-Cookie", "a"), ("A", "é"), ("Set-Cookie", "b")]
    with connect(serve(answering([b"x"], headers)).port) as sock:
        sock.sendall(GET)
        answer = read_answer(sock)

    names = [name for name, _ in answer.headers]
    assert names == ["b", "set-cookie", "a", "set-cookie", "date", "content-length"]
    assert answer.all("set-cookie") == ["a", "b"]
    assert answer["a"] == "é"


def test_an_applications_own_date_and_server_pass(serve: Serve) -> None:
    headers = [("Date", "then"), ("Server", "x"), ("Content-Length", "1")]
    with connect(serve(answering([b"x"], headers)).port) as sock:
        sock.sendall(GET)
        answer = read_answer(sock)

    assert answer["date"] == "then"
    assert answer["server"] == "x"


def test_the_date_is_in_the_form_of_rfc_9110() -> None:
    date = HttpDate()

    assert date.text().endswith(" GMT")
    assert len(date.text()) == len("Sun, 06 Nov 1994 08:49:37 GMT")
    assert date.text()[3] == ","


def test_the_head_of_a_stream_is_sent_before_its_first_piece(serve: Serve) -> None:
    gate = threading.Event()

    def pieces() -> Iterator[bytes]:
        assert gate.wait(DEADLINE_S)
        yield b"late"

    with connect(serve(answering(pieces())).port) as sock:
        sock.sendall(GET)
        assert read_head(sock)["transfer-encoding"] == "chunked"
        gate.set()

        assert read_chunk(sock) == b"late"
        assert read_chunk(sock) == b""


def test_each_piece_is_sent_before_the_next_is_made(serve: Serve) -> None:
    body = Gated()
    with connect(serve(answering(body)).port) as sock:
        sock.sendall(GET)
        read_head(sock)
        assert read_chunk(sock) == b"first"
        body.gate.set()

        assert read_chunk(sock) == b"second"
        assert read_chunk(sock) == b""


def test_pieces_of_a_body_of_known_length_are_sent_at_once(serve: Serve) -> None:
    body = Gated()
    app = answering(body, [("Content-Length", "11")])
    with connect(serve(app).port) as sock:
        sock.sendall(GET)
        read_head(sock)
        assert receive(sock, 5) == b"first"
        body.gate.set()

        assert receive(sock, 6) == b"second"


def test_write_sends_at_once(serve: Serve) -> None:
    gate = threading.Event()

    def app(_: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"written")
        assert gate.wait(DEADLINE_S)
        return [b"returned"]

    with connect(serve(app).port) as sock:
        sock.sendall(GET)
        read_head(sock)
        assert read_chunk(sock) == b"written"
        gate.set()

        assert read_chunk(sock) == b"returned"
        assert read_chunk(sock) == b""


@pytest.mark.parametrize(
    ("body", "headers", "count"),
    [
        pytest.param([b"a", b"b"], [], 1, id="list"),
        pytest.param([b"a"], [("Content-Length", "1")], 1, id="list of known length"),
        pytest.param(Pieces([b"ab"]), [("Content-Length", "2")], 2, id="known length"),
        pytest.param(Pieces([b"a", b"b", b"c"]), [], 1 + 3 + 1, id="stream"),
        pytest.param(Pieces([b"", b"a", b""]), [], 1 + 1 + 1, id="empty pieces"),
        pytest.param(Pieces([]), [("Content-Length", "0")], 1, id="empty"),
    ],
)
def test_how_many_sends_a_response_takes(
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    body: Iterable[bytes],
    headers: list[tuple[str, str]],
    count: int,
) -> None:
    """Head and complete body in one, then one per chunk (and one for the end)."""
    sent: list[bytes] = []
    real = Connection.send

    def send(connection: Connection, data: bytes) -> None:
        sent.append(data)
        real(connection, data)

    monkeypatch.setattr(Connection, "send", send)
    with connect(serve(answering(body, headers)).port) as sock:
        sock.sendall(GET)
        read_answer(sock)

    assert len(sent) == count


def test_a_generator_may_start_its_response_late(serve: Serve) -> None:
    def app(_: "WSGIEnvironment", start_response: "StartResponse") -> Iterator[bytes]:
        start_response("201 Created", [])
        yield b""
        yield b"body"

    with connect(serve(app).port) as sock:
        sock.sendall(GET)
        answer = read_answer(sock)

    assert (answer.status, answer.body) == (201, b"body")


def test_a_stream_to_http_1_0_ends_with_the_connection(serve: Serve) -> None:
    with connect(serve(answering(Pieces([b"a", b"b"]))).port) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = read_answer(sock)

    assert answer.body == b"ab"
    assert answer["connection"] == "close"
    assert answer.all("transfer-encoding") == []


@pytest.mark.parametrize(
    ("body", "headers", "length"),
    [
        ([b"abc"], [], ["3"]),
        ([b"abc"], [("Content-Length", "3")], ["3"]),
        ([], [("Content-Length", "12345")], ["12345"]),
        ([], [], []),
        ([b""], [], []),
        (Pieces([b"abc"]), [("Content-Length", "3")], ["3"]),
        (Pieces([b"abc"]), [], []),
    ],
)
def test_head_has_the_headers_and_no_body(
    serve: Serve,
    body: Iterable[bytes],
    headers: list[tuple[str, str]],
    length: list[str],
) -> None:
    with connect(serve(answering(body, headers)).port) as sock:
        for _ in range(2):
            sock.sendall(HEAD)
            answer = read_answer(sock, "HEAD")
            assert answer.status == 200
            if isinstance(body, list):
                assert answer.all("content-length") == length


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_statuses_without_a_body_have_none(serve: Serve, status: str) -> None:
    app = answering([b"dropped"], [("Content-Length", "7")], status)
    with connect(serve(app).port) as sock:
        for _ in range(2):
            sock.sendall(GET)
            answer = read_answer(sock)
            assert answer.status == int(status[:3])
            assert answer.all("transfer-encoding") == []
            assert answer.all("content-length") == (["7"] if "304" in status else [])


def test_a_head_request_does_not_wait_for_the_body(serve: Serve) -> None:
    body = Pieces(iter(threading.Event().wait, True))  # type: ignore[arg-type]  # never asked
    with connect(serve(answering(body, [("Content-Length", "3")])).port) as sock:
        sock.sendall(HEAD)
        assert read_answer(sock, "HEAD")["content-length"] == "3"
        assert body.closed.wait(DEADLINE_S)
