"""Decodes ``upstream.ignorePaths`` (config.md 8.7)."""

import re
from typing import cast

from swapper.config.decode.section import Section
from swapper.config.key import KeySet
from swapper.config.keys import TOP_LEVEL


def decode_ignore_paths(section: Section) -> tuple[re.Pattern[str], ...]:
    """Return the patterns; none given means the default one."""
    items = section.texts("ignorePaths")
    upstream = cast("KeySet", TOP_LEVEL.keys["upstream"].below)
    if not items:
        default = cast("tuple[str, ...]", upstream.keys["ignorePaths"].default)
        return tuple(re.compile(text) for text in default)
    patterns: list[re.Pattern[str]] = []
    for item in items:
        try:
            patterns.append(re.compile(item.text))
        except re.error as exc:
            message = f'"{item.text}" is no regular expression: {exc}'
            section.error_item(item, message)
    return tuple(patterns)
