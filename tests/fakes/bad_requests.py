"""Requests that start out valid and are then damaged, from a seeded dice."""

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from tests.fakes.bad_bodies import MULTIPART, odd_body

KEY: Final = "key-of-the-owner-7d1f"
HOST: Final = b"fuzz.example"
PEER_NAMES: Final = ("pm", "good/pm")
LOCAL_NAMES: Final = ("local", "edited")

_JSON_PATHS: Final = (
    b"/v1/chat/completions",
    b"/v1/completions",
    b"/v/chat/completions",
    b"/infill",
    b"/v1/embeddings",
)
_PLAIN: Final = (
    b"/health",
    b"/running",
    b"/v1/models",
    b"/api/version",
    b"/api/profiles",
    b"/no/such/path",
    b"/",
    b"/upstream",
    b"/comfyui/x",
)
_ODD_WORDS: Final = (
    *(
        b"",
        b"0",
        b"-1",
        b"9" * 20,
        b"9" * 5000,
        b"%00",
        b"%ff",
        b"%C2%B2",
        b"x",
        b"1e3",
    ),
    *(b"%ed%a0%80", b"%", b"a%2Fb", b"%2e%2e%2f", b"x/" * 500, b"%0d%0a", b"'", b"\\"),
)
_ADMIN: Final = (
    *((b"POST", b"/api/inflight/%b/cancel"), (b"GET", b"/api/metrics/stats?model=%b")),
    *((b"GET", b"/api/metrics/activity?%b=%b"), (b"POST", b"/api/models/unload/%b")),
    *((b"GET", b"/api/captures/%b"), (b"GET", b"/api/performance?after=%b")),
    *((b"GET", b"/ui/%b"), (b"GET", b"/upstream/%b/x"), (b"GET", b"/comfyui/%b")),
    *((b"GET", b"/props?model=%b"), (b"PUT", b"/api/profiles/active")),
    *((b"GET", b"/api/hardware"), (b"GET", b"/metrics")),
)
_FILTERS: Final = (
    *(b"page", b"limit", b"sort", b"order", b"model", b"start", b"end", b"min_id"),
    *(b"max_id", b"models", b"from", b"to"),
)
_CONTROLS: Final = (b"\0", b"\n", b"\r", b"\x0b", b"\x7f", b"\x1b", b"\x85", b"\xa0")
_BLANKS: Final = (b" ", b"\t", b"\x0b", b"\x0c", b"\r\n ", b"\n ", b"\r\n\t")


@dataclass
class Draft:
    """A request in parts that can be damaged one by one.

    Attributes:
        token: stands in the target, and nowhere else in the run.
        fields: name, what separates it from the value, value, line end.
        chunks: size line and data with their line ends; None sends *body*.
        is_forwarded: a model gets it, if nothing is damaged.
    """

    token: bytes
    method: bytes = b"GET"
    target: bytes = b"/"
    version: bytes = b"HTTP/1.1"
    fields: list[list[bytes]] = field(default_factory=list)
    body: bytes = b""
    chunks: list[list[bytes]] | None = None
    end_of_head: bytes = b"\r\n"
    is_forwarded: bool = False

    def add(self, name: bytes, value: bytes) -> None:
        self.fields.append([name, b": ", value, b"\r\n"])

    def to_bytes(self) -> bytes:
        start = b" ".join((self.method, self.target, self.version)) + b"\r\n"
        head = start + b"".join(map(b"".join, self.fields)) + self.end_of_head
        if self.chunks is None:
            return head + self.body
        return head + b"".join(map(b"".join, self.chunks))


def valid_request(dice: Random, token: str) -> Draft:
    """Return a request that swapper has to answer properly."""
    draft = Draft(token.encode())
    draft.add(b"Host", HOST)
    draft.add(b"Authorization", f"Bearer {KEY}".encode())
    kind = dice.randrange(6)
    if kind == 0:
        draft.method = dice.choice((b"GET", b"GET", b"HEAD", b"OPTIONS"))
        draft.target = dice.choice(_PLAIN) + b"?t=" + draft.token
    elif kind == 1:
        _pass_through(dice, draft)
    elif kind == 2:
        _with_form(dice, draft)
    else:
        draft.method = b"POST"
        draft.target = dice.choice(_JSON_PATHS) + b"?t=" + draft.token
        draft.add(b"Content-Type", b"application/json")
        name = dice.choice((*PEER_NAMES, *LOCAL_NAMES))
        body = {"model": name, "stream": False, "t": token, "prompt": "é" * 3}
        draft.body = json.dumps(body, ensure_ascii=dice.random() < 0.5).encode()
        draft.is_forwarded = True
    if draft.method == b"POST":
        _frame(dice, draft)
    if dice.random() < 0.1:
        draft.add(b"Connection", dice.choice((b"close", b"keep-alive", b"X-A, close")))
    if dice.random() < 0.1:
        draft.add(b"Expect", b"100-continue")
    return draft


def _pass_through(dice: Random, draft: Draft) -> None:
    name = dice.choice((*PEER_NAMES, "good%2Fpm", *LOCAL_NAMES)).encode()
    rest = dice.choice((b"x", b"a%2Fb/%E2%9C%93", b"v1/chat/completions", b"a%2e/~q"))
    draft.target = b"/upstream/" + name + b"/" + rest + b"?t=" + draft.token
    draft.method = dice.choice((b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"PATCH"))
    draft.is_forwarded = True
    if draft.method in {b"PUT", b"PATCH"}:
        draft.body = dice.randbytes(dice.randrange(40))
        draft.add(b"Content-Length", str(len(draft.body)).encode())
    elif draft.method == b"GET" and dice.random() < 0.1:
        draft.add(b"Connection", b"Upgrade")
        draft.add(b"Upgrade", b"websocket")


def _with_form(dice: Random, draft: Draft) -> None:
    draft.method = b"POST"
    draft.target = b"/v1/audio/transcriptions?t=" + draft.token
    name = dice.choice((*PEER_NAMES, *LOCAL_NAMES))
    draft.is_forwarded = True
    if dice.random() < 0.5:
        draft.add(b"Content-Type", b"application/x-www-form-urlencoded")
        draft.body = f"a=%C3%A9&model={name}&b=1+2".encode()
        return
    draft.add(b"Content-Type", b"multipart/form-data; boundary=" + MULTIPART)
    draft.body = (
        b"--%b\r\nContent-Disposition: form-data; name=file; filename=f\r\n\r\n%b\r\n"
        b"--%b\r\nContent-Disposition: form-data; name=model\r\n\r\n%b\r\n--%b--\r\n"
    ) % (MULTIPART, dice.randbytes(20), MULTIPART, name.encode(), MULTIPART)


def _frame(dice: Random, draft: Draft) -> None:
    if dice.random() < 0.6:
        draft.add(b"Content-Length", str(len(draft.body)).encode())
        return
    draft.add(b"Transfer-Encoding", dice.choice((b"chunked", b"Chunked", b" chunked ")))
    draft.chunks, left = [], draft.body
    while left:
        size = dice.randrange(1, 40)
        piece, left = left[:size], left[size:]
        extension = dice.choice((b"", b"", b";a=b", b' ; q="x"'))
        line = b"%x%b\r\n" % (len(piece), extension)
        draft.chunks.append([line, piece, b"\r\n"])
    trailer = dice.choice((b"", b"", b"X-T: 1\r\n"))
    draft.chunks.append([b"0\r\n", trailer, b"\r\n"])


# --- damage -----------------------------------------------------------------------


def _any_field(dice: Random, draft: Draft) -> list[bytes]:
    return dice.choice(draft.fields)


def _framing_field(dice: Random, draft: Draft) -> list[bytes]:
    names = {b"content-length", b"transfer-encoding", b"host"}
    return dice.choice([f for f in draft.fields if f[0].lower() in names])


def _start_line(dice: Random, draft: Draft) -> None:
    match dice.randrange(5):
        case 0:
            versions = (
                *(b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.9", b"http/1.1"),
                *(b"HTTP/1.1 ", b"HTTP/1.", b"HTTP/11", b"HTTP/1.1\x00", b"", b"x"),
            )
            draft.version = dice.choice(versions)
        case 1:
            methods = (
                *(b"get", b"G T", b"", b"CONNECT", b"TRACE", b"M\xc3\xa9", b"(GET)"),
                *(b"\r\nGET", b"GET\t", b"PRI", b"OPTIONS", b"A" * 300),
            )
            draft.method = dice.choice(methods)
        case 2:
            draft.version = b"HTTP/1.1\n" + dice.choice((b"X: 1", b"Host: y"))
        case 3:
            draft.target = b" " + draft.target
        case _:
            draft.target += dice.choice((b"#f", b" x", b"\x00", b"\r", b"\t", b"\xff"))


def _target(dice: Random, draft: Draft) -> None:
    host = dice.choice((b"evil.example", b"u:p@h", b"[::1]:1", b"", b"a b"))
    rest = draft.target
    forms = (
        *(b"http://" + host + rest, b"HTTP://" + host + rest, b"//" + host + rest),
        *(host + b":443", b"*", rest.lstrip(b"/"), b"/%2e%2e" + rest, b"/.." + rest),
        *(b"/\\" + host + rest, rest.replace(b"/", b"//", 1), b"/./" + rest),
        *(rest.replace(b"/", b"%2F"), rest.replace(b"?", b"%3F"), rest + b"%"),
        *(rest + b"%zz", rest + b"%00", rest + b"%0d%0aX-Injected:%201"),
        *(b"file://" + rest, b"javascript:alert", b"x://" + host + b"?" + rest),
        *(b"/upstream/..%2f..%2f" + host + rest, b"/upstream/@" + host + rest),
        *(b"/upstream//pm" + rest, b"/upstream/pm:80@" + host + rest),
    )
    draft.target = dice.choice(forms)


def _names(dice: Random, draft: Draft) -> None:
    line = _any_field(dice, draft)
    at = dice.randrange(len(line[0]) + 1)
    odd = dice.choice((*_CONTROLS, b" ", b"\t", b":", b"(", b"\xe9", b"_"))
    line[0] = line[0][:at] + odd + line[0][at:]


def _separators(dice: Random, draft: Draft) -> None:
    line = _any_field(dice, draft)
    line[1] = dice.choice((b"", b" :", b"\t: ", b":\r\n ", b":\n ", b": \0", b":\x0b"))


def _values(dice: Random, draft: Draft) -> None:
    line = _any_field(dice, draft)
    at = dice.randrange(len(line[2]) + 1)
    odd = dice.choice((*_CONTROLS, *_BLANKS, b"\r\nX-Injected: 1", b"\nX-Injected: 1"))
    line[2] = line[2][:at] + odd + line[2][at:]


def _line_ends(dice: Random, draft: Draft) -> None:
    end = dice.choice((b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"", b"\r\n\r\n"))
    if dice.random() < 0.2:
        draft.end_of_head = end
    else:
        _any_field(dice, draft)[3] = end


def _lengths(dice: Random, draft: Draft) -> None:
    real = str(len(draft.body)).encode()
    values = (
        *(b"0", real, real + b"1", b"-1", b"+" + real, b"0x" + real, b"0" + real),
        *(real + b", " + real, real + b";", b" ", b"1e1", b"9" * 30, b"\xb2"),
        *(str(len(draft.body) + 7).encode(), b"18446744073709551616", b"1_0"),
    )
    name = dice.choice((b"Content-Length", b"content-length", b"Content_Length"))
    draft.fields.insert(
        dice.randrange(len(draft.fields) + 1),
        [name, b": ", dice.choice(values), b"\r\n"],
    )


def _codings(dice: Random, draft: Draft) -> None:
    values = (
        *(b"chunked", b"chunked, chunked", b"xchunked", b"chunked;q=1", b"\x0bchunked"),
        *(
            b"identity",
            b"gzip, chunked",
            b"chunked, gzip",
            b"",
            b", chunked",
            b"CHUNKED",
        ),
        *(b"chunked\x00", b"chunk\xeb\xe4", b'"chunked"', b"chunked,", b"cow"),
    )
    name = dice.choice((b"Transfer-Encoding", b"transfer-encoding", b"TE"))
    draft.fields.insert(
        dice.randrange(len(draft.fields) + 1),
        [name, b": ", dice.choice(values), b"\r\n"],
    )


def _doubled(dice: Random, draft: Draft) -> None:
    line = list(_framing_field(dice, draft))
    if dice.random() < 0.3:
        line[2] = dice.choice((b"evil.example", b"3", b"chunked", b""))
    draft.fields.insert(dice.randrange(len(draft.fields) + 1), line)


def _dropped(dice: Random, draft: Draft) -> None:
    draft.fields.remove(_framing_field(dice, draft))


def _chunks(dice: Random, draft: Draft) -> None:
    if draft.chunks is None:
        draft.add(b"Transfer-Encoding", b"chunked")
        draft.fields = [f for f in draft.fields if f[0] != b"Content-Length"]
        draft.chunks = [[b"%x\r\n" % len(draft.body), draft.body, b"\r\n"]]
        draft.chunks.append([b"0\r\n", b"", b"\r\n"])
    chunk = dice.choice(draft.chunks)
    match dice.randrange(4):
        case 0:
            size = chunk[0].partition(b";")[0].strip()
            sizes = (
                *(
                    b"-" + size,
                    b"0x" + size,
                    b"+" + size,
                    size + b"g",
                    b"",
                    b" " + size,
                ),
                *(
                    b"f" * 16,
                    b"f" * 17,
                    b"1" + b"0" * 16,
                    b"0" * 40 + size,
                    size + b"_",
                ),
                *(size + b";" + b"e" * 5000, size + b";\n", size + b";a\rb", b"\xb2"),
                *(size + b" ", size + b"\t;x", size + b"\x0b", size + b";\x00"),
            )
            chunk[0] = dice.choice(sizes) + b"\r\n"
        case 1:
            chunk[0] = chunk[0].strip() + dice.choice((b"\n", b"\r", b"", b"\r\r\n"))
        case 2:
            chunk[2] = dice.choice((b"", b"\n", b"\r", b"XX", b"\r\n\r\n", b"\0\0"))
        case _:
            trailers = (
                *(
                    b"X\r\n",
                    b": x\r\n",
                    b"Content-Length: 9\r\n",
                    b"A: b\n",
                    b" f: x\r\n",
                ),
                *(
                    b"Transfer-Encoding: x\r\n",
                    b"X-T: \0\r\n",
                    b"T: " + b"t" * 70000 + b"\r\n",
                ),
            )
            draft.chunks[-1][1] = dice.choice(trailers)


def _many_fields(dice: Random, draft: Draft) -> None:
    match dice.randrange(4):
        case 0:
            draft.add(b"X-Big", b"b" * dice.choice((70_000, 70_000, 70_000, 1 << 20)))
        case 1:
            for number in range(dice.choice((100, 3000))):
                draft.add(b"X-%d" % number, b"v")
        case 2:
            draft.add(b"N" * dice.choice((256, 257, 5000)), b"v")
        case _:
            draft.target += b"&" + b"a=b&" * 20_000


def _odd_fields(dice: Random, draft: Draft) -> None:
    fields = (
        (b"Expect", dice.choice((b"100-continue", b"200-ok", b"100-continue, x"))),
        (b"Connection", dice.choice((b"Upgrade, HTTP2-Settings", b"Host", b",,close"))),
        (b"Connection", b"Content-Length, Authorization, Transfer-Encoding"),
        (b"Upgrade", dice.choice((b"h2c", b"websocket", b"TLS/1.0, websocket"))),
        (b"Origin", dice.choice((b"http://[", b"null", b"http://evil", b"://", b"x"))),
        (
            b"Origin",
            dice.choice((b"http://[::1", b"http://a]b", b"http://\xe2\x84\x80")),
        ),
        (b"Sec-Fetch-Site", dice.choice((b"cross-site", b"none", b"x"))),
        (b"Accept-Encoding", dice.choice((b"", b",,", b"gzip;q=", b"*;q=0"))),
        (b"X-Forwarded-For", dice.choice((b"", b"a, b", b"\xff", b"," * 50))),
        (b"Authorization", dice.choice((b"Basic", b"Basic =", b"Bearer \xff", b"x"))),
        (b"Accept", dice.choice((b"text/html", b"text/plain", b"\xff", b""))),
        (b"Content-Encoding", b"gzip"),
        (b"X-Request-Id", dice.choice((b"a b", b"\xff", b"x" * 300, b"ok-1", b""))),
        (b"User-Agent", dice.choice((b"\x9b2J", b"\xc3\xa9", b'"', b"%s %d"))),
        (b"Content-Type", dice.choice((b"application/json", b"multipart/form-data"))),
        (
            b"Content-Type",
            b"multipart/form-data; boundary="
            + dice.choice(
                (b'"', b'""', b"\xff", b"a b", b"x" * 5000, b"*=utf-8''%e9", b";;;")
            ),
        ),
        (b"Host", dice.choice((b"a/b", b"a b", b"a@b", b"", b"[", b"\xff", b"a,b"))),
        (b"Access-Control-Request-Headers", b"a, \xff, b c, " + b"d" * 100),
        (b"Range", b"bytes=0-1"),
        (b"TE", b"trailers, chunked"),
    )
    name, value = dice.choice(fields)
    if dice.random() < 0.5:
        draft.fields = [f for f in draft.fields if f[0] != name]
    draft.add(name, value)


def _body_text(dice: Random, draft: Draft) -> None:
    """Another body under a right framing: what is inside may be anything."""
    if not draft.body:
        return
    _set_body(draft, odd_body(dice, draft.body))


def _set_body(draft: Draft, body: bytes) -> None:
    """Change the body and what frames it."""
    draft.body = body
    if draft.chunks is not None:
        whole = [b"%x\r\n" % len(draft.body), draft.body, b"\r\n"]
        draft.chunks = [whole] if draft.body else []
        draft.chunks.append([b"0\r\n", b"", b"\r\n"])
    for line in draft.fields:
        if line[0] == b"Content-Length":
            line[2] = str(len(draft.body)).encode()


def _admin(dice: Random, draft: Draft) -> None:
    """Another route, asked for something odd; the framing stays right."""
    draft.method, form = dice.choice(_ADMIN)
    words = [dice.choice(_ODD_WORDS) for _ in range(form.count(b"%b"))]
    if len(words) == 2:
        words[0] = dice.choice(_FILTERS)
    draft.target = form % tuple(words)
    if draft.method == b"PUT" and draft.body:
        names = (
            b'"\\ud800"',
            b"5",
            b"null",
            b'"x"',
            b"9" * 5000,
            b"[" * 3000,
            b'"\xff"',
        )
        _set_body(
            draft, b'{"name":' + dice.choice(names) + b"}" * (dice.random() < 0.9)
        )


_MUTATIONS: Final[tuple[Callable[[Random, Draft], None], ...]] = (
    *(_start_line, _target, _names, _separators, _values, _line_ends, _lengths),
    *(_codings, _doubled, _dropped, _chunks, _odd_fields, _body_text, _body_text),
    *(_lengths, _codings, _chunks, _target, _odd_fields, _many_fields),
    _admin,
)
_SMUGGLED: Final = b"GET /upstream/pm/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


def damaged_request(dice: Random, token: str) -> bytes:
    """Return the bytes of a request with one to three things wrong."""
    draft = valid_request(dice, token)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        try:
            dice.choice(_MUTATIONS)(dice, draft)
        except IndexError:  # nothing left to damage in that way
            continue
    raw = draft.to_bytes()
    if dice.random() < 0.15:
        raw = _scrambled(dice, raw)
    if dice.random() < 0.02:
        raw = dice.choice(
            (
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"GET /health\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + dice.randbytes(60),
                dice.randbytes(dice.randrange(200)) + b"\r\n\r\n",
            )
        )
    if dice.random() < 0.2:
        raw += _SMUGGLED
    return raw


def _scrambled(dice: Random, raw: bytes) -> bytes:
    at = dice.randrange(len(raw) + 1)
    match dice.randrange(5):
        case 0:
            return raw[:at]
        case 1:
            return raw[:at] + bytes([dice.randrange(256)]) + raw[at:]
        case 2:
            return raw[:at] + raw[at + 1 :]
        case 3:
            return raw[:at] + bytes([dice.randrange(256)]) + raw[at + 1 :]
        case _:
            other = dice.randrange(len(raw) + 1)
            return raw[: max(at, other)] + raw[min(at, other) :]


def split(dice: Random, raw: bytes) -> list[bytes]:
    """Return *raw* in one to four pieces, for as many sends."""
    cuts = sorted(
        dice.randrange(len(raw) + 1) for _ in range(dice.choice((0, 0, 1, 3)))
    )
    edges = [0, *cuts, len(raw)]
    return [raw[a:b] for a, b in itertools.pairwise(edges) if b > a]
