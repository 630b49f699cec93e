"""The grammar of JSON (RFC 8259) as patterns over bytes.

``NaN`` and ``Infinity`` are let pass, as Python's parser does; whether the bytes are
UTF-8 is not looked at. All patterns are possessive throughout, so that nothing is ever
tried twice.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

WS: Final = rb"[ \t\r\n]*+"
# As ranges of what is allowed: half the time of the same set negated.
PLAIN: Final = rb"[ !#-\[\]-\xff]*+"
ESCAPE: Final = rb'\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})'
STRING: Final = rb'"%b(?:%b%b)*+"' % (PLAIN, ESCAPE, PLAIN)
_NUMBER: Final = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+"
SCALAR: Final = rb"(?:%b|%b|true|false|null|NaN|-?Infinity)" % (STRING, _NUMBER)


def _listed(item: bytes) -> bytes:
    """Return the pattern of what stands between two brackets."""
    rest = rb"(?:,(?!%b[\]}])|(?=[\]}]))" % WS  # no comma before the end
    return rb"(?:%b%b%b%b)*+%b" % (WS, item, WS, rest, WS)


def _holding(value: bytes) -> bytes:
    """Return the pattern of a scalar, or an array or object of *value*."""
    member = STRING + WS + b":" + WS + value
    return rb"(?:%b|\[%b\]|\{%b\})" % (SCALAR, _listed(value), _listed(member))


VALUE: Final = _holding(_holding(SCALAR))
"""A value nested two deep."""

blanks: Final = re.compile(WS)
string: Final = re.compile(STRING)
scalar: Final = re.compile(SCALAR)


class Patterns(dict[bytes, re.Pattern[bytes]]):
    """Patterns by a name, each compiled on first use, which takes milliseconds."""

    def __init__(self, sources: Mapping[bytes, bytes]) -> None:
        """Take what they are made of."""
        super().__init__()
        self._sources = sources

    def __missing__(self, name: bytes) -> re.Pattern[bytes]:
        """Return the pattern *name*."""
        made = self[name] = re.compile(self._sources[name])
        return made


@lru_cache(maxsize=64)
def run_of_members(but: bytes = b"") -> re.Pattern[bytes]:
    """Return the pattern of as many members as there are, each with its comma.

    Args:
        but: a lookahead at the key, for members at which the run ends.
    """
    return re.compile(_members(but + STRING))


def _members(key: bytes) -> bytes:
    return rb"(?:%b%b%b:%b%b%b,)*+" % (WS, key, WS, WS, VALUE, WS)


runs: Final = Patterns(
    {b"{": _members(STRING), b"[": rb"(?:%b%b%b,)*+" % (WS, VALUE, WS)}
)
"""By opening bracket: as many parts as there are, each with the comma behind it."""

closers: Final = {b"{": b"}", b"[": b"]"}
