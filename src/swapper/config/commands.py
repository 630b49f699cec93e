"""Command texts to argument vectors, without a shell (config.md section 7)."""

import re
from collections.abc import Iterator
from typing import Final

# Covers every text: a match starts wherever the last one ended. Only blank,
# tab and newline separate. A backslash at the very end matches no group.
_PART: Final = re.compile(
    r"""
    (?P<gap>[ \t\n]+)
  | '(?P<single>[^']*)(?:'|\Z)
  | "(?P<double>(?:[^"\\]+|\\.|\\\Z)*)(?:"|\Z)
  | (?P<plain>(?:[^ \t\n'"\\]+|\\.)+)
  | \\\Z
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPE_IN_DOUBLE_QUOTES: Final = re.compile(r'\\([$`"\\\n])')


def split_command(text: str) -> tuple[str, ...]:
    """Return the argument vector of a ``cmd`` or ``cmdStop``; never empty.

    Comment lines are dropped, a backslash at a line's end is white space, then
    POSIX quoting applies. An unclosed quote reaches to the end of the text.

    Raises:
        ValueError: ``empty command``: nothing is left.
    """
    arguments = tuple(_words(_joined_lines(remove_comment_lines(text))))
    if not arguments:
        msg = "empty command"
        raise ValueError(msg)
    return arguments


def remove_comment_lines(text: str) -> str:
    """Return *text* without the lines whose first visible character is ``#``."""
    return "\n".join(
        line for line in text.split("\n") if not line.lstrip().startswith("#")
    )


def _joined_lines(text: str) -> str:
    """Return *text* with each line's closing backslash made a space."""
    return "\n".join(map(_without_continuation, text.split("\n")))


def _without_continuation(line: str) -> str:
    trimmed = line.strip()
    return f"{trimmed[:-1]} " if trimmed.endswith("\\") else line


def _words(text: str) -> Iterator[str]:
    """Split at blanks outside of quotes; adjacent quoted parts are one word."""
    parts: list[str] | None = None  # None between words; [""] is an empty word
    for match in _PART.finditer(text):
        if match.lastgroup == "gap":
            if parts is not None:
                yield "".join(parts)
            parts = None
        elif match.lastgroup is not None:
            parts = [] if parts is None else parts
            parts.append(_unescaped(match[match.lastgroup], match))
    if parts is not None:
        yield "".join(parts)


def _unescaped(part: str, match: re.Match[str]) -> str:
    if match.lastgroup == "single":
        return part
    if match.lastgroup == "double":
        return _ESCAPE_IN_DOUBLE_QUOTES.sub(_escaped_character, part)
    return _ESCAPE.sub(_escaped_character, part)


def _escaped_character(match: re.Match[str]) -> str:
    return "" if match[1] == "\n" else match[1]
