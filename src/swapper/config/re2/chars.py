"""Sets of characters, as RE2 names them."""

import unicodedata
from dataclasses import dataclass
from typing import Final, Protocol


class Member(Protocol):
    """Something that holds some characters."""

    def holds(self, char: str) -> bool:
        """Tell whether *char*, one character, is among them."""


@dataclass(frozen=True, slots=True)
class Range:
    """The characters from *first* to *last*."""

    first: str
    last: str

    def holds(self, char: str) -> bool:
        """Tell whether *char* is among them."""
        return self.first <= char <= self.last


@dataclass(frozen=True, slots=True)
class Category:
    """The characters of a Unicode general category, e.g. ``L`` or ``Lu``."""

    name: str

    def holds(self, char: str) -> bool:
        """Tell whether *char* is among them."""
        category = unicodedata.category(char)
        # To RE2, what is not assigned is in no category.
        return category != "Cn" and category.startswith(self.name)


@dataclass(frozen=True, slots=True)
class Script:
    """The letters and marks whose Unicode names begin with one of *words*.

    Python has no table of scripts; for the scripts offered here, names tell.
    """

    words: tuple[str, ...]

    def holds(self, char: str) -> bool:
        """Tell whether *char* is among them."""
        return unicodedata.category(char)[0] in "LMN" and unicodedata.name(
            char, ""
        ).startswith(self.words)


@dataclass(frozen=True, slots=True)
class CharSet:
    """The characters that any of *members* holds, or all others.

    Attributes:
        folds: upper and lower case are the same.
    """

    members: tuple[Member, ...]
    is_negated: bool = False
    folds: bool = False

    def holds(self, char: str) -> bool:
        """Tell whether *char* is in the set."""
        spellings = _spellings(char) if self.folds else (char,)
        found = any(m.holds(s) for m in self.members for s in spellings)
        return found is not self.is_negated


def char_set(*spans: str, is_negated: bool = False, folds: bool = False) -> CharSet:
    """Return the set of characters and ranges such as ``a`` and ``a-z``."""
    members = tuple(Range(span[0], span[-1]) for span in spans)
    return CharSet(members, is_negated, folds)


ANY: Final = CharSet((), is_negated=True)
NOT_NEWLINE: Final = char_set("\n", is_negated=True)

PERL: Final = {
    "d": ("0-9",),
    "s": ("\t", "\n", "\f", "\r", " "),
    "w": ("0-9", "A-Z", "_", "a-z"),
}
"""What ``\\d`` and its like hold: ASCII only."""

POSIX: Final = {
    "alnum": ("0-9", "A-Z", "a-z"),
    "alpha": ("A-Z", "a-z"),
    "ascii": ("\0-\x7f",),
    "blank": ("\t", " "),
    "cntrl": ("\0-\x1f", "\x7f"),
    "digit": ("0-9",),
    "graph": ("!-~",),
    "lower": ("a-z",),
    "print": (" -~",),
    "punct": ("!-/", ":-@", "[-`", "{-~"),
    "space": ("\t-\r", " "),
    "upper": ("A-Z",),
    "word": ("0-9", "A-Z", "_", "a-z"),
    "xdigit": ("0-9", "A-F", "a-f"),
}
"""What ``[:alpha:]`` and its like hold."""

_CATEGORIES: Final = frozenset(
    (
        *("C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc"),
        *("Me", "Mn", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po"),
        *("Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs"),
    )
)
_SCRIPTS: Final = {
    "Arabic": ("ARABIC ",),
    "Armenian": ("ARMENIAN ",),
    "Bengali": ("BENGALI ",),
    "Cyrillic": ("CYRILLIC ", "COMBINING CYRILLIC "),
    "Devanagari": ("DEVANAGARI ",),
    "Ethiopic": ("ETHIOPIC ",),
    "Georgian": ("GEORGIAN ",),
    "Greek": ("GREEK ",),
    "Gujarati": ("GUJARATI ",),
    "Gurmukhi": ("GURMUKHI ",),
    "Han": ("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "IDEOGRAPHIC "),
    "Hangul": ("HANGUL ", "HALFWIDTH HANGUL "),
    "Hebrew": ("HEBREW ",),
    "Hiragana": ("HIRAGANA ",),
    "Kannada": ("KANNADA ",),
    "Katakana": ("KATAKANA ", "HALFWIDTH KATAKANA "),
    "Khmer": ("KHMER ",),
    "Lao": ("LAO ",),
    "Latin": ("LATIN ", "FULLWIDTH LATIN ", "KELVIN SIGN", "ANGSTROM SIGN"),
    "Malayalam": ("MALAYALAM ",),
    "Mongolian": ("MONGOLIAN ",),
    "Myanmar": ("MYANMAR ",),
    "Sinhala": ("SINHALA ",),
    "Tamil": ("TAMIL ",),
    "Telugu": ("TELUGU ",),
    "Thai": ("THAI ",),
    "Tibetan": ("TIBETAN ",),
}
# Letters with three spellings, which upper() and lower() do not all tell.
_TRIPLES: Final = {char: t for t in ("kK\u212a", "sS\u017f", "åÅ\u212b") for char in t}


def unicode_member(name: str) -> Member:
    r"""Return what ``\p{name}`` holds.

    Raises:
        ValueError: no category, and none of the scripts that are known here.
    """
    if name == "Any":
        return ANY
    if name in _CATEGORIES:
        return Category(name)
    if name in _SCRIPTS:
        return Script(_SCRIPTS[name])
    known = ", ".join(_SCRIPTS)
    message = (
        f"\\p{{{name}}} is no general category and none of the known scripts: {known}"
    )
    raise ValueError(message)


def _spellings(char: str) -> tuple[str, ...]:
    """Return *char* in upper and lower case and as it is."""
    lower, upper = char.lower(), char.upper()
    forms = {char, lower, upper, lower.upper(), upper.lower()}
    return (*(form for form in forms if len(form) == 1), *_TRIPLES.get(char, ()))
