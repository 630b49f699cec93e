"""What the list of keys is made of: a key, and the keys of one kind of mapping."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from swapper.core.json import JsonValue

_LONGEST_MISSPELT: Final = 40

BOOLEAN_WORDS: Final[Mapping[str, bool]] = MappingProxyType(
    {
        form: word in ("yes", "y", "on")
        for word in ("yes", "y", "on", "no", "n", "off")
        for form in (word, word.capitalize(), word.upper())
    }
)
"""Texts that are booleans where one is expected, quoted or not."""


class Kind(StrEnum):
    """What a key's value may be; the conversions are those of config.md section 4."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    DURATION = "duration"
    TEXT = "text"
    TEXTS = "list of texts"
    JSON = "mapping of anything"
    MACROS = "mapping of macros"
    SECTION = "mapping of settings"
    SECTIONS = "mapping of names to settings"
    TEXT_MAP = "mapping of names to texts"
    INTEGER_MAP = "mapping of names to whole numbers"
    QUANTITY_MAP = "mapping of names to quantities"
    JSON_MAP = "mapping of names to mappings of anything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key.

    Attributes:
        about: what it does, one or two sentences.
        default: the value when the key is absent or null; None where there is none
            or where it depends on other keys.
        minimum: the smallest whole number that is not an error.
        words: for a text, or each of a list, all that it may be; for a boolean,
            texts allowed besides.
        hints: for a text, sensible values; others are no error.
        pattern: what a text, or each in a list or mapping, must match somewhere.
        name_pattern: what the names in a mapping must match somewhere.
        has_nulls: for a list or mapping, whether null may stand for a text.
        is_required: whether its owner must have it, and not empty.
        below: the keys of a SECTION, or of each entry of SECTIONS.
        is_inert: old files have it, and it never has an effect.
    """

    kind: Kind
    about: str
    default: JsonValue = None
    minimum: int | None = None
    words: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    pattern: str = ""
    name_pattern: str = ""
    has_nulls: bool = True
    is_required: bool = False
    below: "KeySet | None" = None
    is_inert: bool = False


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one kind of mapping."""

    keys: Mapping[str, Key] = field(default_factory=lambda: MappingProxyType({}))

    def __contains__(self, name: str) -> bool:
        """Tell whether *name* is a key of the format."""
        return name in self.keys

    def closest(self, name: str) -> str:
        """Return the key that *name* was probably meant to be; "" if none."""
        if len(name) > _LONGEST_MISSPELT:
            return ""
        spellings = {key.lower(): key for key in self.keys}
        found = difflib.get_close_matches(name.lower(), sorted(spellings), n=1)
        return spellings[found[0]] if found else ""
