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
from itertools import filterfalse
from operator import itemgetter
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


class _Memory(dict[str, _Made]):
    """What is made of header lines or names, each made once. Any thread.

    The same few come again and again, but clients send whatever they like: when it is
    full it begins anew.
    """

    def __init__(
        self, make: Callable[[str], _Made], secret: re.Pattern[str] | None
    ) -> None:
        super().__init__()
        self._make = make
        self._secret = secret

    def __missing__(self, text: str) -> _Made:
        made = self._make(text)
        is_secret = self._secret is not None and self._secret.match(text)
        if len(text) <= _MAX_REMEMBERED_CHARS and not is_secret:
            if len(self) >= _MAX_REMEMBERED:
                self.clear()
            self[text] = made
        return made


def remembered(
    make: Callable[[str], _Made], *, secret: re.Pattern[str] | None = None
) -> Callable[[str], _Made]:
    """Return *make* with a bounded memory, for header lines or names.

    What it returns may be called by any thread, and raises what *make* raises.

    Args:
        make: of a text.
        secret: texts that begin like this are not remembered.
    """
    # bound once: the subscript of a subclass of dict is looked up by name each time
    return _Memory(make, secret).__getitem__


_name_of: Final = itemgetter(0)
_value_of: Final = itemgetter(1)
_lower: Final = remembered(str.lower)


class Fields(tuple[tuple[str, str], ...]):  # noqa: SLOT001 - a tuple cannot have any
    """Headers that can be looked up, for many look for many of them.

    Attributes:
        names: in lower case, in the order of the fields.
        first: the value of the first field of each name, by name in lower case.
        is_plain: no name comes twice.
    """

    names: tuple[str, ...]
    first: dict[str, str]
    is_plain: bool

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> "Fields":
        """Return *pairs*, themselves if they are ``Fields``."""
        if isinstance(pairs, Fields):
            return pairs
        made = cls(pairs)
        made._name(lower_names(made))
        return made

    @classmethod
    def parsed(cls, lines: Iterable[str]) -> "Fields":
        """Return what is in the *lines* of a head."""
        pairs, names = zip(*map(_field_of, lines), strict=True)
        made = cls(pairs)
        made._name(names)
        return made

    def get_all(self, name: str) -> list[str]:
        """Return the values of a header, given in lower case, in order."""
        if name not in self.first:
            return []
        if self.is_plain:
            return [self.first[name]]
        pairs = zip(self, self.names, strict=True)
        return [pair[1] for pair, lower in pairs if lower == name]

    def _name(self, names: tuple[str, ...]) -> None:
        values = tuple(map(_value_of, self))
        self.names = names
        self.first = dict(zip(names, values, strict=True))
        self.is_plain = len(self.first) == len(names)
        if not self.is_plain:
            backwards = zip(reversed(names), reversed(values), strict=True)
            self.first = dict(backwards)  # the last one wins


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
    headers: Fields
    framing: Framing
    length: int
    keep_alive: bool


class ResponseHead(NamedTuple):
    """A parsed response head; fields as in ``RequestHead``."""

    status: int
    reason: str
    version: tuple[int, int]
    headers: Fields
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
    headers = Fields.parsed(lines[1:]) if len(lines) > 1 else _NO_FIELDS
    _check_host(headers, version)
    framing, length = _framing(headers, version)
    return RequestHead(
        method,
        target,
        version,
        headers,
        framing or Framing.NONE,
        length,
        _keep_alive(headers, version),
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
    headers = Fields.parsed(lines[1:]) if len(lines) > 1 else _NO_FIELDS
    framing, length = _framing(headers, version)
    keep_alive = _keep_alive(headers, version)
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


def render_head(first_line: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """Return a head ready to send: first line, fields and the empty line.

    Raises:
        ProtocolError: a name or value would break the head (CR, LF, NUL ...).
    """
    if _BAD_TEXT.search(first_line):
        raise ProtocolError(f"{first_line!r} cannot be sent: illegal character")
    for pair in filterfalse(_sendable.__contains__, headers):
        _check_sendable(pair)
    lines = CRLF.join((first_line, *map(": ".join, headers)))
    try:
        return f"{lines}\r\n\r\n".encode("latin-1")
    except UnicodeEncodeError as exc:
        raise ProtocolError(f"head cannot be sent: {exc}") from exc


def check_field(line: bytes) -> None:
    """Raise ``ProtocolError`` unless *line*, without its end, is a header field."""
    name, colon, value = line.decode("latin-1").partition(":")
    if not colon or _BAD_TEXT.search(value):
        raise ProtocolError("malformed header line")
    _check_name(name)


def lower_names(headers: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the names of *headers* in lower case, in order."""
    return tuple(map(_lower, map(_name_of, headers)))


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


def _field(line: str) -> tuple[tuple[str, str], str]:
    """Return name and value of a field, and its name in lower case."""
    name, colon, value = line.partition(":")
    if not colon:
        raise ProtocolError("header line without a colon")
    _check_name(name)
    if _BAD_TEXT.search(value):
        raise ProtocolError("control character in the head")
    return (name, value.strip(" \t")), _lower(name)


def _secrecy(name: str) -> bool:
    """Return whether a header holds credentials; raises as ``_check_name``."""
    _check_name(name)
    return _SECRET.match(name) is not None


_field_of: Final = remembered(_field, secret=_SECRET)
_is_secret: Final = remembered(_secrecy)
_sendable: Final[set[tuple[str, str]]] = set()


def _check_sendable(pair: tuple[str, str]) -> None:
    """Raise ``ProtocolError`` if *pair* would break a head, else remember it."""
    name, value = pair
    is_secret = _is_secret(name)
    if _BAD_TEXT.search(value):
        raise ProtocolError(f"header {name!r} cannot be sent: illegal character")
    if len(name) + len(value) <= _MAX_REMEMBERED_CHARS and not is_secret:
        if len(_sendable) >= _MAX_REMEMBERED:
            _sendable.clear()
        _sendable.add(pair)


def _lines(raw: bytes) -> list[str]:
    """Return the lines of a head; nothing but CRLF ends one."""
    if not raw.endswith(b"\r\n\r\n"):
        raise ProtocolError("the head does not end in an empty line")
    return raw[:-4].decode("latin-1").split(CRLF)


def _check_host(headers: Fields, version: tuple[int, int]) -> None:
    host = headers.first.get("host")
    if host is None:
        if version == _HTTP_1_1:
            raise ProtocolError("a request needs exactly one Host header")
        return
    if not headers.is_plain and len(headers.get_all("host")) > 1:
        raise ProtocolError("a request needs exactly one Host header")
    if _HOST.fullmatch(host) is None:
        raise ProtocolError("malformed Host header")


def _framing(headers: Fields, version: tuple[int, int]) -> tuple[Framing | None, int]:
    length = headers.first.get("content-length")
    if "transfer-encoding" in headers.first:
        if length is not None:
            raise ProtocolError("both Content-Length and Transfer-Encoding")
        if version == _HTTP_1_0:
            raise ProtocolError("Transfer-Encoding in an HTTP/1.0 message")
        if list_items(headers.get_all("transfer-encoding")) != ["chunked"]:
            raise ProtocolError("the only transfer coding spoken here is chunked", 501)
        return Framing.CHUNKED, 0
    if length is None:
        return None, 0
    is_repeated = not headers.is_plain and len(headers.get_all("content-length")) > 1
    if is_repeated or _LENGTH.fullmatch(length) is None:
        raise ProtocolError("repeated or malformed Content-Length")
    return Framing.LENGTH, int(length)


def _keep_alive(headers: Fields, version: tuple[int, int]) -> bool:
    values = headers.get_all("connection")
    if not values or values in _KEEPING:
        return version == _HTTP_1_1 or bool(values)
    options = list_items(values)
    if version == _HTTP_1_0:
        return "keep-alive" in options and "close" not in options
    return "close" not in options


_NO_FIELDS: Final = Fields.of(())
