r"""Names of parameters as paths into a JSON document (http-api.md section 11). Pure.

``a.b`` is member ``b`` of ``a``; digits are an index where an array is; ``-1`` is the
end of an array; ``\.`` is a dot that is part of a name; ``:7`` is the name ``7``.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_GLOBS: Final = {"*": ".*", "?": "."}
_QUERIES: Final = frozenset("|#")


@dataclass(frozen=True, slots=True)
class Step:
    """One step down.

    Attributes:
        name: the member's key in an object.
        index: the item in an array; None if the step cannot be one.
        is_end: the end of an array: its last item, or behind it when setting.
        pattern: what keys must match, if the step has wildcards; else None.
    """

    name: str
    index: int | None = None
    is_end: bool = False
    pattern: re.Pattern[str] | None = None

    @property
    def is_item(self) -> bool:
        """Return whether the step makes an array where there is nothing yet."""
        return self.index is not None or self.is_end

    def matches(self, key: str) -> bool:
        """Return whether a member of an object is meant."""
        if self.pattern is None:
            return key == self.name
        return self.pattern.fullmatch(key) is not None


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path.

    Attributes:
        steps: at least one, unless the path is empty.
        has_wildcards: it is not the name of one place: it can neither be created nor
            removed.
        is_query: it has characters of a query language that is not supported, so
            that it means nothing.
    """

    steps: tuple[Step, ...]
    has_wildcards: bool = False
    is_query: bool = False


@lru_cache(maxsize=4096)
def parse_path(text: str) -> Path:
    """Return *text* taken apart. Any thread."""
    if not text:
        return Path(())
    steps = [_step(pieces) for pieces in _split(text)]
    is_query = any(_is_query(pieces) for pieces in _split(text))
    has_globs = any(step.pattern is not None for step in steps)
    return Path(tuple(steps), is_query or has_globs, is_query)


def _split(text: str) -> list[list[str]]:
    """Return the characters of each step; an escaped one has its backslash with it."""
    steps: list[list[str]] = [[]]
    characters = iter(text)
    for character in characters:
        if character == "\\":
            steps[-1].append(character + next(characters, ""))
        elif character == ".":
            steps.append([])
        else:
            steps[-1].append(character)
    return steps


def _step(pieces: list[str]) -> Step:
    is_name = pieces[:1] == [":"]
    pieces = pieces[1:] if is_name else pieces
    name = "".join(piece[-1:] if piece != "\\" else "" for piece in pieces)
    if any(piece in _GLOBS for piece in pieces):
        wanted = "".join(_GLOBS.get(piece) or re.escape(piece[-1:]) for piece in pieces)
        return Step(name, pattern=re.compile(wanted, re.DOTALL))
    text = "".join(pieces)
    if is_name or not text.isascii():
        return Step(name)
    return Step(name, int(text) if text.isdigit() else None, text == "-1")


def _is_query(pieces: list[str]) -> bool:
    return pieces[:1] == ["@"] or not _QUERIES.isdisjoint(pieces)
