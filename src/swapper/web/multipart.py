"""Finding some fields of a multipart body as it arrives (RFC 7578). Pure.

Only ``model`` and ``stream`` are looked at; nothing else is decoded or kept, so that a
file of any size may pass. Memory is one delimiter plus the current header block or
value.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from werkzeug.http import parse_options_header

_FIELDS: Final = frozenset({"model", "stream"})
_MAX_HEADER_BYTES: Final = 65536
_MAX_VALUE_BYTES: Final = 65536


@dataclass(frozen=True, slots=True)
class FieldSpan:
    """A field: its name and text, and where the text's bytes stand in the body."""

    name: str
    value: str
    start: int
    end: int


class _Part(Enum):
    DELIMITER = 0
    HEADERS = 1
    FIELD = 2
    OTHER = 3
    END = 4


class MultipartScanner:
    """Takes a multipart body in pieces and notes some fields. One thread.

    Attributes:
        fields: those of interest that are completely seen, in order.
        is_malformed: the body broke the rules; the rest is not looked at.
    """

    def __init__(self, boundary: str) -> None:
        self.fields: list[FieldSpan] = []
        self.is_malformed = False
        self._delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
        self._buffer = b"\r\n"  # lets the first delimiter match like the others
        self._offset = -2  # of the buffer's first byte in the body
        self._part = _Part.DELIMITER
        self._name = ""

    def feed(self, data: bytes) -> None:
        """Look at the next piece."""
        self._buffer += data
        while not self.is_malformed and self._step():
            pass

    def _step(self) -> bool:
        """Take one element off the buffer; return False if more bytes are needed."""
        match self._part:
            case _Part.DELIMITER | _Part.OTHER:
                return self._skip_to_delimiter()
            case _Part.HEADERS:
                return self._read_headers()
            case _Part.FIELD:
                return self._read_field()
            case _Part.END:
                self._drop(len(self._buffer))
                return False

    def _skip_to_delimiter(self) -> bool:
        at = self._buffer.find(self._delimiter)
        if at < 0:
            self._drop(max(0, len(self._buffer) - len(self._delimiter) + 1))
            return False
        return self._pass_delimiter(at)

    def _pass_delimiter(self, at: int) -> bool:
        after = at + len(self._delimiter)
        tail = self._buffer[after : after + 2]
        if len(tail) < 2:
            self._drop(at)
            return False
        if tail not in {b"\r\n", b"--"}:
            self._drop(at + 2)  # a longer word that begins like the boundary
            return True
        self._part = _Part.HEADERS if tail == b"\r\n" else _Part.END
        # the CRLF stays: a part without headers begins with an empty line
        self._drop(after)
        return True

    def _read_headers(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            self.is_malformed = len(self._buffer) > _MAX_HEADER_BYTES
            return False
        self._name = _field_name(self._buffer[:end])
        is_wanted = self._name in _FIELDS
        self._part = _Part.FIELD if is_wanted else _Part.OTHER
        self._drop(end + 4 if is_wanted else end + 2)
        return True

    def _read_field(self) -> bool:
        end = self._buffer.find(self._delimiter)
        if end < 0:
            if len(self._buffer) > _MAX_VALUE_BYTES:
                self._part = _Part.OTHER  # nobody means that
                return True
            return False
        value = self._buffer[:end].decode("utf-8", "replace")
        start = self._offset
        self.fields.append(FieldSpan(self._name, value, start, start + end))
        self._part = _Part.OTHER
        return self._pass_delimiter(end)

    def _drop(self, count: int) -> None:
        self._buffer = self._buffer[count:]
        self._offset += count


def _field_name(block: bytes) -> str:
    """Return the name in a part's headers; "" for a file."""
    for line in block.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            _, options = parse_options_header(value.strip())
            return "" if "filename" in options else options.get("name", "")
    return ""
