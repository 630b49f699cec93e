"""Environment macros ``${env.NAME}``: replaced in the text, before YAML sees it.

Replacing text lets a variable hold any part of the file, a key or a number
included; the price is that this stage has to know what a comment is
(config.md section 5).
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from swapper.config.document import Where
from swapper.config.read.sources import Source, checked_source
from swapper.config.report import Report

REFERENCE: Final = re.compile(r"\$\{env\.([A-Za-z_][A-Za-z0-9_]*)\}")

Spans: TypeAlias = Sequence[tuple[int, int]]
FindContent: TypeAlias = Callable[[str], Spans | None]
"""Text to the ordered (start, end) of what is not comment; None if it is no YAML."""

_FORBIDDEN: Final = ("\n", "\r", "\0")


class Expanded(NamedTuple):
    """A source after this stage.

    Attributes:
        source: its text has the same lines as before.
        empty: (line, name) of each macro whose variable is empty, in order.
    """

    source: Source
    empty: Sequence[tuple[int, str]] = ()


def expand_environment(
    source: Source,
    environ: Mapping[str, str],
    report: Report,
    find_content: FindContent,
) -> Expanded:
    """Return *source* with every environment macro outside of comments replaced.

    A variable that is missing or holds a line break is reported; its macro is
    then replaced by nothing.

    Raises:
        ConfigError: the text became too large.
    """
    matches = list(REFERENCE.finditer(source.text))
    if not matches:
        return Expanded(source)
    is_content = _content_test(source.text, matches, find_content)
    lookup = _Lookup(environ, report)
    parts: list[str] = []
    empty: list[tuple[int, str]] = []
    end = chars = 0
    for match in matches:
        if not is_content(match.start()):
            continue
        line = source.text.count("\n", 0, match.start()) + 1
        value = lookup.value(match[1], Where(source.name, line))
        if not value:
            empty.append((line, match[1]))
        parts += source.text[end : match.start()], value
        chars += match.start() - end + len(value)
        end = match.end()
        if chars > 2 * len(source.text):
            # A long value in many places: stop before memory does.
            checked_source(source.name, "".join(parts))
    parts.append(source.text[end:])
    return Expanded(checked_source(source.name, "".join(parts)), empty)


class _Lookup:
    """Looks variables up for one source, each only once."""

    def __init__(self, environ: Mapping[str, str], report: Report) -> None:
        self._environ = environ
        self._report = report
        self._values: dict[str, str] = {}

    def value(self, name: str, where: Where) -> str:
        """Return the escaped value; a macro inside of it is replaced as well, once."""
        if name not in self._values:
            self._values[name] = REFERENCE.sub(
                lambda inner: self._escaped(inner[1], where),
                self._escaped(name, where),
            )
        return self._values[name]

    def _escaped(self, name: str, where: Where) -> str:
        value = self._environ.get(name)
        if value is None:
            self._report.error("", where, f"environment variable {name} is not set")
            return ""
        if any(character in value for character in _FORBIDDEN):
            message = f"environment variable {name} holds a line break or a NUL"
            self._report.error("", where, message)
            return ""
        # So that it comes out unchanged of double quotes, where values belong.
        return value.replace("\\", "\\\\").replace('"', '\\"')


def _content_test(
    text: str, matches: Sequence[re.Match[str]], find_content: FindContent
) -> Callable[[int], bool]:
    """Return what tells whether an offset lies outside of comments."""
    if not any(_may_be_comment(text, match.start()) for match in matches):
        return lambda _offset: True
    spans = find_content(text)
    if spans is None:
        # Not YAML until its macros are replaced: nobody can tell the comments.
        return lambda _offset: True
    starts = [start for start, _end in spans]

    def is_content(offset: int) -> bool:
        index = bisect_right(starts, offset) - 1
        return index >= 0 and offset < spans[index][1]

    return is_content


def _may_be_comment(text: str, offset: int) -> bool:
    start_of_line = text.rfind("\n", 0, offset) + 1
    return "#" in text[start_of_line:offset]
