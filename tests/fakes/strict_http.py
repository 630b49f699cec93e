"""HTTP/1.1 read by the letter, to judge both sides of swapper by.

Shares no code with ``swapper.net``: what the two understand differently is a finding.
Where RFC 9112 leaves a choice this reader takes what a lenient recipient would, so that
refusing more is never a finding and accepting more always is.
"""

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

_TOKEN = frozenset((string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~").encode())
_FIELD_TEXT = frozenset({0x09, *range(0x20, 0x7F), *range(0x80, 0x100)})
_TARGET = _FIELD_TEXT - {0x09, 0x20, ord("#")}
_HOST = frozenset(
    (string.ascii_letters + string.digits + "-._~%!$&'()*+,;=:[]").encode()
)
_DIGITS = frozenset(b"0123456789")
_HEX = frozenset(b"0123456789abcdefABCDEF")
_NO_BODY = frozenset({204, 304})
MAX_HEAD_BYTES = 1 << 20
MAX_CHUNK_LINE_BYTES = 4096
MAX_TRAILER_BYTES = 1 << 16


class MalformedError(Exception):
    """The bytes are no HTTP/1.1, or two readers could differ about them."""


class End(Enum):
    """What stands behind the last whole message."""

    CLEAN = "nothing"
    IN_HEAD = "part of a head"
    IN_BODY = "part of a body"
    BAD_HEAD = "a malformed head"
    BAD_BODY = "a malformed body"


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message; header names in lower case."""

    start: tuple[bytes, ...]
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]

    @property
    def status(self) -> int:
        return int(self.start[1])

    @property
    def framing_count(self) -> int:
        return len(self.all(b"content-length") + self.all(b"transfer-encoding"))

    @property
    def closes(self) -> bool:
        """Return whether nothing may follow on the connection."""
        options = list(_items(self.all(b"connection")))
        is_old = b"HTTP/1.0" in self.start
        return b"close" in options or (is_old and b"keep-alive" not in options)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a stream of bytes says.

    Attributes:
        begun: the head of the message that is not whole, if it could be read.
        rest: bytes that belong to no message.
    """

    messages: tuple[Message, ...]
    end: End
    begun: Message | None = None
    rest: bytes = b""


def read_requests(data: bytes, *, limit: int | None = None) -> Reading:
    """Return the requests in *data*, up to the first that is not whole.

    Args:
        data: as received.
        limit: read no further than so many requests; None reads them all.
    """
    done: list[Message] = []
    while len(done) != limit:
        data = data.lstrip(b"\r\n")
        if not data:
            return Reading(tuple(done), End.CLEAN)
        try:
            head, data = _head(data)
            if head is None:
                return Reading(tuple(done), End.IN_HEAD, rest=data)
            _check_request(head)
            length = _length(head, version=head.start[2])
        except MalformedError:
            return Reading(tuple(done), End.BAD_HEAD, rest=data)
        try:
            found = _body(data, length or 0)
        except MalformedError:
            return Reading(tuple(done), End.BAD_BODY, head, data)
        if found is None:
            return Reading(tuple(done), End.IN_BODY, head, data)
        body, data = found
        done.append(Message(head.start, head.headers, body))
    return Reading(tuple(done), End.CLEAN, rest=data)


def read_answers(
    data: bytes,
    methods: Sequence[bytes],
    *,
    is_closed: bool,
    limit: int | None = None,
    skips_blank: bool = False,
) -> Reading:
    """Return the answers in *data* to requests with these methods, interim ones too.

    Args:
        data: as received.
        methods: of the requests in order; one too many counts as a GET.
        is_closed: nothing more will come.
        limit: read no further than so many final answers; None reads them all.
        skips_blank: let line ends stand before a head, as recipients may.
    """
    done: list[Message] = []
    finals = 0
    while data and finals != limit:
        method = methods[finals] if finals < len(methods) else b"GET"
        data = data.lstrip(b"\r\n") if skips_blank else data
        try:
            head, data = _head(data)
            if head is None:
                return Reading(tuple(done), End.IN_HEAD, rest=data)
            _check_answer(head)
            length = _length(head, version=head.start[0])
        except MalformedError:
            return Reading(tuple(done), End.BAD_HEAD, rest=data)
        if head.status < 200 or head.status in _NO_BODY or method == b"HEAD":
            length = 0
        elif length is None:
            if not is_closed:
                return Reading(tuple(done), End.IN_BODY, head, data)
            length = len(data)
        try:
            found = _body(data, length)
        except MalformedError:
            return Reading(tuple(done), End.BAD_BODY, head, data)
        if found is None:
            return Reading(tuple(done), End.IN_BODY, head, data)
        body, data = found
        done.append(Message(head.start, head.headers, body))
        finals += head.status >= 200
        if head.status == 101 or (head.status >= 200 and head.closes):
            break
    return Reading(tuple(done), End.CLEAN, rest=data)


def _head(data: bytes) -> tuple[Message | None, bytes]:
    end = data.find(b"\r\n\r\n")
    if end < 0 or end + 4 > MAX_HEAD_BYTES:
        if len(data) > MAX_HEAD_BYTES:
            raise MalformedError("head too large")
        return None, data
    first, *lines = data[:end].split(b"\r\n")
    if not _FIELD_TEXT.issuperset(first):
        raise MalformedError(f"bytes in {first[:200]!r}")
    headers = tuple(map(_field, lines))
    return Message(tuple(first.split(b" ", 2)), headers, b""), data[end + 4 :]


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not (colon and name and _TOKEN.issuperset(name)):
        raise MalformedError(f"field name {name[:200]!r}")
    if not _FIELD_TEXT.issuperset(value):
        raise MalformedError(f"field value {value[:200]!r}")
    return name.lower(), value.strip(b" \t")


def _check_request(head: Message) -> None:
    if len(head.start) != 3:
        raise MalformedError("request line")
    method, target, version = head.start
    if not (method and _TOKEN.issuperset(method)) or method == b"CONNECT":
        raise MalformedError("method")
    if not (target and _TARGET.issuperset(target)):
        raise MalformedError("target")
    scheme, mark, _ = target.partition(b"://")
    is_absolute = mark and scheme[:1].isalpha() and scheme.isalnum()
    is_server = target == b"*" and method == b"OPTIONS"
    if not (target.startswith(b"/") or is_absolute or is_server):
        raise MalformedError("form of the target")
    if not (
        len(version) == 8 and version.startswith(b"HTTP/1.") and version[7:].isdigit()
    ):
        raise MalformedError("version")
    hosts = head.all(b"host")
    if len(hosts) > 1 or (not hosts and version != b"HTTP/1.0"):
        raise MalformedError("Host")
    if hosts and not _HOST.issuperset(hosts[0]):
        raise MalformedError("value of Host")


def _check_answer(head: Message) -> None:
    version, status = (*head.start, b"", b"")[:2]
    if version not in {b"HTTP/1.1", b"HTTP/1.0"}:
        raise MalformedError(f"version {version!r}")
    if len(status) != 3 or not _DIGITS.issuperset(status) or status < b"100":
        raise MalformedError(f"status {status!r}")


def _length(head: Message, *, version: bytes) -> int | None:
    """Return the body's length, -1 for chunked, None if no header tells."""
    lengths, codings = head.all(b"content-length"), head.all(b"transfer-encoding")
    if codings:
        if lengths or version == b"HTTP/1.0" or list(_items(codings)) != [b"chunked"]:
            raise MalformedError("Transfer-Encoding")
        return -1
    if not lengths:
        return None
    if len(lengths) > 1 or not lengths[0] or not _DIGITS.issuperset(lengths[0]):
        raise MalformedError("Content-Length")
    return int(lengths[0]) if len(lengths[0]) < 20 else 1 << 64


def _items(values: Sequence[bytes]) -> Iterator[bytes]:
    for value in values:
        for item in value.split(b","):
            if word := item.strip(b" \t").lower():
                yield word


def _body(data: bytes, length: int) -> tuple[bytes, bytes] | None:
    """Return body and what follows, None if it is not all there."""
    if length >= 0:
        return (data[:length], data[length:]) if len(data) >= length else None
    body = b""
    while True:
        line, end, after = data.partition(b"\r\n")
        if b"\n" in line or len(line) > MAX_CHUNK_LINE_BYTES:
            raise MalformedError("chunk size line")
        if not end:
            return None
        count = _chunk_size(line)
        if not count:
            return _trailer(body, after)
        chunk, data = after[:count], after[count:]
        if not b"\r\n".startswith(data[:2]):
            raise MalformedError("end of a chunk")
        if len(data) < 2:
            return None
        body, data = body + chunk, data[2:]


def _chunk_size(line: bytes) -> int:
    size, mark, extension = line.partition(b";")
    size = size.rstrip(b" \t") if mark else size
    if not (size and _HEX.issuperset(size) and len(size) <= 16):
        raise MalformedError(f"chunk size {line[:100]!r}")
    if not _FIELD_TEXT.issuperset(extension):
        raise MalformedError("chunk extension")
    return int(size, 16)


def _trailer(body: bytes, data: bytes) -> tuple[bytes, bytes] | None:
    while True:
        line, end, data = data.partition(b"\r\n")
        if b"\n" in line or len(line) > MAX_TRAILER_BYTES:
            raise MalformedError("trailer")
        if not end:
            return None
        if not line:
            return body, data
        _field(line)
