"""Token counts out of an answer's body, which passes in pieces of any size. Pure.

Three readers, one for each kind of body; each is fed the decoded body and asked at the
end. They never raise and keep a few kilobytes, whatever passes; the result does not
depend on where pieces end. Source: http-api.md section 22.
"""

import json
from http import HTTPStatus
from typing import Final

from swapper.core.json import JsonValue
from swapper.record.figures import NO_USAGE, Counts, Usage, counts_of, usage_of
from swapper.record.json_stream import JsonStream, Wanted, cut_string, wanted

TEXT_LIMIT_BYTES: Final = 1 << 14
"""Of a body or an event's line: shorter ones are parsed as a whole, which is faster."""

ERROR_LIMIT_BYTES: Final = 500
"""Of a message for the activity log."""

_BLANKS: Final = b" \t\r\n"
_DATA: Final = b"data:"
_TOLD: Final = ("usage", "timings", "metrics")
_USAGE: Final = ("usage", "response.usage", "message.usage")
_ERROR: Final = ("error.message", "error", "message", "detail")

_of_body: Final = wanted(_TOLD)
_of_infill_item: Final = wanted(["timings"])
_of_event: Final = wanted((*_TOLD, *_USAGE))
_of_error: Final = wanted(_ERROR)

# Numbers may be of any length, and no count has to be more exact than that.
_parser: Final = json.JSONDecoder(parse_int=float)

_Told = dict[str, JsonValue]


class JsonUsage:
    """Reads a JSON body. One thread."""

    def __init__(self, path: str) -> None:
        """Prepare; *path* is the one forwarded: ``/infill`` may answer with an array."""
        is_infill = path.startswith("/infill")
        self._text = _JsonText(_of_body, _of_infill_item if is_infill else None)

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._text.feed(data)

    def end(self) -> Usage:
        """Return the figures; ``NO_USAGE`` if there are none or it is no JSON."""
        told = self._text.end()
        return usage_of(counts_of(told.get("usage")), told) if told else NO_USAGE


class SseUsage:
    """Reads an event stream, of which each ``data:`` line is looked at for itself."""

    def __init__(self) -> None:
        self._begun = b""  # a line without its end
        self._long: JsonStream | None = None  # one that got too long to be held
        self._is_long = False
        self._counts = Counts()
        self._told: _Told = {}

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        if self._is_long:
            data = self._feed_long(data)
        if self._begun:
            data = self._begun + data
        end = data.rfind(b"\n") + 1
        self._begun = data[end:]
        if end and _may_tell(data):
            for line in data[:end].split(b"\n"):
                self._look_into(line)
        if len(self._begun) > TEXT_LIMIT_BYTES:
            self._begin_long(self._begun)
            self._begun = b""

    def end(self) -> Usage:
        """Return the figures; ``NO_USAGE`` if no event had any."""
        self.feed(b"\n")  # a last line may lack its end
        if self._counts.is_empty and not self._told:
            return NO_USAGE
        return usage_of(self._counts, self._told)

    def _look_into(self, line: bytes) -> None:
        if len(line) > TEXT_LIMIT_BYTES:
            self._begin_long(line)
            self._end_long()
            return
        line = line.strip(_BLANKS)
        if line.startswith(_DATA) and _may_tell(line) and not _tells_null(line):
            self._take(_told_by(line[len(_DATA) :], _of_event))

    def _begin_long(self, line: bytes) -> None:
        """Follow a line that is longer than we keep."""
        self._is_long = True
        text = line.lstrip(_BLANKS)
        if line[:TEXT_LIMIT_BYTES].lstrip(_BLANKS).startswith(_DATA):
            self._long = JsonStream(_of_event)
            self._long.feed(text[len(_DATA) :])

    def _feed_long(self, data: bytes) -> bytes:
        """Go on with a long line; return what comes after it."""
        end = data.find(b"\n")
        if self._long is not None:
            self._long.feed(data if end < 0 else data[:end])
        if end < 0:
            return b""
        self._end_long()
        return data[end + 1 :]

    def _end_long(self) -> None:
        if self._long is not None:
            self._take(_values(self._long))
        self._long = None
        self._is_long = False

    def _take(self, told: _Told) -> None:
        """Let what one event tells replace what earlier ones did."""
        for path in _USAGE:
            counts = counts_of(told.get(path))
            if not counts.is_empty:
                self._counts.replace_by(counts)
                break
        for name in ("timings", "metrics"):
            if name in told:
                self._told[name] = told[name]


class ErrorText:
    """Reads what an upstream says instead of an answer (http-api.md 22.5)."""

    def __init__(self) -> None:
        self._text = _JsonText(_of_error)

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        self._text.feed(data)

    def end(self, status: int) -> str:
        """Return one line of text, never empty; *status* speaks for a mute body."""
        told = self._text.end()
        for path in _ERROR:
            value = told.get(path)
            if isinstance(value, str) and value.strip():
                return _cut(value.strip())
        try:
            return f"{status} {HTTPStatus(status).phrase}"
        except ValueError:
            return f"HTTP {status}"


class _JsonText:
    """A JSON text, held while it is short, followed if it gets long."""

    def __init__(self, members: Wanted, items: Wanted | None = None) -> None:
        self._members = members
        self._items = items
        self._begun = bytearray()
        self._stream: JsonStream | None = None

    def feed(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.feed(data)
            return
        self._begun += data
        if len(self._begun) > TEXT_LIMIT_BYTES:
            self._stream = JsonStream(self._members, self._items)
            self._stream.feed(bytes(self._begun))
            self._begun.clear()

    def end(self) -> _Told:
        """Return what was wanted and found, by path; nothing if it is no JSON."""
        if self._stream is not None:
            return _values(self._stream)
        return _told_by(bytes(self._begun), self._members, self._items)


def _may_tell(data: bytes) -> bool:
    """Return whether parsing might find something; a key may have escapes in it."""
    # not ``in``, which first asks the word, by way of an exception, if it is a number
    count = data.count
    return bool(
        count(b"usage")
        or count(b"timings")
        or count(b"metrics")
        or (count(b"\\u00") and (count(b"\\u006") or count(b"\\u007")))
    )


def _tells_null(line: bytes) -> bool:
    """Return whether a line has but the null that some put into every event."""
    rest = line.replace(b'"usage":null', b"").replace(b'"usage": null', b"")
    return len(rest) < len(line) and not _may_tell(rest)


def _told_by(text: bytes, members: Wanted, items: Wanted | None = None) -> _Told:
    value = _loads(text)
    if isinstance(value, list) and items is not None:
        value, members = (value or [None])[-1], items
    told: _Told = {}
    _find(value, members, told)
    return told


def _find(value: JsonValue, sought: Wanted, told: _Told) -> None:
    if sought.inside and isinstance(value, dict):
        for key, inner in sought.inside.items():
            if (name := key.decode()) in value:
                _find(value[name], inner, told)
    elif sought.is_kept:
        told[sought.path] = value


def _values(stream: JsonStream) -> _Told:
    if not stream.end():
        return {}
    return {path: _value(raw) for path, raw in stream.found.items()}


def _value(raw: bytes) -> JsonValue:
    return _loads(cut_string(raw) if raw.startswith(b'"') else raw)


def _loads(text: bytes) -> JsonValue:
    """Return a value, None if *text* is no JSON; bytes that are no UTF-8 may be in it."""
    stripped = text.decode("utf-8", "replace").strip(" \t\r\n")
    try:
        value: JsonValue
        value, end = _parser.raw_decode(stripped)
    except (ValueError, RecursionError):
        return None
    return value if end == len(stripped) else None


def _cut(text: str) -> str:
    raw = text.encode("utf-8", "replace")
    if len(raw) <= ERROR_LIMIT_BYTES:
        return raw.decode()
    return raw[:ERROR_LIMIT_BYTES].decode("utf-8", "ignore") + "..."
