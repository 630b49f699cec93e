"""HTTP/1.1 heads as bytes: pure, strict, the same for both directions.

Rules of this file: a message that two readers could understand differently is
refused, never repaired (RFC 9112 sections 5, 6 and 11); nothing here does I/O.
Lines end in CRLF only; folded lines, blanks before a colon, control characters,
conflicting lengths and unknown transfer codings are errors. Header names and values
are ``str`` decoded as latin-1, in the order and spelling received.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Final, NamedTuple, TypeAlias, TypeVar

from swapper.core.errors import SwapperError

Headers: TypeAlias = tuple[tuple[str, str], ...]

CRLF: Final = "\r\n"

MAX_HEAD_BYTES: Final = 1 << 20
"""Default limit of a head (http-api.md section 2)."""

_HTTP_1_0: Final = (1, 0)
_HTTP_1_1: Final = (1, 1)
_TCHARS = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rf"({_TCHARS}) ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])")
_STATUS_LINE = re.compile(
    r"HTTP/(1)\.([01]) ([1-9][0-9]{2})(?: ([\t \x21-\x7e\x80-\xff]*))?"
)
_LENGTH = re.compile(r"[0-9]{1,19}")
_HOST = re.compile(r"[0-9A-Za-z\-._~%!$&'()*+,;=:\[\]]*")
_NAME = re.compile(_TCHARS)
_BAD_TEXT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LEGAL_BYTES = bytes({*range(0x20, 0x100), *b"\t\r\n"} - {0x7F})

_MAX_NAME_CHARS = 256
_KEEPING = (["keep-alive"], ["Keep-Alive"])
_MAX_REMEMBERED = 2048
_MAX_REMEMBERED_CHARS = 256
_SECRET = re.compile(
    r"(?i:(?:proxy-)?authorization|(?:set-)?cookie|(?:[a-z-]+-)?api-key)"
)


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


_Made = TypeVar("_Made")


class Table(dict[str, _Made]):
    """What is made of header lines or names, each made once. Any thread.

    The same few come again and again, but clients send whatever they like: a table that
    is full begins anew.
    """

    def __init__(self, make: Callable[[str], _Made]) -> None:
        """Remember what *make* returns for a text."""
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> _Made:
        """Return what is made of *text*; raises what making it raises."""
        made = self._make(text)
        if len(text) <= _MAX_REMEMBERED_CHARS:
            if len(self) >= _MAX_REMEMBERED:
                self.clear()
            self[text] = made
        return made


class Fields(tuple[tuple[str, str], ...]):  # noqa: SLOT001 - a tuple cannot have any
    """Headers that know their names in lower case, for many look for many of them.

    Attributes:
        names: in the order of the fields.
    """

    names: tuple[str, ...]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], names: Iterable[str]) -> "Fields":
        """Return *pairs*, which have these *names* in lower case."""
        made = cls(pairs)
        made.names = tuple(names)
        return made


class RequestHead(NamedTuple):
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


class ResponseHead(NamedTuple):
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
    if major != "1":
        raise ProtocolError("only HTTP/1.0 and HTTP/1.1 are spoken here", 505)
    version = _HTTP_1_0 if minor == "0" else _HTTP_1_1
    headers, names = _fields(lines)
    _check_host(headers, names, version)
    framing, length = _framing(headers, names, version)
    return RequestHead(
        method,
        target,
        version,
        headers,
        framing or Framing.NONE,
        length,
        _keep_alive(headers, names, version),
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
    version = _HTTP_1_0 if minor == "0" else _HTTP_1_1
    status = int(code)
    headers, names = _fields(lines)
    framing, length = _framing(headers, names, version)
    keep_alive = _keep_alive(headers, names, version)
    if request_method == "HEAD" or status in {204, 304} or status < 200:
        body_is_announced = framing is Framing.CHUNKED or length > 0
        framing, length = Framing.NONE, 0
        # announced all the same, the body may be on its way (RFC 9112 section 6.3)
        keep_alive = keep_alive and not (status == 204 and body_is_announced)
    elif framing is None:
        framing, keep_alive = Framing.CLOSE, False
    return ResponseHead(
        status, reason or "", version, headers, framing, length, keep_alive
    )


def render_head(first_line: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a head ready to send: first line, fields and the empty line.

    Raises:
        ProtocolError: a name or value would break the head (CR, LF, NUL ...).
    """
    lines = [_prefixes[name] + value for name, value in headers]
    try:
        head = f"{CRLF.join((first_line, *lines))}\r\n\r\n".encode("latin-1")
    except UnicodeEncodeError as exc:
        raise ProtocolError(f"head cannot be sent: {exc}") from exc
    if not _is_clean(head, len(lines) + 1):
        bad = next((line for line in lines if _BAD_TEXT.search(line)), first_line)
        name = bad.partition(":")[0]
        raise ProtocolError(f"header {name!r} cannot be sent: illegal character")
    return head


def check_field(line: bytes) -> None:
    """Raise ``ProtocolError`` unless *line*, without its end, is a header field."""
    name, colon, value = line.decode("latin-1").partition(":")
    if not colon or _BAD_TEXT.search(value):
        raise ProtocolError("malformed header line")
    _check_name(name)


def lower_names(headers: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the names of *headers* in lower case, in order."""
    if isinstance(headers, Fields):
        return headers.names
    return tuple([_lower_names[name] for name, _ in headers])


def get_all(headers: Headers, lower_name: str) -> list[str]:
    """Return the values of a header, given in lower case, in order."""
    return _values(headers, lower_names(headers), lower_name)


def list_items(values: Iterable[str]) -> list[str]:
    """Return the items of comma lists, trimmed and lower-cased, blanks dropped."""
    items = (item.strip(" \t").lower() for value in values for item in value.split(","))
    return [item for item in items if item]


def _check_name(name: str) -> None:
    """Raise ``ProtocolError`` unless *name* is a token.

    Blanks before a colon and folded lines end here too.
    """
    if len(name) > _MAX_NAME_CHARS or _NAME.fullmatch(name) is None:
        # not what it is: part of a folded credential would get into logs
        raise ProtocolError("malformed header name")


def _prefix(name: str) -> str:
    _check_name(name)
    return f"{name}: "


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ProtocolError("header line without a colon")
    _check_name(name)
    return name, value.strip(" \t")


class _FieldTable(Table[tuple[str, str]]):
    """Fields by their lines, but no credentials."""

    def __missing__(self, line: str) -> tuple[str, str]:
        """Return name and value."""
        return _field(line) if _SECRET.match(line) else super().__missing__(line)


_prefixes: Final = Table(_prefix)
_lower_names: Final = Table(str.lower)
_field_of: Final = _FieldTable(_field)


def _fields(lines: list[str]) -> tuple[Headers, tuple[str, ...]]:
    """Return the headers of a head, and their names in lower case."""
    pairs = [_field_of[line] for line in lines[1:]]
    headers = Fields.of(pairs, [_lower_names[name] for name, _ in pairs])
    return headers, headers.names


def _values(headers: Headers, names: Sequence[str], name: str) -> list[str]:
    """Return the values of a header; *names* are those of *headers* in lower case."""
    count = names.count(name)
    if count < 2:
        return [headers[names.index(name)][1]] if count else []
    pairs = zip(headers, names, strict=True)
    return [pair[1] for pair, lower in pairs if lower == name]


def _lines(raw: bytes) -> list[str]:
    """Return the lines of a head; nothing but CRLF ends one."""
    if not raw.endswith(b"\r\n\r\n"):
        raise ProtocolError("the head does not end in an empty line")
    lines = raw[:-4].decode("latin-1").split(CRLF)
    if not _is_clean(raw, len(lines)):
        raise ProtocolError("control character in the head")
    return lines


def _is_clean(head: bytes, line_count: int) -> bool:
    """Return whether a head has no control characters but its own line ends.

    Counting and deleting run at memory speed; a regex over each field does not.
    """
    ends = line_count + 1  # the empty line
    return (
        head.count(b"\n") == ends
        and head.count(b"\r") == ends
        and not head.translate(None, _LEGAL_BYTES)
    )


def _check_host(
    headers: Headers, names: Sequence[str], version: tuple[int, int]
) -> None:
    hosts = _values(headers, names, "host")
    if len(hosts) != 1 and (hosts or version == _HTTP_1_1):
        raise ProtocolError("a request needs exactly one Host header")
    if hosts and _HOST.fullmatch(hosts[0]) is None:
        raise ProtocolError("malformed Host header")


def _framing(
    headers: Headers, names: Sequence[str], version: tuple[int, int]
) -> tuple[Framing | None, int]:
    lengths = _values(headers, names, "content-length")
    if "transfer-encoding" in names:
        if lengths:
            raise ProtocolError("both Content-Length and Transfer-Encoding")
        if version == _HTTP_1_0:
            raise ProtocolError("Transfer-Encoding in an HTTP/1.0 message")
        if list_items(_values(headers, names, "transfer-encoding")) != ["chunked"]:
            raise ProtocolError("the only transfer coding spoken here is chunked", 501)
        return Framing.CHUNKED, 0
    if not lengths:
        return None, 0
    if len(lengths) > 1 or _LENGTH.fullmatch(lengths[0]) is None:
        raise ProtocolError("repeated or malformed Content-Length")
    return Framing.LENGTH, int(lengths[0])


def _keep_alive(
    headers: Headers, names: Sequence[str], version: tuple[int, int]
) -> bool:
    values = _values(headers, names, "connection")
    if not values or values in _KEEPING:
        return version == _HTTP_1_1 or bool(values)
    options = list_items(values)
    if version == _HTTP_1_0:
        return "keep-alive" in options and "close" not in options
    return "close" not in options
