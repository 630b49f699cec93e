"""Checking a JSON text and finding the parts of an object or array in it. Pure.

Works on the bytes and builds no values; what is found are pieces of the text, and of
long ones views, so a body of any size costs no memory. The whole text is checked
(RFC 8259; ``NaN`` and ``Infinity`` are let pass, as Python's parser does), but for
control characters in very long strings.

The work is done by ``re`` and ``bytes.find`` in slices of ``WINDOW`` bytes: between two
slices other threads may run, which one call to ``json.loads`` would not let them. One
pattern covers a value nested two deep; it is possessive throughout, so it never tries
anything twice, and whatever does not fit (deeper, longer) is entered with a stack of
our own. A byte is therefore looked at a handful of times at most, and depth costs no
recursion. An object no longer than a slice usually takes one call.
"""

import codecs
import json
import re
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from swapper.core.errors import InvalidJsonError
from swapper.core.json_grammar import (
    ESCAPE,
    PLAIN,
    STRING,
    VALUE,
    WS,
    Patterns,
    blanks,
    closers,
    runs,
    scalar,
    string,
)

WINDOW: Final = 1 << 12
"""Bytes handed to one call in C: some ten microseconds."""

MAX_DEPTH: Final = 1000
"""Levels of nesting; about where Python's own parser gives up."""

_LONG: Final = 1 << 16
"""What is longer and has no escapes, an image say, is not searched for control
characters: it would be most of the work, and the upstream does it again."""

_PIECE: Final = 1 << 12
_PIECE_DEPTH: Final = 400

_BOM: Final = b"\xef\xbb\xbf"
_CONTROLS: Final = bytes(range(0x20))

_SPARSE: Final = 1 << 9
"""From so many bytes without an escape on, searching is faster than matching."""

_UNESCAPED: Final = "a control character must be escaped"

_text: Final = re.compile(rb"%b(?:%b%b)*+" % (PLAIN, ESCAPE, PLAIN))
# What fits nothing is taken whole, so that ``findall`` never searches.
_part: Final = Patterns(
    {
        b"{": rb"(?s)(%b)(%b)(%b:%b)(%b)(%b)([,}])|.++"
        % (WS, STRING, WS, WS, VALUE, WS),
        b"[": rb"(?s)(%b)()()(%b)(%b)([,\]])|.++" % (WS, VALUE, WS),
    }
)
# Values are thrown away, so numbers need not be made.
_parser: Final = json.JSONDecoder(parse_int=str, parse_float=str)


Text: TypeAlias = bytes | memoryview

_Part: TypeAlias = tuple[bytes, bytes, bytes, Text, bytes, bytes]
"""What a part is made of, in order; see ``Parts``."""


class Parts(NamedTuple):
    """An object or array, one level of it: the texts it is made of.

    Behind the opening bracket stand, of each part in turn, the texts of the columns
    from ``leads`` to ``ends``, and nothing else. Equal keys are all there.

    Attributes:
        opener: ``{`` or ``[``.
        start: where the opening bracket is.
        end: behind the closing bracket.
        leads: blanks.
        keys: with their quotes; empty in an array.
        colons: with the blanks around; empty in an array.
        values: views of the long ones.
        tails: blanks.
        ends: a comma; behind the last part the closing bracket.
    """

    opener: bytes
    start: int
    end: int
    leads: tuple[bytes, ...]
    keys: tuple[bytes, ...]
    colons: tuple[bytes, ...]
    values: tuple[Text, ...]
    tails: tuple[bytes, ...]
    ends: tuple[bytes, ...]


def scan(raw: bytes) -> Parts | None:
    """Check a JSON text; return the members of its object, None if it is another value.

    A byte order mark is passed over.

    Raises:
        InvalidJsonError: not UTF-8, not JSON, or nested too deeply.
    """
    if not raw.isascii():
        _check_utf8(raw)
    if len(raw) <= WINDOW and raw.startswith(b"{"):
        found = _part[b"{"].findall(raw, 1)
        if found and found[-1][-1] == b"}":
            parts = _columns(b"{", 0, len(raw), found)
            if parts.ends.count(b",") == len(found) - 1:
                return parts
    start = _skip(raw, len(_BOM) if raw.startswith(_BOM) else 0)
    whole = parts_of(raw, start) if raw[start : start + 1] == b"{" else None
    end = _skip(raw, _value_end(raw, start, 0) if whole is None else whole.end)
    if end != len(raw):
        raise _bad(raw, end, "extra data")
    return whole


def parts_of(raw: bytes, start: int) -> Parts:
    """Return the parts of the object or array that begins at *start*.

    Raises:
        InvalidJsonError: it is not well-formed, or nested too deeply.
    """
    opener = raw[start : start + 1]
    pattern, closer = _part[opener], closers[opener]
    parts: list[_Part] = []
    at = start + 1
    while not parts or parts[-1][-1] != closer:
        found = pattern.match(raw, at, at + WINDOW)
        if found is not None and found.lastindex is not None:
            parts.append(found.groups())  # type: ignore[arg-type]  # as many as it has
            at = found.end()
            continue
        inside = _skip(raw, at)
        if not parts and raw[inside : inside + 1] == closer:
            at = inside + 1
            break
        part, at = _long_part(raw, at, opener)
        parts.append(part)
    return _columns(opener, start, at, parts)


def _columns(opener: bytes, start: int, end: int, parts: Sequence[_Part]) -> Parts:
    return Parts(opener, start, end, *(zip(*parts, strict=True) if parts else [()] * 6))


def _long_part(raw: bytes, lead: int, opener: bytes) -> tuple[_Part, int]:
    """Return the part at *lead*, too long for the pattern or broken, and its end."""
    key = _skip(raw, lead)
    start = key_end = key
    if opener == b"{":
        key_end, start = _key(raw, key)
    value_end = _value_end(raw, start, depth=1)
    tail = _skip(raw, value_end)
    end = raw[tail : tail + 1]
    if end not in {b",", closers[opener]}:
        raise _expected_end(raw, tail, opener)
    value = memoryview(raw)[start:value_end]
    return (
        raw[lead:key],
        raw[key:key_end],
        raw[key_end:start],
        value if len(value) > WINDOW else bytes(value),
        raw[value_end:tail],
        end,
    ), tail + 1


def _value_end(raw: bytes, at: int, depth: int) -> int:
    first = raw[at : at + 1]
    if first in closers:
        return _container_end(raw, at, depth)
    if first == b'"':
        return _string_end(raw, at)
    found = scalar.match(raw, at)
    if found is None:
        raise _bad(raw, at, "expected a value")
    return found.end()


def _container_end(raw: bytes, at: int, depth: int) -> int:
    """Return the end of an object or array of any size and depth."""
    openers: list[bytes] = []
    try_piece_at = at
    while True:
        end = -1
        levels = MAX_DEPTH - depth - len(openers)
        first = raw[at : at + 1]
        if first not in closers:
            end = _value_end(raw, at, depth)
        elif at >= try_piece_at:
            end = _piece_end(raw, at, levels)
            if end < 0:  # else nested long ones would each parse the same again
                try_piece_at = at + _PIECE // 8
        if end >= 0:
            at = _close(raw, end, openers)
        elif levels > 0:
            openers.append(first)
            at += 1
        else:
            raise _bad(raw, at, f"nested more than {MAX_DEPTH} levels deep")
        at = _next_value(raw, at, openers)
        if not openers:
            return at


def _piece_end(raw: bytes, at: int, levels: int) -> int:
    """Return the end of an object or array that Python's parser finds, or -1.

    Only of a short one that cannot take much of the C stack.
    """
    piece, limit = raw[at : at + _PIECE], min(levels, _PIECE_DEPTH)
    if piece.count(b"[") + piece.count(b"{") > limit:
        piece = piece[:limit]
    try:
        _, end = _parser.raw_decode(piece.decode("latin-1"))
    except (ValueError, RecursionError):
        return -1
    return at + end


def _next_value(raw: bytes, at: int, openers: list[bytes]) -> int:
    """Return where the next value begins that no run takes, or the end of it all."""
    while openers:
        opener = openers[-1]
        is_first = raw[at - 1 : at] == opener
        run = runs[opener].match(raw, at, at + WINDOW)
        if run is not None and run.end() > at:
            at, is_first = run.end(), False
        at = _skip(raw, at)
        if not is_first or raw[at : at + 1] != closers[opener]:
            return _key(raw, at)[1] if opener == b"{" else at
        at = _close(raw, at, openers)
    return at


def _close(raw: bytes, at: int, openers: list[bytes]) -> int:
    """Take off what is closed at *at*; return where the next item or the end is."""
    while openers:
        at = _skip(raw, at)
        found = raw[at : at + 1]
        if found == b",":
            return at + 1
        if found != closers[openers[-1]]:
            raise _expected_end(raw, at, openers[-1])
        openers.pop()
        at += 1
    return at


def _key(raw: bytes, at: int) -> tuple[int, int]:
    """Return the end of the key at *at* and where its value begins."""
    if raw[at : at + 1] != b'"':
        raise _bad(raw, at, "expected a key in double quotes")
    short = string.match(raw, at, at + _SPARSE)
    end = _string_end(raw, at) if short is None else short.end()
    colon = _skip(raw, end)
    if raw[colon : colon + 1] != b":":
        raise _bad(raw, colon, "expected ':'")
    return end, _skip(raw, colon + 1)


def _string_end(raw: bytes, start: int) -> int:
    """Return the end of a string; of a long one the quote is searched."""
    at, quote = start + 1, -1
    while True:
        if quote < at:
            quote = raw.find(b'"', at)
        if quote < 0:
            raise _bad(raw, start, "this string does not end")
        if quote == at:
            return quote + 1
        escape = raw.find(b"\\", at, quote)
        end = quote if escape < 0 else escape
        if end - at < _SPARSE:
            found = _text.match(raw, at, at + WINDOW)
            end = at if found is None else found.end()
            if end == at:
                is_escape = at == escape
                what = "not an escape sequence" if is_escape else _UNESCAPED
                raise _bad(raw, at, what)
        elif end - at <= _LONG:
            _check_plain(raw, at, end)
        at = end


def _check_plain(raw: bytes, start: int, end: int) -> None:
    for at in range(start, end, WINDOW):
        piece = raw[at : min(at + WINDOW, end)]
        kept = piece.translate(None, _CONTROLS)
        if len(kept) != len(piece):
            bad = next(i for i, byte in enumerate(piece) if byte < 0x20)
            raise _bad(raw, at + bad, _UNESCAPED)


def _check_utf8(raw: bytes) -> None:
    at = 0
    while at < len(raw):
        piece = raw[at : at + WINDOW]
        try:
            _, count = codecs.utf_8_decode(piece, "strict", at + WINDOW >= len(raw))
        except UnicodeDecodeError as exc:
            raise InvalidJsonError(
                f"body is not UTF-8: byte {at + exc.start}: {exc.reason}"
            ) from exc
        at += count


def _skip(raw: bytes, at: int) -> int:
    """Return the end of the blanks at *at*."""
    while True:
        found = blanks.match(raw, at, at + WINDOW)
        end = at if found is None else found.end()
        if end < at + WINDOW:
            return end
        at = end


def _expected_end(raw: bytes, at: int, opener: bytes) -> InvalidJsonError:
    return _bad(raw, at, f"expected ',' or '{closers[opener].decode()}'")


def _bad(raw: bytes, at: int, what: str) -> InvalidJsonError:
    line = raw.count(b"\n", 0, at) + 1
    before = raw[raw.rfind(b"\n", 0, at) + 1 : at].removeprefix(_BOM)
    column = len(before.decode("utf-8", "replace")) + 1
    return InvalidJsonError(
        f"body is not valid JSON: line {line} column {column}: {what}"
    )
