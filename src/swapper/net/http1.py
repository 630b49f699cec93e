"""HTTP/1.1 heads and chunks as bytes: pure, strict, the same for both directions.

Rules of this file: a message that two readers could understand differently is
refused, never repaired (RFC 9112 sections 5, 6 and 11); nothing here does I/O.
Lines end in CRLF only; folded lines, blanks before a colon, control characters,
conflicting lengths and unknown transfer codings are errors. Header names and values
are ``str`` decoded as latin-1, in the order and spelling received.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from swapper.core.errors import SwapperError

Headers: TypeAlias = tuple[tuple[str, str], ...]

MAX_HEAD_BYTES: Final = 1 << 20
"""Default limit of a head (http-api.md section 2)."""

_TCHARS = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(
    rb"(" + _TCHARS.encode() + rb") ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])"
)
_STATUS_LINE = re.compile(
    rb"HTTP/(1)\.([01]) ([1-9][0-9]{2})(?: ([\t \x21-\x7e\x80-\xff]*))?"
)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[\t -~\x80-\xff]*)?")
_LENGTH = re.compile(r"[0-9]{1,19}")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAME = re.compile(_TCHARS)
_NAME_BYTES = re.compile(_TCHARS.encode())
_BAD_VALUE_BYTES = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

_MAX_CHUNK_LINE_BYTES = 4096
_MAX_TRAILER_BYTES = 65536


class ProtocolError(SwapperError):
    """The peer does not speak HTTP/1.1.

    Attributes:
        status: what a server answers: 400, 413, 431, 501 or 505.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


class Framing(Enum):
    """How the end of a body is found (RFC 9112 section 6.3)."""

    NONE = "none"
    LENGTH = "length"
    CHUNKED = "chunked"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A parsed request head.

    Attributes:
        target: request target exactly as sent, percent-encoding untouched.
        version: (1, 0) or (1, 1).
        length: body length; 0 unless *framing* is LENGTH.
        keep_alive: whether the client allows a further request.
    """

    method: str
    target: str
    version: tuple[int, int]
    headers: Headers
    framing: Framing
    length: int
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A parsed response head; fields as in ``RequestHead``."""

    status: int
    reason: str
    version: tuple[int, int]
    headers: Headers
    framing: Framing
    length: int
    keep_alive: bool


def parse_request_head(raw: bytes) -> RequestHead:
    """Parse a request head that ends in an empty line.

    Raises:
        ProtocolError: 400 malformed, 501 unknown coding, 505 other version.
    """
    lines = _lines(raw)
    match = _REQUEST_LINE.fullmatch(lines[0])
    if match is None:
        raise ProtocolError("malformed request line")
    method, target, major, minor = match.groups()
    if major != b"1":
        raise ProtocolError("only HTTP/1.0 and HTTP/1.1 are spoken here", 505)
    version = (1, min(int(minor), 1))
    headers = _fields(lines[1:])
    if version == (1, 1) and len(get_all(headers, "host")) != 1:
        raise ProtocolError("an HTTP/1.1 request needs exactly one Host header")
    framing, length = _framing(headers, version)
    return RequestHead(
        method=method.decode("ascii"),
        target=target.decode("latin-1"),
        version=version,
        headers=headers,
        framing=framing or Framing.NONE,
        length=length,
        keep_alive=_keep_alive(headers, version),
    )


def parse_response_head(raw: bytes, *, request_method: str) -> ResponseHead:
    """Parse a response head that ends in an empty line.

    Args:
        raw: the head, status line first.
        request_method: decides whether there is a body (HEAD has none).

    Raises:
        ProtocolError: the upstream's answer is malformed or ambiguous.
    """
    lines = _lines(raw)
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        raise ProtocolError("malformed status line")
    _, minor, code, reason = match.groups()
    version, status = (1, int(minor)), int(code)
    headers = _fields(lines[1:])
    framing, length = _framing(headers, version)
    keep_alive = _keep_alive(headers, version)
    if request_method == "HEAD" or status in {204, 304} or status < 200:
        framing, length = Framing.NONE, 0
    elif framing is None:
        framing, keep_alive = Framing.CLOSE, False
    return ResponseHead(
        status=status,
        reason=(reason or b"").decode("latin-1"),
        version=version,
        headers=headers,
        framing=framing,
        length=length,
        keep_alive=keep_alive,
    )


def render_head(first_line: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a head ready to send: first line, fields and the empty line.

    Raises:
        ProtocolError: a name or value would break the head (CR, LF, NUL ...).
    """
    parts = [first_line]
    for name, value in headers:
        if _NAME.fullmatch(name) is None or _BAD_VALUE.search(value):
            raise ProtocolError(f"header {name!r} cannot be sent: illegal character")
        parts.append(f"{name}: {value}")
    if _BAD_VALUE.search(first_line):
        raise ProtocolError("illegal character in the first line of a head")
    return ("\r\n".join(parts) + "\r\n\r\n").encode("latin-1")


def get_all(headers: Headers, lower_name: str) -> list[str]:
    """Return the values of a header, given in lower case, in order."""
    return [value for name, value in headers if name.lower() == lower_name]


def list_items(values: Iterable[str]) -> list[str]:
    """Return the items of comma lists, trimmed and lower-cased, blanks dropped."""
    items = (item.strip(" \t").lower() for value in values for item in value.split(","))
    return [item for item in items if item]


def _lines(raw: bytes) -> list[bytes]:
    if not raw.endswith(b"\r\n\r\n"):
        raise ProtocolError("the head does not end in an empty line")
    return raw[:-4].split(b"\r\n")


def _fields(lines: list[bytes]) -> Headers:
    return tuple(_field(line) for line in lines)


def _field(line: bytes) -> tuple[str, str]:
    # partition and strip, not one expression: linear on any input
    name, colon, value = line.partition(b":")
    if (
        not colon
        or _NAME_BYTES.fullmatch(name) is None
        or _BAD_VALUE_BYTES.search(value)
    ):
        raise ProtocolError("malformed header line")
    return name.decode("ascii"), value.strip(b" \t").decode("latin-1")


def _framing(headers: Headers, version: tuple[int, int]) -> tuple[Framing | None, int]:
    codings = get_all(headers, "transfer-encoding")
    lengths = get_all(headers, "content-length")
    if codings:
        if lengths:
            raise ProtocolError("both Content-Length and Transfer-Encoding")
        if version == (1, 0):
            raise ProtocolError("Transfer-Encoding in an HTTP/1.0 message")
        if list_items(codings) != ["chunked"]:
            raise ProtocolError("the only transfer coding spoken here is chunked", 501)
        return Framing.CHUNKED, 0
    if not lengths:
        return None, 0
    if len(lengths) > 1 or _LENGTH.fullmatch(lengths[0]) is None:
        raise ProtocolError("repeated or malformed Content-Length")
    return Framing.LENGTH, int(lengths[0])


def _keep_alive(headers: Headers, version: tuple[int, int]) -> bool:
    options = list_items(get_all(headers, "connection"))
    if version == (1, 0):
        return "keep-alive" in options and "close" not in options
    return "close" not in options


class _Part(Enum):
    SIZE = 0
    DATA = 1
    DATA_END = 2
    TRAILER = 3
    DONE = 4


class ChunkedDecoder:
    """Takes chunked bytes as they come, gives data as it is complete (RFC 9112 7.1).

    Data is handed out as soon as it arrives, not when its chunk is complete.
    Extensions and trailers are read and dropped. One thread.

    Attributes:
        done: the last chunk and its trailer have been read.
    """

    __slots__ = ("_buffer", "_left", "_part", "_trailer_bytes")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._part = _Part.SIZE
        self._left = 0  # bytes of the current chunk still to come
        self._trailer_bytes = 0

    @property
    def done(self) -> bool:
        """Return whether the end of the message has been read."""
        return self._part is _Part.DONE

    def feed(self, data: bytes) -> bytes:
        """Return the body bytes that *data* completes; may be empty.

        Raises:
            ProtocolError: malformed framing; the connection must be closed.
        """
        self._buffer += data
        out: list[bytes] = []
        while self._step(out):
            pass
        return out[0] if len(out) == 1 else b"".join(out)

    def leftover(self) -> bytes:
        """Return the bytes after the end of the message, once ``done``."""
        return bytes(self._buffer)

    def _step(self, out: list[bytes]) -> bool:
        """Read one element; return False when more bytes are needed."""
        match self._part:
            case _Part.SIZE:
                return self._read_size()
            case _Part.DATA:
                return self._read_data(out)
            case _Part.DATA_END:
                return self._read_data_end()
            case _Part.TRAILER:
                return self._read_trailer()
            case _Part.DONE:
                return False

    def _read_size(self) -> bool:
        line = self._line(_MAX_CHUNK_LINE_BYTES)
        if line is None:
            return False
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise ProtocolError("malformed chunk size")
        self._left = int(match.group(1), 16)
        self._part = _Part.DATA if self._left else _Part.TRAILER
        return True

    def _read_data(self, out: list[bytes]) -> bool:
        if not self._buffer:
            return False
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        out.append(piece)
        if not self._left:
            self._part = _Part.DATA_END
        return True

    def _read_data_end(self) -> bool:
        if len(self._buffer) < 2:
            if self._buffer and self._buffer[0] != 0x0D:
                raise ProtocolError("chunk data does not end in CRLF")
            return False
        if self._buffer[:2] != b"\r\n":
            raise ProtocolError("chunk data does not end in CRLF")
        del self._buffer[:2]
        self._part = _Part.SIZE
        return True

    def _read_trailer(self) -> bool:
        line = self._line(_MAX_TRAILER_BYTES)
        if line is None:
            return False
        self._trailer_bytes += len(line)
        if self._trailer_bytes > _MAX_TRAILER_BYTES:
            raise ProtocolError("trailer too large")
        if not line:
            self._part = _Part.DONE
        else:
            _field(line)
        return True

    def _line(self, limit: int) -> bytes | None:
        end = self._buffer.find(b"\n", 0, limit)
        if end < 0:
            if len(self._buffer) >= limit:
                raise ProtocolError("chunk line too long")
            return None
        if end == 0 or self._buffer[end - 1] != 0x0D:
            raise ProtocolError("bare LF in chunked framing")
        line = bytes(self._buffer[: end - 1])
        del self._buffer[: end + 1]
        return line
