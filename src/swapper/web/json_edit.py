"""A JSON body that can be edited without touching what is not edited. Pure.

``json.loads`` and ``dumps`` would change bytes nobody asked to change: number
spelling, equal keys, spacing, escapes. Here an edit opens only the objects and arrays
on its way, and the text between and around them is put back as it was.

Where a key is there more than once every one of them is edited: which of them the
upstream reads is not known, and writing a parameter twice must not be a way around a
filter.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, TypeAlias

from swapper.core.json import JsonValue
from swapper.core.json_grammar import closers
from swapper.web.json_path import Path, Step
from swapper.web.json_scan import Parts, Text, parts_of, scan

MAX_PADDING: Final = 10_000
"""Nulls that one edit may add to an array to reach an index."""

_MAX_WHOLE: Final = 1e21
_compact: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False
)
_compact_ascii: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


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
        parts = self._parts
        if parts is None:
            return []
        return [bytes(parts.values[at]) for at in _places(parts.keys, key)]

    def set(self, path: Path, text: bytes) -> None:
        """Give the value at *path* another one; what is missing on the way is made.

        A value that cannot be entered (a number, say) is replaced by an object or
        array. A path with wildcards changes the first match, if there is one.

        Args:
            path: see ``parse_path``.
            text: of the value; see ``encode``.

        Raises:
            PathError: *path* names a member of an array, is empty, or is too far
                behind an array's end; or the document is not an object.
        """
        root = self._opened(path)
        if not path.is_query:
            _set(root, path, 0, text)

    def remove(self, path: Path) -> None:
        """Take out what is at *path*, if it is there.

        Raises:
            PathError: *path* is empty or has wildcards; or the document is not an
                object.
        """
        root = self._opened(path)
        if path.has_wildcards:
            raise PathError("wildcards are not allowed")
        _remove(root, path.steps)

    def to_bytes(self) -> bytes:
        """Return the text with all edits."""
        return self._raw if self._root is None else b"".join(self.texts())

    def texts(self) -> Iterable[Text]:
        """Return the text with all edits, in pieces; long values are not copied."""
        if self._root is None or self._parts is None:
            return (self._raw,)
        before, after = self._raw[: self._parts.start], self._raw[self._parts.end :]
        return (before, *self._root.texts(), after)

    def __len__(self) -> int:
        """Return the length of the text before any edit, in bytes."""
        return len(self._raw)

    def _opened(self, path: Path) -> "_Container":
        if not path.steps:
            raise PathError("the path is empty")
        if self._root is None:
            if self._parts is None:
                raise PathError("the body is not an object")
            self._root = _Container(self._raw, self._parts)
        return self._root


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


class _Container:
    """An object or array that is edited: the columns of ``Parts``, and what is open.

    Attributes:
        is_array: rather than an object.
        values: of each part.
    """

    __slots__ = (
        "_blanks",
        "_colons",
        "_ends",
        "_has_opened",
        "_keys",
        "_leads",
        "_opener",
        "_tails",
        "is_array",
        "values",
    )

    def __init__(self, raw: bytes, parts: Parts) -> None:
        self._opener = parts.opener
        self.is_array = parts.opener == b"["
        self._leads, self._keys = list(parts.leads), list(parts.keys)
        self._colons, self._tails = list(parts.colons), list(parts.tails)
        self._ends = list(parts.ends)
        self.values: list[_Value] = list(parts.values)
        self._blanks = b"" if parts.ends else raw[parts.start + 1 : parts.end - 1]
        self._has_opened = False

    def find(self, step: Step) -> list[int]:
        """Return which values *step* leads to."""
        if self.is_array:
            index = len(self.values) - 1 if step.is_end else step.index
            is_there = index is not None and 0 <= index < len(self.values)
            return [index] if index is not None and is_there else []
        if step.pattern is None:
            return _places(self._keys, step.name)
        keys_in_order = enumerate(json.loads(key) for key in self._keys)
        return [i for i, key in keys_in_order if step.matches(key)][:1]

    def opened(self, index: int) -> "_Container | None":
        """Return a value as a container, None if it is neither object nor array."""
        value = self.values[index]
        if isinstance(value, _Container):
            return value
        if bytes(value[:1]) not in closers:
            return None
        text = bytes(value)
        self.values[index] = opened = _Container(text, parts_of(text, 0))
        self._has_opened = True
        return opened

    def put(self, name: str, text: bytes) -> None:
        """Give the members of this name another value; append one if there is none."""
        found = _places(self._keys, name)
        for index in found:
            self.values[index] = text
        if not found:
            self._append(_encoded_key(name), b":", text)

    def add(self, step: Step, text: bytes) -> None:
        """Append a member, or an item and the nulls before it."""
        if not self.is_array:
            self._append(_encoded_key(step.name), b":", text)
            return
        if not step.is_item:
            raise PathError(f"there is an array, which has no member {step.name!r}")
        padding = 0 if step.index is None else step.index - len(self.values)
        for item in (*_nulls(padding), text):
            self._append(b"", b"", item)

    def remove(self, index: int) -> None:
        """Take a part out with its comma; the blanks around both close up."""
        for column in (self._keys, self._colons):
            del column[index]
        del self.values[index]
        lead, tail = self._leads.pop(index), self._tails.pop(index)
        end = self._ends.pop(index)
        if not self.values:
            self._blanks = lead + tail
        elif index < len(self.values):
            self._leads[index] = lead
        else:
            self._tails[-1], self._ends[-1] = tail, end

    def texts(self) -> Iterable[Text]:
        """Return the pieces of the text, in order."""
        if not self.values:
            return (self._opener, self._blanks, closers[self._opener])
        columns = (self._leads, self._keys, self._colons, self.values, self._tails)
        texts = chain.from_iterable(zip(*columns, self._ends, strict=True))
        return chain((self._opener,), _flat(texts) if self._has_opened else texts)

    def _append(self, key: bytes, colon: bytes, text: bytes) -> None:
        tail, end = self._blanks, closers[self._opener]
        if self.values:
            tail, end = self._tails[-1], self._ends[-1]
            self._tails[-1], self._ends[-1] = b"", b","
        self._leads.append(b"")
        self._keys.append(key)
        self._colons.append(colon)
        self.values.append(text)
        self._tails.append(tail)
        self._ends.append(end)


_Value: TypeAlias = Text | _Container


def _flat(values: Iterable[_Value]) -> Iterator[Text]:
    for value in values:
        if isinstance(value, _Container):
            yield from value.texts()
        else:
            yield value


def _set(container: _Container, path: Path, at: int, text: bytes) -> None:
    step, is_last = path.steps[at], at + 1 == len(path.steps)
    if is_last and not (path.has_wildcards or container.is_array):
        container.put(step.name, text)
        return
    is_append = container.is_array and step.is_end
    found = [] if is_append else container.find(step)
    if not found and not path.has_wildcards:
        container.add(step, _built(path.steps[at + 1 :], text))
    for index in found:
        inner = None if is_last else container.opened(index)
        if inner is not None:
            _set(inner, path, at + 1, text)
        elif is_last or not path.has_wildcards:
            container.values[index] = _built(path.steps[at + 1 :], text)


def _remove(container: _Container, steps: Sequence[Step]) -> None:
    for index in reversed(container.find(steps[0])):
        if len(steps) == 1:
            container.remove(index)
        elif (inner := container.opened(index)) is not None:
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


def _places(keys: Sequence[bytes], name: str) -> list[int]:
    """Return which of some keys as written are *name*."""
    usual = _encoded_key(name)
    if b"\\" in b"".join(keys):  # there are other ways to write it
        return [
            place
            for place, key in enumerate(keys)
            if key == usual or (b"\\" in key and json.loads(key) == name)
        ]
    count = keys.count(usual)
    if count > 1:
        return [place for place, key in enumerate(keys) if key == usual]
    return [keys.index(usual)] if count else []
