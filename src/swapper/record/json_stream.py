"""A few members out of a JSON text that passes in pieces of any size. Pure.

Memory is constant: what is not asked for is checked and forgotten, what is asked for is
kept up to ``VALUE_LIMIT_BYTES``. Whether the whole text is JSON is known at its end.
As in ``core.json_grammar`` ``NaN`` and ``Infinity`` pass, and UTF-8 is not checked.

A step consumes what it can of the bytes at hand and names the step that goes on; a
token that may not be complete stays for the next piece. Runs of parts that nobody asked
for are one match, as long as they are not nested deeply; what is, but short, is left to
Python's parser.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from swapper.core.json_grammar import (
    ESCAPE,
    PLAIN,
    WS,
    blanks,
    closers,
    run_of_members,
    runs,
    scalar,
    string,
)

VALUE_LIMIT_BYTES: Final = 1 << 16
"""Kept of one value; one that is cut is no JSON any more."""

MAX_DEPTH: Final = 1000
"""Levels of nesting; about where Python's own parser gives up."""

_MAX_WORD_BYTES: Final = 1024  # of an unfinished number whose digits are left out
_MAX_KEY_BYTES: Final = 256  # that is waited for; any escapes of what we look for fit

_PIECE_BYTES: Final = (
    1 << 11
)  # given to Python's parser; it does not give way to others
# Values are thrown away, so numbers need not be made.
_parser: Final = json.JSONDecoder(parse_int=str, parse_float=str)

_rest_of_string: Final = re.compile(rb"%b(?:%b%b)*+" % (PLAIN, ESCAPE, PLAIN))
_half_escape: Final = re.compile(rb"\\(?:u[0-9A-Fa-f]{0,3})?")
_word: Final = re.compile(rb"[-+.0-9A-Za-z]*+")
_digits: Final = re.compile(rb"([0-9]{2})[0-9]++")
_colon: Final = re.compile(WS + b":")

_QUOTE: Final = ord('"')
_COMMA: Final = ord(",")
_OPENERS: Final = b"[{"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for in a value.

    Attributes:
        path: of the value: names joined by dots; "" of the text as a whole.
        is_kept: the value itself is kept, unless it is an object that has something to
            look for inside.
        inside: what is looked for in its members.
        but: pattern of keys that are one of these, see ``run_of_members``.
    """

    path: str
    is_kept: bool
    inside: Mapping[bytes, "Wanted"]
    but: bytes


def wanted(paths: Iterable[str]) -> Wanted:
    """Return what looks for the values at *paths*: names joined by dots."""
    return _wanted("", [path.split(".") for path in paths])


def _wanted(path: str, names: list[list[str]]) -> Wanted:
    firsts = dict.fromkeys(name[0] for name in names if name)
    inside = {
        first.encode(): _wanted(
            f"{path}.{first}" if path else first,
            [name[1:] for name in names if name and name[0] == first],
        )
        for first in firsts
    }
    sought = b"|".join(map(re.escape, inside))
    but = rb'(?!"(?:%b)"|"[^"\\]*+\\)' % sought  # what has escapes is looked into
    return Wanted(path, [] in names, inside, but)


class JsonStream:
    """Follows one text. One thread.

    Attributes:
        found: by path, the JSON text of what was wanted and is complete. Of equal keys
            the last counts, as with Python's parser.
    """

    __slots__ = (
        "_capture",
        "_capture_depth",
        "_capture_from",
        "_capture_name",
        "_carry",
        "_is_first",
        "_is_key",
        "_is_starved",
        "_items",
        "_levels",
        "_stack",
        "_step",
        "_target",
        "_try_at",
        "found",
    )

    def __init__(self, members: Wanted, items: Wanted | None = None) -> None:
        """Prepare.

        Args:
            members: looked for if the text is an object.
            items: looked for in the last item if the text is an array.
        """
        self.found: dict[str, bytes] = {}
        self._items = items
        self._step: Callable[[bytes, int], int] = self._value
        self._target: Wanted | None = members  # what the next value is to us
        self._stack: list[bytes] = []  # opening brackets
        self._levels: list[Wanted] = []  # of the outermost, what we look for in them
        self._is_first = False
        self._is_key = False
        self._is_starved = False
        self._try_at = 0  # where Python's parser may be tried again
        self._carry = b""
        self._capture: bytearray | None = None
        self._capture_depth = 0
        self._capture_from = 0
        self._capture_name = ""

    def feed(self, data: bytes) -> None:
        """Take the next piece. Never raises."""
        text = self._carry + data if self._carry else data
        at, end = 0, len(text)
        self._is_starved = False
        while at < end and not self._is_starved:
            at = self._step(text, at)
        self._carry = text[at:]
        self._try_at = max(0, self._try_at - at)
        if len(self._carry) > _MAX_WORD_BYTES:
            self._carry = _digits.sub(rb"\1", self._carry)
            if len(self._carry) > _MAX_WORD_BYTES:
                self._break(b"")
        if self._capture is not None:
            self._keep(text, at)
            self._capture_from = 0

    def end(self) -> bool:
        """Return whether that was all of a JSON text."""
        self.feed(b"\n")  # ends a number
        return self._step == self._nothing

    # Steps: from a place in the text to the place behind what they understood.

    def _value(self, text: bytes, at: int) -> int:
        at = _skip(text, at)
        if at == len(text):
            return at
        first = text[at]
        if first in _OPENERS:
            return self._open(text, at)
        if first != _QUOTE:
            return self._number_or_word(text, at)
        self._begin(at)
        whole = string.match(text, at)
        if whole is not None:
            return self._complete(text, whole.end())
        self._is_key = False
        self._step = self._in_string
        return at + 1

    def _number_or_word(self, text: bytes, at: int) -> int:
        end = _end(_word.match(text, at), at)
        if end == len(text):
            return self._starve(at)
        if not scalar.fullmatch(text, at, end):
            return self._break(text)
        self._begin(at)
        return self._complete(text, end)

    def _open(self, text: bytes, at: int) -> int:
        target, opener = self._target, text[at : at + 1]
        is_root = not self._stack
        if is_root and opener == b"[":
            target = self._items
        elif opener == b"[" or target is None or not target.inside:
            self._begin(at)
            target = None
            end = self._piece_end(text, at)
            if end >= 0:
                return self._complete(text, end)
        if len(self._stack) == MAX_DEPTH:
            return self._break(text)
        self._stack.append(opener)
        if target is not None:
            self._levels.append(target)
        self._is_first = True
        self._step = self._part
        return at + 1

    def _piece_end(self, text: bytes, at: int) -> int:
        """Return the end of a short object or array, -1 if it is not at hand."""
        if at < self._try_at:
            return -1
        piece = text[at : at + _PIECE_BYTES]
        levels = piece.count(b"[") + piece.count(b"{")
        if len(self._stack) + levels <= MAX_DEPTH:
            try:
                return at + _parser.raw_decode(piece.decode("latin-1"))[1]
            except (ValueError, RecursionError):
                pass
        # else nested long ones would each parse the same again
        self._try_at = at + _PIECE_BYTES // 8
        return -1

    def _part(self, text: bytes, at: int) -> int:
        """Pass a member's key, or whatever is before an item, or the end of it all."""
        opener = self._stack[-1]
        is_wanted = len(self._levels) == len(self._stack)
        at = _skip(text, self._pass_run(text, at, opener, is_wanted=is_wanted))
        if at == len(text):
            return at
        if text[at : at + 1] == closers[opener]:
            return self._close(text, at) if self._is_first else self._break(text)
        self._is_first = False
        self._target = None
        if opener == b"{":
            return self._key(text, at, is_wanted=is_wanted)
        if is_wanted:
            self._target = self._levels[-1]
            self.found.clear()
        return self._value_next(at)

    def _pass_run(self, text: bytes, at: int, opener: bytes, *, is_wanted: bool) -> int:
        """Return the end of the parts that nobody wants."""
        if len(self._stack) > MAX_DEPTH - 2:
            return at
        if not is_wanted:
            run = runs[opener]
        elif opener == b"{":
            run = run_of_members(self._levels[-1].but)
        else:
            return at
        end = _end(run.match(text, at), at)
        self._is_first = self._is_first and end == at
        return end

    def _key(self, text: bytes, at: int, *, is_wanted: bool) -> int:
        if text[at] != _QUOTE:
            return self._break(text)
        whole = string.match(text, at)
        if whole is not None:
            if is_wanted:
                self._target = self._wanted_at(text[at + 1 : whole.end() - 1])
            self._step = self._before_value
            return whole.end()
        if is_wanted and len(text) - at < _MAX_KEY_BYTES:
            return self._starve(at)
        self._is_key = True
        self._step = self._in_string
        return at + 1

    def _wanted_at(self, key: bytes) -> Wanted | None:
        """Return what we look for in the member *key*, which replaces earlier ones."""
        if b"\\" in key:
            name: str = json.loads(b'"%b"' % key.decode("utf-8", "replace").encode())
            key = name.encode("utf-8", "replace")
        target = self._levels[-1].inside.get(key)
        if target is not None and self.found:
            below = f"{target.path}."
            for path in [p for p in self.found if f"{p}.".startswith(below)]:
                del self.found[path]
        return target

    def _before_value(self, text: bytes, at: int) -> int:
        colon = _colon.match(text, at)
        if colon is not None:
            return self._value_next(colon.end())
        at = _skip(text, at)
        return at if at == len(text) else self._break(text)

    def _in_string(self, text: bytes, at: int) -> int:
        at = _end(_rest_of_string.match(text, at), at)
        if at == len(text):
            return at
        if text[at] == _QUOTE:
            if not self._is_key:
                return self._complete(text, at + 1)
            self._step = self._before_value
            return at + 1
        if _half_escape.fullmatch(text, at):
            return self._starve(at)
        return self._break(text)

    def _after_value(self, text: bytes, at: int) -> int:
        at = _skip(text, at)
        if at == len(text):
            return at
        if text[at] == _COMMA:
            self._step = self._part
            return at + 1
        if text[at : at + 1] == closers[self._stack[-1]]:
            return self._close(text, at)
        return self._break(text)

    def _nothing(self, text: bytes, at: int) -> int:
        at = _skip(text, at)
        return at if at == len(text) else self._break(text)

    def _broken(self, text: bytes, _: int) -> int:
        return len(text)

    # What steps are made of.

    def _value_next(self, at: int) -> int:
        self._step = self._value
        return at

    def _starve(self, at: int) -> int:
        self._is_starved = True
        return at

    def _break(self, text: bytes) -> int:
        self._capture = None
        self._carry = b""
        self._step = self._broken
        return len(text)

    def _close(self, text: bytes, at: int) -> int:
        self._stack.pop()
        if len(self._levels) > len(self._stack):
            self._levels.pop()
        return self._complete(text, at + 1)

    def _begin(self, at: int) -> None:
        """Keep what begins here, if it was asked for."""
        if self._target is not None and self._target.is_kept:
            self._capture = bytearray()
            self._capture_depth = len(self._stack)
            self._capture_from = at
            self._capture_name = self._target.path

    def _complete(self, text: bytes, end: int) -> int:
        """A value ends here."""
        if self._capture is not None and self._capture_depth == len(self._stack):
            self._keep(text, end)
            self.found[self._capture_name] = bytes(self._capture)
            self._capture = None
        self._step = self._after_value if self._stack else self._nothing
        return end

    def _keep(self, text: bytes, end: int) -> None:
        if self._capture is not None:
            free = VALUE_LIMIT_BYTES - len(self._capture)
            self._capture += text[
                self._capture_from : min(end, self._capture_from + free)
            ]


def _skip(text: bytes, at: int) -> int:
    return _end(blanks.match(text, at), at)


def _end(match: re.Match[bytes] | None, at: int) -> int:
    return at if match is None else match.end()


def cut_string(raw: bytes) -> bytes:
    """Return a string, with a quote put to its end if the limit has cut it off."""
    return raw[: _end(_rest_of_string.match(raw, 1), 1)] + b'"'
