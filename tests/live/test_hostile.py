"""Clients that smuggle and models that lie, one trick at a time, over real sockets."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.fakes.http_client import Answer, read_answer
from tests.fakes.program import SwapperProgram
from tests.fakes.raw_client import connect, read_all
from tests.fakes.scripted_upstream import GOOD, Peer, ScriptedUpstream

pytestmark = pytest.mark.live

KEY = "key-of-the-owner-51c7"
PEER_KEY = "key-of-the-peer-88e0"
CONFIG = """
logLevel: debug
apiKeys: [{key}]
peers:
  p: {{proxy: "{url}", apiKey: {peer_key}, models: [pm]}}
"""
HEAD = f"Host: a\r\nX-Api-Key: {KEY}\r\n".encode()
SMUGGLED = b"GET /upstream/pm/smuggled HTTP/1.1\r\n" + HEAD + b"\r\n"
POST = b"POST /upstream/pm/first HTTP/1.1\r\n" + HEAD
_numbers = itertools.count(1)
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


class Model:
    """An upstream that notes what it is asked and says what it is told to.

    Attributes:
        asked: methods and targets of all requests, whole or not.
        lie: the next answer, for one request; b"" for a good one.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lie = b""

    def __call__(self, peer: Peer) -> None:
        while head := peer.head().decode("latin-1"):
            self.asked.append(head.partition(" HTTP/1.1\r\n")[0])
            assert f"Bearer {PEER_KEY}" in head
            if "chunked" in head.lower():
                peer.skip_to(b"0\r\n\r\n")
            elif "content-length: 3\r\n" in head.lower():
                peer.take(3)
            answer, self.lie = self.lie or GOOD, b""
            peer.send(answer)
            if answer is not GOOD:
                return


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


@pytest.fixture(scope="module")
def program(
    model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SwapperProgram]:
    with ScriptedUpstream(model) as server:
        config = CONFIG.format(url=server.url, key=KEY, peer_key=PEER_KEY)
        folder = tmp_path_factory.mktemp("hostile")
        with SwapperProgram(folder, config) as made:
            yield made
        # marked ones are behind what was refused; none may have come, however late
        assert not [one for one in model.asked if "smuggled-" in one]


def ask(program: SwapperProgram, raw: bytes) -> tuple[Answer, bytes]:
    """Return the first answer to *raw* and all that follows it."""
    with connect(int(program.url.rpartition(":")[2])) as sock:
        sock.sendall(raw)
        return read_answer(sock), read_all(sock)


class Marked(NamedTuple):
    """A message whose targets end in a mark of its own.

    What a test before it has sent may come to the model late.
    """

    raw: bytes
    mark: str

    def among(self, asked: list[str]) -> list[str]:
        """Return what of it was asked, without the mark."""
        return [one.removesuffix(self.mark) for one in asked if one.endswith(self.mark)]


def marked(raw: bytes) -> Marked:
    mark = f"-{next(_numbers)}-"
    for name in (b"/first", b"/smuggled"):
        raw = raw.replace(name, name + mark.encode())
    return Marked(raw, mark)


TRICKS = {
    "length and chunks": POST
    + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX",
    "chunks and length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc",
    "the same length twice": POST
    + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "a hexadecimal length": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "a length beyond all": POST + b"Content-Length: 99999999999999999999\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "almost chunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked with a parameter": POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n",
    "a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "chunked, then not": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a folded coding": POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "a blank before the colon": POST + b"Transfer-Encoding : chunked\r\n\r\n",
    "a bare line feed": POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bare carriage return": POST + b"X: y\rContent-Length: 3\r\n\r\nabc",
    "a NUL": POST + b"X: \0\r\nContent-Length: 3\r\n\r\nabc",
    "two hosts": POST + b"Host: b\r\nContent-Length: 3\r\n\r\nabc",
    "chunks in HTTP/1.0": CHUNKED.replace(b"1.1", b"1.0", 1) + b"0\r\n\r\n",
    "a tunnel": b"CONNECT /upstream/pm/first HTTP/1.1\r\n" + HEAD + b"\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /upstream/pm/first\r\n\r\n",
}


@pytest.mark.parametrize("trick", TRICKS)
def test_an_ambiguous_request_is_refused_and_ends_the_connection(
    program: SwapperProgram, model: Model, trick: str
) -> None:
    message = marked(TRICKS[trick] + SMUGGLED)
    answer, rest = ask(program, message.raw)

    assert answer.status in {400, 501, 505}
    assert answer["connection"] == "close"
    assert rest == b""
    assert message.among(model.asked) == []


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(b"-1\r\nx\r\n", id="a negative size"),
        pytest.param(b"0x1\r\nx\r\n", id="a prefix"),
        pytest.param(b"\r\nx\r\n", id="no size"),
        pytest.param(b"1" + b"0" * 16 + b"\r\nx\r\n", id="a size beyond all"),
        pytest.param(b"1\nx\r\n", id="a line feed after the size"),
        pytest.param(b"1;a\nb\r\nx\r\n", id="a line feed in an extension"),
        pytest.param(b"1\r\nxx\r\n", id="more data than its size"),
        pytest.param(b"1\r\nx\n", id="a line feed after the data"),
        pytest.param(b"0\r\nnot a field\r\n\r\n", id="a bad trailer"),
    ],
)
def test_a_request_with_a_bad_chunk_never_gets_whole(
    program: SwapperProgram, model: Model, chunk: bytes
) -> None:
    message = marked(CHUNKED + chunk + b"0\r\n\r\n" + SMUGGLED)
    answer, rest = ask(program, message.raw)

    assert answer.status == 400
    assert answer["connection"] == "close"
    assert rest == b""
    assert message.among(model.asked) in ([], ["POST /first"])


def test_an_oversized_head_is_refused(program: SwapperProgram, model: Model) -> None:
    message = marked(POST + b"X: " + b"x" * (1 << 20) + b"\r\n\r\n")
    answer, rest = ask(program, message.raw)

    assert (answer.status, rest) == (431, b"")
    assert message.among(model.asked) == []


LIES = {
    "no HTTP": b"hello\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status 000": b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n",
    "a newer HTTP": b"HTTP/2 200\r\nContent-Length: 0\r\n\r\n",
    "an injected line": b"HTTP/1.1 200 OK\r\nA: b\nX-Injected: 1\r\n\r\n",
    "a carriage return": b"HTTP/1.1 200 OK\r\nA: b\rX-Injected: 1\r\n\r\n",
    "a line in the reason": b"HTTP/1.1 200 OK\nX-Injected: 1\r\n\r\n",
    "a NUL": b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
    "a folded line": b"HTTP/1.1 200 OK\r\nA: b\r\n X-Injected: 1\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
    "a switch nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "nothing but interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000,
    "a huge head": b"HTTP/1.1 200 OK\r\nA: " + b"b" * (1 << 20) + b"\r\n\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_head_is_a_502_and_the_next_answer_is_right(
    program: SwapperProgram, model: Model, lie: str
) -> None:
    model.lie = LIES[lie]
    answer = program.call("/upstream/pm/", headers={"X-Api-Key": KEY})

    assert answer.status == 502
    assert answer.header("X-Injected") is None
    assert answer.json()["error"]["code"] == "bad_gateway"
    after = program.call("/upstream/pm/", headers={"X-Api-Key": KEY})
    assert (after.status, after.body) == (200, b"good")


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(b"Content-Length: 9\r\n\r\nshort", id="short of its length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="no size"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n3\r\nab", id="half a chunk"),
        pytest.param(
            b"Transfer-Encoding: chunked\r\n\r\n2\r\nab0\r\n\r\n",
            id="no end of a chunk",
        ),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\n0\r\nx\r\n\r\n", id="trailer"),
    ],
)
def test_a_lying_body_is_passed_on_as_broken_and_the_next_answer_is_right(
    program: SwapperProgram, model: Model, lie: bytes
) -> None:
    model.lie = b"HTTP/1.1 200 OK\r\n" + lie
    with connect(int(program.url.rpartition(":")[2])) as sock:
        sock.sendall(SMUGGLED)
        received = read_all(sock)

    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    if b"\r\nContent-Length: 9\r\n" in received:
        assert received.endswith(b"\r\n\r\nshort")
    else:
        assert not received.endswith(b"0\r\n\r\n")
    after = program.call("/upstream/pm/", headers={"X-Api-Key": KEY})
    assert (after.status, after.body) == (200, b"good")


@pytest.mark.parametrize("extra", [b"x", b"\r\n", GOOD.replace(b"good", b"evil")])
def test_what_follows_an_answer_is_nobodys(
    program: SwapperProgram, model: Model, extra: bytes
) -> None:
    model.lie = GOOD + extra
    for _ in range(2):
        answer = program.call("/upstream/pm/", headers={"X-Api-Key": KEY})
        assert (answer.status, answer.body) == (200, b"good")


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Bearer {KEY}\0",
        f"Authorization:\r\n Bearer {KEY}: x",
        f"Authorization : Bearer {KEY}",
        f"{KEY} : x",
        f"{KEY}",
        f"Content-Length: {KEY}",
        f"Transfer-Encoding: {KEY}",
        f"Host: {KEY} {KEY}",
        f"Authorization: Basic {KEY}",
        f"Authorization: Bearer {KEY}x",
        f"Cookie: {KEY}",
    ],
)
def test_a_key_in_the_wrong_place_is_neither_logged_nor_repeated(
    program: SwapperProgram, line: str
) -> None:
    raw = f"GET /running?k={KEY} HTTP/1.1\r\n{line}\r\nHost: a\r\n\r\n"
    with connect(int(program.url.rpartition(":")[2])) as sock:
        sock.sendall(raw.encode())
        answer = read_answer(sock)
    log = program.call("/logs", headers={"X-Api-Key": KEY}).body.decode()

    assert answer.status >= 400
    assert KEY.encode() not in answer.body
    log += "\n".join(program.lines)
    assert KEY not in log
    assert PEER_KEY not in log


def test_a_peer_is_not_asked_what_it_was_sent(
    program: SwapperProgram, model: Model
) -> None:
    before = len(model.asked)
    last = SMUGGLED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    answer, rest = ask(program, SMUGGLED.replace(b"GET", b"TRACE") + last)

    assert (answer.status, answer["content-type"]) == (400, "application/json")
    assert b"TRACE" in answer.body
    assert "GET /smuggled" in model.asked[before:]
    assert not [one for one in model.asked if one.startswith("TRACE")]
    assert rest.endswith(b"good")
