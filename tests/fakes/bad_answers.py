"""Answers of an upstream that start out valid and are then damaged."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

_INJECTED: Final = (b"\r\n", b"\n", b"\r", b"\0", b"\x0b", b"\x7f", b"\x1b")
_BOMB: Final = gzip.compress(bytes(1 << 20), mtime=0)
POISON: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nX-Poison: 1\r\n\r\npoisoned"


@dataclass
class DraftAnswer:
    """An answer in parts that can be damaged one by one.

    Attributes:
        before: bytes that precede it, interim answers for example.
        fields: whole lines without their end, which is *line_end*.
        chunks: size line and data with their line ends; None sends *body*.
        after: bytes that nobody asked for.
        is_valid: nothing is damaged.
        is_early: sent before the request's body has been read.
        ending: ``keep`` the connection, ``close`` or ``reset`` it.
        step_bytes: how much a single send takes.
    """

    status_line: bytes
    body: bytes
    before: bytes = b""
    fields: list[bytes] = field(default_factory=list)
    chunks: list[list[bytes]] | None = None
    line_end: bytes = b"\r\n"
    after: bytes = b""
    is_valid: bool = True
    is_early: bool = False
    ending: str = "keep"
    step_bytes: int = 4000

    def to_bytes(self) -> bytes:
        lines = [self.status_line, *self.fields, b"", b""]
        head = self.before + self.line_end.join(lines)
        if self.chunks is None:
            return head + self.body + self.after
        return head + b"".join(map(b"".join, self.chunks)) + self.after


def valid_answer(dice: Random, token: bytes) -> DraftAnswer:
    """Return an answer that a client has to get as it is."""
    status = dice.choice((b"200 OK", b"200", b"404 Not Found", b"503 \xe9", b"299 "))
    made = DraftAnswer(b"HTTP/1.1 " + status, b"")
    made.fields = [b"X-Token: " + token, b"Set-Cookie: a=1"]
    _content(dice, made, token)
    made.step_bytes = dice.choice((1, 7, 50, 4000, 4000, 4000, 4000, 4000))
    if dice.random() < 0.2:
        made.before = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * dice.randrange(3)
    match dice.randrange(3):
        case 0:
            made.fields.append(b"Content-Length: %d" % len(made.body))
        case 1:
            _chunk(dice, made)
        case _:
            made.ending = "close"
    return made


def _content(dice: Random, made: DraftAnswer, token: bytes) -> None:
    """Say something, with token counts in it more often than not."""
    usage = b'"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}'
    match dice.randrange(4):
        case 0:
            made.fields.append(b"Content-Type: text/plain")
            made.body = token + dice.randbytes(dice.randrange(60))
        case 1:
            made.fields.append(b"Content-Type: text/event-stream")
            made.body = b'data: {"id":"%b",%b}\n\ndata: [DONE]\n\n' % (token, usage)
        case _:
            made.fields.append(b"Content-Type: application/json")
            made.body = b'{"id":"%b",%b}' % (token, usage)
    if dice.random() < 0.3:
        made.fields.append(b"Content-Encoding: gzip")
        made.body = gzip.compress(made.body, mtime=0)


def _odd_content(dice: Random, made: DraftAnswer) -> None:
    """Other bytes for those who look into answers; the framing stays right."""
    deep = dice.choice((50, 3000))
    bodies = (
        *(
            b"{",
            b"null",
            b"\xff\xfe",
            b'{"usage":null}',
            b'{"usage":[]}',
            b'{"usage":5}',
        ),
        b'{"usage":{"prompt_tokens":-1,"completion_tokens":1e400,"total_tokens":"7"}}',
        b'{"usage":{"prompt_tokens":' + b"9" * 5000 + b',"completion_tokens":NaN}}',
        b'{"usage":' + b'{"a":' * deep + b"1" + b"}" * deep + b"}",
        b'{"timings":{"prompt_n":1.5,"predicted_per_second":"x","predicted_ms":-0}}',
        b"data: \xff\n\n" + b"data: {" + b"x" * 70_000 + b"\n\ndata:\n\n:\n\n",
        b'data: {"usage":{"prompt_tokens":{}}}\r\rdata: [' + b"[" * deep + b"\n\n",
        b'event: message_delta\ndata: {"usage":{"output_tokens":true}}\n\n',
        _BOMB,
        gzip.compress(b'{"usage":{}}', mtime=0)[:-6],
        gzip.compress(b'{"usage":{}}', mtime=0) * 3,
        gzip.compress(b"data: x\n\n", mtime=0) + b"trash",
        zlib.compress(b'{"usage":{"prompt_tokens":1}}'),
        b"\x1f\x8b\x08\x00" + dice.randbytes(40),
    )
    made.body = dice.choice(bodies)
    coding = dice.choice((b"gzip", b"deflate", b"GZIP, gzip", b"br", b"identity", b"x"))
    made.fields.append(b"Content-Encoding: " + coding)
    for at, line in enumerate(made.fields):
        if line.startswith(b"Content-Length"):
            made.fields[at] = b"Content-Length: %d" % len(made.body)
    if made.chunks is not None:
        made.fields = [f for f in made.fields if not f.startswith(b"Transfer-")]
        _chunk(dice, made)


def _chunk(dice: Random, made: DraftAnswer) -> None:
    made.fields.append(b"Transfer-Encoding: chunked")
    made.chunks, left = [], made.body
    while left:
        size = dice.randrange(1, 30) if len(left) < 300 else dice.randrange(1, 30_000)
        piece, left = left[:size], left[size:]
        made.chunks.append([b"%x\r\n" % len(piece), piece, b"\r\n"])
    made.chunks.append([b"0\r\n", dice.choice((b"", b"X-T: 1\r\n")), b"\r\n"])


# --- damage -----------------------------------------------------------------------


def _status_line(dice: Random, made: DraftAnswer) -> None:
    lines = (
        *(b"HTTP/1.1 000 x", b"HTTP/1.1 99 x", b"HTTP/1.1 1000 x", b"HTTP/1.1 20O OK"),
        *(
            b"HTTP/1.1 -20 x",
            b"HTTP/1.1 +200",
            b"HTTP/2 200",
            b"HTTP/1.2 200 OK",
            b"ICY 200",
        ),
        *(
            b"HTTP/1.1  200 OK",
            b"HTTP/1.1\t200 OK",
            b"HTTP/1.1 200\tOK",
            b" HTTP/1.1 200",
        ),
        *(
            b"HTTP/1.1 200 O\rK",
            b"HTTP/1.1 200 O\nX: 1",
            b"HTTP/1.1 200 \x00",
            b"",
            b"200 OK",
        ),
        *(b"HTTP/1.1 999 x", b"HTTP/1.1 600", b"HTTP/1.0 200 OK", b"HTTP/1.1 199 x"),
        *(
            b"HTTP/1.1 101 Switching Protocols",
            b"HTTP/1.1 100 Continue",
            b"http/1.1 200 OK",
        ),
        *(
            b"HTTP/1.1 204 No Content",
            b"HTTP/1.1 304 Not Modified",
            b"HTTP/1.1 205 Reset",
        ),
        *(
            b"HTTP/1.1 \xb2\xb2\xb2 x",
            b"GET / HTTP/1.1",
            b"HTTP/1.1 200 " + b"r" * 70_000,
        ),
    )
    made.status_line = dice.choice(lines)


def _header(dice: Random, made: DraftAnswer) -> None:
    lines = (
        *(
            b"X-A : 1",
            b" X-A: 1",
            b"\tfolded",
            b"no colon",
            b": no name",
            b"X A: 1",
            b"",
        ),
        *(
            b"X-A\x00: 1",
            b"X-\xe9: 1",
            b"X-A: \x00",
            b"X-A: \x1b[2J",
            b"X-A: \x7f",
            b"(x): 1",
        ),
        *(
            b"Location: /\rX-Injected: 1",
            b"Location: /\nX-Injected: 1",
            b"X-Injected\r: 1",
        ),
        *(b"Connection: X-Token, close", b"Connection: keep-alive, Content-Length"),
        *(b"Content-Encoding: gzip", b"Content-Encoding: gzip, br", b"Trailer: X-T"),
        *(b"Upgrade: websocket", b"Connection: Upgrade", b"Keep-Alive: timeout=0"),
        *(b"Date: never", b"Server: \xff\xfe", b"Content-Type: Text/Event-Stream"),
        *(b"N" * 257 + b": v", b"X-Big: " + b"b" * 80_000, b"X-A: b" + b"\t " * 40),
        b"X-Huge: " + b"b" * (1 << 20),
    )
    made.fields.insert(dice.randrange(len(made.fields) + 1), dice.choice(lines))


def _injection(dice: Random, made: DraftAnswer) -> None:
    if not made.fields:
        return
    at = dice.randrange(len(made.fields))
    line = made.fields[at]
    cut = dice.randrange(len(line) + 1)
    made.fields[at] = line[:cut] + dice.choice(_INJECTED) + line[cut:]


def _line_end(dice: Random, made: DraftAnswer) -> None:
    made.line_end = dice.choice((b"\n", b"\r", b"\r\r\n", b"\n\r"))


def _length(dice: Random, made: DraftAnswer) -> None:
    real = len(made.body)
    values = (
        *(b"%d" % (real + 9), b"%d" % max(0, real - 3), b"-1", b"+%d" % real, b"0x4"),
        *(
            b"%d, %d" % (real, real),
            b"",
            b"1e1",
            b"9" * 30,
            b"\xb2",
            b"%d;" % real,
            b"0",
        ),
    )
    line = b"Content-Length: " + dice.choice(values)
    if dice.random() < 0.6:
        made.fields = [f for f in made.fields if not f.startswith(b"Content-Length")]
    made.fields.insert(dice.randrange(len(made.fields) + 1), line)


def _coding(dice: Random, made: DraftAnswer) -> None:
    values = (
        *(
            b"chunked, chunked",
            b"xchunked",
            b"identity",
            b"gzip, chunked",
            b"",
            b"chunked",
        ),
        *(b"chunked;q=1", b"\x0bchunked", b"chunked\x00", b",chunked", b"CHUNKED"),
    )
    line = b"Transfer-Encoding: " + dice.choice(values)
    if dice.random() < 0.6:
        made.fields = [f for f in made.fields if not f.startswith(b"Transfer-")]
    made.fields.insert(dice.randrange(len(made.fields) + 1), line)


def _chunks(dice: Random, made: DraftAnswer) -> None:
    if made.chunks is None:
        made.fields = [f for f in made.fields if not f.startswith(b"Content-Length")]
        _chunk(dice, made)
        made.ending = "keep"
    assert made.chunks is not None
    chunk = dice.choice(made.chunks)
    size = chunk[0].strip()
    match dice.randrange(4):
        case 0:
            sizes = (
                *(b"-" + size, b"0x" + size, size + b"g", b"", b"f" * 16, b"f" * 17),
                *(size + b";x\n", size + b";" + b"e" * 5000, b" " + size, size + b"\0"),
            )
            chunk[0] = dice.choice(sizes) + b"\r\n"
        case 1:
            chunk[0] = size + dice.choice((b"\n", b"\r", b"", b"\r\r\n"))
        case 2:
            chunk[2] = dice.choice((b"", b"\n", b"XX", b"\r\n\r\n"))
        case _:
            trailers = (b"X\r\n", b": x\r\n", b"A: b\n", b" f: x\r\n", b"T: \0\r\n")
            made.chunks[-1][1] = dice.choice(
                (*trailers, b"t: " + b"t" * 70_000 + b"\r\n")
            )


def _interim(dice: Random, made: DraftAnswer) -> None:
    one = dice.choice(
        (
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 150 x\r\nContent-Length: 3\r\n\r\n",
            b"HTTP/1.1 102 x\r\nX: " + b"p" * 9000 + b"\r\n\r\n",
        )
    )
    made.before = one * dice.choice((1, 3, 200))


def _extra(dice: Random, made: DraftAnswer) -> None:
    made.after = dice.choice((b"x", b"\r\n", POISON, b"\0" * 100, b"HTTP/1.1 "))


def _no_body_status(dice: Random, made: DraftAnswer) -> None:
    made.status_line = dice.choice((b"HTTP/1.1 204 N", b"HTTP/1.1 304 N"))


def _cut(dice: Random, made: DraftAnswer) -> None:
    raw = made.to_bytes()
    made.before, made.status_line, made.fields = (
        raw[: dice.randrange(max(1, len(raw)))],
        b"",
        [],
    )
    made.line_end, made.body, made.chunks, made.after = b"", b"", None, b""
    made.ending = dice.choice(("close", "reset"))


def _early(dice: Random, made: DraftAnswer) -> None:
    made.is_early = True
    made.ending = dice.choice(("keep", "close", "reset"))


def _flip(dice: Random, made: DraftAnswer) -> None:
    raw = made.to_bytes()
    at = dice.randrange(max(1, len(raw)))
    byte = bytes([dice.randrange(256)])
    made.before = raw[:at] + byte + raw[at + dice.randrange(2) :]
    made.status_line, made.fields, made.line_end = b"", [], b""
    made.body, made.chunks, made.after = b"", None, b""


_MUTATIONS: Final[tuple[Callable[[Random, DraftAnswer], None], ...]] = (
    *(_status_line, _header, _injection, _line_end, _length, _coding, _chunks, _flip),
    *(_odd_content, _odd_content, _odd_content),
    *(_interim, _extra, _no_body_status, _early, _length, _chunks, _header),
)


def damaged_answer(dice: Random, token: bytes) -> DraftAnswer:
    """Return an answer with one to three things wrong; it ends in bounded time."""
    made = valid_answer(dice, token)
    made.is_valid = False
    for _ in range(dice.choice((1, 1, 2, 3))):
        dice.choice(_MUTATIONS)(dice, made)
    if dice.random() < 0.2:
        _cut(dice, made)
    elif made.ending == "keep" and dice.random() < 0.3:
        made.ending = dice.choice(("close", "reset"))
    return made
