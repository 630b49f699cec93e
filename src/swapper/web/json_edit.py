"""A JSON body that can be edited without touching what is not edited. Pure.

``json.loads`` and ``dumps`` would change bytes nobody asked to change: number
spelling, equal keys, spacing, escapes. Here an edit opens only the objects and arrays
on its way, and the text between and around them is put back as it was.

Where a key is there more than once every one of them is edited: which of them the
upstream reads is not known, and writing a parameter twice must not be a way around a
filter.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from swapper.core.json import JsonValue
from swapper.web.json_path import Path, Step, parse_path
from swapper.web.json_scan import Parts, parts_of, scan

MAX_PADDING: Final = 10_000
"""Nulls that one edit may add to an array to reach an index."""

_MAX_WHOLE: Final = 1e21
_compact: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False
)
_compact_ascii: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_CLOSERS: Final = {b"{": b"}", b"[": b"]"}


class PathError(ValueError):
    """An edit that cannot be made; the text says why."""


class JsonDocument:
    """A JSON text. One thread."""

    __slots__ = ("_parts", "_raw", "_root")

    def __init__(self, raw: bytes) -> None:
        """Check *raw*.

        Raises:
            InvalidJsonError: not UTF-8, not JSON, or nested too deeply.
        """
        self._raw = raw
        self._parts = scan(raw)
        self._root: _Container | None = None

    def values(self, key: str) -> list[bytes]:
        """Return the JSON text of each top-level member *key*, as it came."""
        raw, parts = self._raw, self._parts.parts if self._parts else []
        wanted = _encoded_key(key)
        return [
            raw[part.start : part.end]
            for part in parts
            if _is_key(raw[part.key : part.key_end], wanted, key)
        ]

    def set(self, path: str, value: JsonValue) -> None:
        """Give the value at *path* another one; what is missing on the way is made.

        A value that cannot be entered (a number, say) is replaced by an object or
        array. A path with wildcards changes the first match, if there is one.

        Raises:
            PathError: *path* names a member of an array, is empty, is too far behind
                an array's end; or *value* is not JSON; or the text is not an object.
        """
        parsed, root = self._edit(path)
        if not parsed.is_query:
            _set(root, parsed, 0, encode(value))

    def remove(self, path: str) -> None:
        """Take out what is at *path*, if it is there.

        Raises:
            PathError: *path* is empty or has wildcards; or the text is not an object.
        """
        parsed, root = self._edit(path)
        if parsed.has_wildcards:
            raise PathError("wildcards are not allowed")
        _remove(root, parsed.steps)

    def to_bytes(self) -> bytes:
        """Return the text with all edits."""
        if self._root is None or self._parts is None:
            return self._raw
        out: list[bytes | memoryview] = [self._raw[: self._parts.start]]
        self._root.write_to(out)
        out.append(self._raw[self._parts.end :])
        return b"".join(out)

    def _edit(self, path: str) -> "tuple[Path, _Container]":
        if not path:
            raise PathError("the path is empty")
        if self._parts is None:
            raise PathError("the body is not an object")
        if self._root is None:
            self._root = _Container(self._raw, self._parts)
        return parse_path(path), self._root


def encode(value: JsonValue) -> bytes:
    """Return *value* as compact JSON; whole numbers without a fraction.

    Raises:
        PathError: it is not JSON.
    """
    plain = _plain(value)
    try:
        return _compact.encode(plain).encode()
    except UnicodeEncodeError:  # half a surrogate pair stays an escape
        return _compact_ascii.encode(plain).encode()
    except ValueError as exc:
        raise PathError(f"the value is not JSON: {exc}") from exc


def _plain(value: JsonValue) -> JsonValue:
    if isinstance(value, float):
        is_whole = value.is_integer() and abs(value) < _MAX_WHOLE
        return int(value) if is_whole else value
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


@dataclass(slots=True)
class _Item:
    """One member or item, and the text around it; without key in an array."""

    lead: bytes
    key: bytes
    colon: bytes
    value: "_Value"
    tail: bytes

    def opened(self) -> "_Container | None":
        """Return the value as a container, None if it is neither object nor array."""
        if isinstance(self.value, _Container):
            return self.value
        if bytes(self.value[:1]) not in _CLOSERS:
            return None
        text = bytes(self.value)
        self.value = opened = _Container(text, parts_of(text, 0))
        return opened


class _Container:
    """An object or array that is edited."""

    __slots__ = ("_blanks", "_opener", "items")

    def __init__(self, raw: bytes, parts: Parts) -> None:
        view = memoryview(raw)
        self._opener = parts.opener
        self._blanks = raw[parts.start + 1 : parts.end - 1] if not parts.parts else b""
        self.items = [
            _Item(
                raw[part.lead : part.key],
                raw[part.key : part.key_end],
                raw[part.key_end : part.start],
                view[part.start : part.end],
                raw[part.end : part.tail],
            )
            for part in parts.parts
        ]

    @property
    def is_array(self) -> bool:
        return self._opener == b"["

    def find(self, step: Step) -> list[int]:
        """Return which items *step* leads to."""
        if self.is_array:
            index = len(self.items) - 1 if step.is_end else step.index
            is_there = index is not None and 0 <= index < len(self.items)
            return [index] if index is not None and is_there else []
        wanted = _encoded_key(step.name)
        if step.pattern is None:
            keys = (item.key for item in self.items)
            return [i for i, key in enumerate(keys) if _is_key(key, wanted, step.name)]
        keys_in_order = enumerate(json.loads(item.key) for item in self.items)
        return [i for i, key in keys_in_order if step.matches(key)][:1]

    def add(self, step: Step, value: bytes) -> None:
        """Append a member, or an item and the nulls before it."""
        if not self.is_array:
            self._append(_Item(b"", _encoded_key(step.name), b":", value, b""))
            return
        if not step.is_item:
            raise PathError(f"there is an array, which has no member {step.name!r}")
        padding = 0 if step.index is None else step.index - len(self.items)
        for item in (*_nulls(padding), value):
            self._append(_Item(b"", b"", b"", item, b""))

    def remove(self, index: int) -> None:
        """Take an item out with its comma; the blanks around both close up."""
        gone = self.items.pop(index)
        if not self.items:
            self._blanks = gone.lead + gone.tail
        elif index < len(self.items):
            self.items[index].lead = gone.lead
        else:
            self.items[-1].tail = gone.tail

    def write_to(self, out: list[bytes | memoryview]) -> None:
        """Append the text to *out*."""
        separator = self._opener
        for item in self.items:
            out += (separator, item.lead, item.key, item.colon)
            if isinstance(item.value, _Container):
                item.value.write_to(out)
            else:
                out.append(item.value)
            out.append(item.tail)
            separator = b","
        if not self.items:
            out += (self._opener, self._blanks)
        out.append(_CLOSERS[self._opener])

    def _append(self, item: _Item) -> None:
        if self.items:
            item.tail, self.items[-1].tail = self.items[-1].tail, b""
        else:
            item.tail = self._blanks
        self.items.append(item)


_Value: TypeAlias = bytes | memoryview | _Container


def _set(container: _Container, path: Path, at: int, value: bytes) -> None:
    step, is_last = path.steps[at], at + 1 == len(path.steps)
    is_append = container.is_array and step.is_end
    found = [] if is_append else container.find(step)
    if not found and not path.has_wildcards:
        container.add(step, _built(path.steps[at + 1 :], value))
    for item in (container.items[index] for index in found):
        inner = None if is_last else item.opened()
        if inner is not None:
            _set(inner, path, at + 1, value)
        elif is_last or not path.has_wildcards:
            item.value = _built(path.steps[at + 1 :], value)


def _remove(container: _Container, steps: Sequence[Step]) -> None:
    for index in reversed(container.find(steps[0])):
        if len(steps) == 1:
            container.remove(index)
        elif (inner := container.items[index].opened()) is not None:
            _remove(inner, steps[1:])


def _built(steps: Sequence[Step], value: bytes) -> bytes:
    """Return the text of what is not there yet: *steps* down to *value*."""
    for step in reversed(steps):
        if step.is_item:
            value = b"[%b]" % b",".join((*_nulls(step.index or 0), value))
        else:
            value = b"{%b:%b}" % (_encoded_key(step.name), value)
    return value


def _nulls(count: int) -> list[bytes]:
    if count > MAX_PADDING:
        raise PathError(f"the index is {count} behind the end of the array")
    return [b"null"] * count


@lru_cache(maxsize=4096)
def _encoded_key(name: str) -> bytes:
    return encode(name)


def _is_key(found: bytes, wanted: bytes, name: str) -> bool:
    """Return whether a key as written is *name*, which *wanted* is the usual text of."""
    if found == wanted:
        return True
    return b"\\" in found and json.loads(found) == name
