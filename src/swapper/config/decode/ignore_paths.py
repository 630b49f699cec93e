"""Decodes ``upstream.ignorePaths`` (config.md 8.7)."""

from typing import cast

from swapper.config.decode.section import Section
from swapper.config.document import shortened
from swapper.config.key import KeySet
from swapper.config.keys import TOP_LEVEL
from swapper.config.re2 import Pattern


def decode_ignore_paths(section: Section) -> tuple[Pattern, ...]:
    """Return the patterns; none given means the default one."""
    items = section.texts("ignorePaths")
    upstream = cast("KeySet", TOP_LEVEL.keys["upstream"].below)
    if not items:
        default = cast("tuple[str, ...]", upstream.keys["ignorePaths"].default)
        return tuple(map(Pattern, default))
    patterns: list[Pattern] = []
    for item in items:
        try:
            patterns.append(Pattern(item.text))
        except ValueError as exc:
            message = f'"{shortened(item.text)}" is no RE2 regular expression: {exc}'
            section.error_item(item, message)
    return tuple(patterns)
