"""Heads that we accept mean to the standard library what they mean to us."""

import http.client
import io
from email.message import Message
from http.server import BaseHTTPRequestHandler

from hypothesis import given
from hypothesis import strategies as st

from swapper.net.http1 import (
    ProtocolError,
    RequestHead,
    ResponseHead,
    parse_request_head,
    parse_response_head,
)

names = st.sampled_from(
    ["host", "Content-Length", "Connection", "X-A", "x-a", "x_b", "Accept", "Cookie"]
)
values = st.one_of(
    st.sampled_from(["h", "0", "7", "chunked", "close", "keep-alive", "a, b", "", "é"]),
    st.text(st.characters(max_codepoint=255), max_size=8),
)
fields = st.lists(st.tuples(names, values), max_size=5)
methods = st.sampled_from(["GET", "POST", "OPTIONS", "get", "M-SEARCH"])
targets = st.one_of(
    st.sampled_from(["/", "/a?b=c", "*", "http://h/x", "/%2f"]),
    st.text(st.characters(max_codepoint=255), max_size=6),
)
versions = st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1"])
damages = st.lists(st.tuples(st.integers(0, 150), st.binary(max_size=3)), max_size=2)


def head(
    first: str, pairs: list[tuple[str, str]], damage: list[tuple[int, bytes]]
) -> bytes:
    lines = [first, *(f"{name}: {value}" for name, value in pairs)]
    raw = bytearray("\r\n".join(lines).encode("latin-1"))
    for at, with_ in damage:
        raw[min(at, len(raw)) : at + len(with_)] = with_
    return bytes(raw) + b"\r\n\r\n"


class Oracle(BaseHTTPRequestHandler):
    """The standard library's server, as far as the end of a head."""

    def __init__(self, raw: bytes) -> None:
        self.rfile = io.BufferedReader(io.BytesIO(raw))
        self.raw_requestline = self.rfile.readline()
        self.problem = ""
        self.is_accepted = self.parse_request()

    def send_error(
        self, code: int, message: str | None = None, explain: str | None = None
    ) -> None:
        self.problem = f"{code} {message} {explain}"


def same_fields(ours: RequestHead | ResponseHead, theirs: Message) -> bool:
    return [(name, value.strip(" \t")) for name, value in theirs.items()] == list(
        ours.headers
    )


@given(methods, targets, versions, fields, damages)
def test_a_request_that_we_accept_is_the_same_to_the_standard_server(
    method: str,
    target: str,
    version: str,
    pairs: list[tuple[str, str]],
    damage: list[tuple[int, bytes]],
) -> None:
    raw = head(f"{method} {target} {version}", [("Host", "h"), *pairs], damage)
    try:
        ours = parse_request_head(raw)
    except ProtocolError:
        return
    if ours.target.split() != [ours.target]:
        return  # it divides the line at blanks of Unicode as well, which are bytes here
    theirs = Oracle(raw)

    assert theirs.is_accepted, theirs.problem
    assert ours.method == theirs.command
    # it makes one slash of several, against links that would lead to another host
    assert ours.target.lstrip("/") == theirs.path.lstrip("/")
    assert same_fields(ours, theirs.headers)


class _Socket:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


@given(
    st.sampled_from(["HTTP/1.1", "HTTP/1.0"]),
    st.sampled_from(
        ["200 OK", "204", "304 ", "404 Not Found", "099 x", "20 x", "2000"]
    ),
    fields,
    damages,
)
def test_an_answer_that_we_accept_is_the_same_to_the_standard_client(
    version: str,
    status: str,
    pairs: list[tuple[str, str]],
    damage: list[tuple[int, bytes]],
) -> None:
    raw = head(f"{version} {status}", pairs, damage)
    try:
        ours = parse_response_head(raw, request_method="GET")
    except ProtocolError:
        return
    if ours.status < 200:
        return  # it reads on behind it
    theirs = http.client.HTTPResponse(_Socket(raw))  # type: ignore[arg-type]  # all it uses
    theirs.begin()

    assert ours.status == theirs.status
    assert ours.reason.strip() == theirs.reason
    assert same_fields(ours, theirs.headers)
