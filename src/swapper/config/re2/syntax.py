r"""Parses RE2 syntax, in the form that Go's ``regexp`` takes.

What ``re`` would read differently or not at all: ``$`` is the very end, ``\z``,
``\pL``, ``[[:alpha:]]``, ``\Q...\E``, ``\x{10FFFF}``, ``(?U)``, ASCII-only ``\d``; and
there is no look-around, back-reference, possessive or atomic group.
Groups capture nothing and greediness is forgotten: only whether a text matches
is asked.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from swapper.config.re2.chars import (
    ANY,
    NOT_NEWLINE,
    PERL,
    POSIX,
    CharSet,
    Member,
    Range,
    char_set,
    unicode_member,
)

MAX_PATTERN_CHARS: Final = 10_000
MAX_DEPTH: Final = 200
"""Deepest nesting of groups."""
MAX_REPEAT: Final = 1000
"""Largest count in braces; of nested ones, the product."""


class Edge(StrEnum):
    """A condition on the place between two characters."""

    TEXT_START = r"\A"
    TEXT_END = r"\z"
    LINE_START = "(?m)^"
    LINE_END = "(?m)$"
    WORD = r"\b"
    NO_WORD = r"\B"


@dataclass(frozen=True, slots=True)
class Sequence:
    """All of *nodes*, one after the other."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of *nodes*."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """*node*, *least* to *most* times; for ever if *most* is None.

    Attributes:
        product: of the counts in braces, nested ones included.
    """

    node: "Node"
    least: int
    most: int | None
    product: int


Node: TypeAlias = CharSet | Edge | Sequence | Choice | Repeat


_QUANTIFIER: Final = re.compile(r"(?:[*+?]|\{([0-9]+)(?:(,)([0-9]*))?\})\??")
_BOUNDS: Final = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_GROUP_NAME: Final = re.compile(r"\?P?<([^>]*)>")
_FLAGS: Final = re.compile(r"\?([imsU]*)(?:-([imsU]+))?([:)])")
_POSIX_CLASS: Final = re.compile(r"\[:(\^?)([^:\]]*):\]")
_UNICODE_CLASS: Final = re.compile(r"\\([pP])(?:\{(\^?)([^}]*)\}|([^{]))", re.DOTALL)
_OCTAL: Final = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_HEX: Final = re.compile(r"\\x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})")
_CONTROLS: Final = dict(zip("afnrtv", "\a\f\n\r\t\v", strict=True))
_EDGES: Final = {
    "A": Edge.TEXT_START,
    "z": Edge.TEXT_END,
    "b": Edge.WORD,
    "B": Edge.NO_WORD,
}
_LARGEST_CHAR: Final = 0x10FFFF


def parse(text: str) -> Node:
    """Return the tree of a pattern.

    Raises:
        ValueError: what of it is not RE2 syntax, or beyond a limit.
    """
    if len(text) > MAX_PATTERN_CHARS:
        message = f"it is longer than {MAX_PATTERN_CHARS} characters"
        raise ValueError(message)
    return _Parser(text).pattern()


class _Parser:
    """Recursive descent, one level per group; lives for one call."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._flags: frozenset[str] = frozenset()
        self._names: set[str] = set()

    def pattern(self) -> Node:
        node = self._choice(0)
        if self._at < len(self._text):
            raise self._fault("a ) without its (", ")")
        return node

    # --- groups ---------------------------------------------------------------

    def _choice(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            message = f"groups are nested more than {MAX_DEPTH} deep"
            raise ValueError(message)
        flags = self._flags
        branches = [self._sequence(depth)]
        while self._take("|"):
            branches.append(self._sequence(depth))
        self._flags = flags
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def _sequence(self, depth: int) -> Node:
        nodes: list[Node] = []
        is_repeated = False
        while self._at < len(self._text) and self._peek() not in "|)":
            quantifier = _QUANTIFIER.match(self._text, self._at)
            if quantifier is None:
                nodes += self._atoms(depth)
            elif is_repeated or not nodes:
                what = "a second repetition" if nodes else "a repetition of nothing"
                raise self._fault(what, quantifier[0])
            else:
                nodes.append(self._repeat(nodes.pop(), quantifier))
            is_repeated = quantifier is not None
        return nodes[0] if len(nodes) == 1 else Sequence(tuple(nodes))

    def _repeat(self, node: Node, quantifier: re.Match[str]) -> Repeat:
        self._at = quantifier.end()
        if quantifier[1] is None:
            least, most = _BOUNDS[quantifier[0][0]]
            return Repeat(node, least, most, _product(node))
        # Longer numbers than this are too large, and costly to read.
        least, most = (
            int(n[-9:]) if len(n.lstrip("0")) < 9 else MAX_REPEAT + 1
            for n in (quantifier[1], quantifier[3] or quantifier[1])
        )
        product = _product(node) * (max(least, most) or 1)
        if product > MAX_REPEAT:
            raise self._fault(f"more than {MAX_REPEAT} repetitions", quantifier[0])
        if least > most:
            raise self._fault("a count that is upside down", quantifier[0])
        is_open = quantifier[2] is not None and not quantifier[3]
        return Repeat(node, least, None if is_open else most, product)

    def _atoms(self, depth: int) -> list[Node]:
        r"""Return what one character of syntax starts; several after ``\Q``."""
        char = self._peek()
        if char == "(":
            return self._group(depth)
        if char == "\\":
            return self._escape()
        if char == "[":
            return [self._class()]
        self._at += 1
        is_line = "m" in self._flags
        match char:
            case "^":
                node: Node = Edge.LINE_START if is_line else Edge.TEXT_START
            case "$":
                node = Edge.LINE_END if is_line else Edge.TEXT_END
            case ".":
                node = ANY if "s" in self._flags else NOT_NEWLINE
            case _:
                node = self._literal(char)
        return [node]

    def _group(self, depth: int) -> list[Node]:
        start = self._at
        self._at += 1
        outer = self._flags
        if self._peek() == "?" and self._group_head():
            return []
        node = self._choice(depth + 1)
        if not self._take(")"):
            raise self._fault("a ( without its )", self._text[start:][:20])
        self._flags = outer
        return [node]

    def _group_head(self) -> bool:
        """Read what follows ``(?``; return whether that is all of the group."""
        flags = _FLAGS.match(self._text, self._at)
        if flags:
            self._at = flags.end()
            self._flags = (self._flags | {*flags[1]}) - {*(flags[2] or "")}
            return flags[3] == ")"
        name = _GROUP_NAME.match(self._text, self._at)
        if name is None or not re.fullmatch("[A-Za-z0-9_]+", name[1]):
            raise self._fault(
                "a group that RE2 does not have", "(" + self._text[self._at :][:3]
            )
        if name[1] in self._names:
            raise self._fault("a second group of that name", name[1])
        self._names.add(name[1])
        self._at = name.end()
        return False

    # --- single characters ----------------------------------------------------

    def _literal(self, char: str) -> CharSet:
        return char_set(char, folds=self._folds)

    def _escape(self) -> list[Node]:
        if self._text.startswith("\\Q", self._at):
            end = self._text.find("\\E", self._at)
            end = len(self._text) if end < 0 else end
            literals = self._text[self._at + 2 : end]
            self._at = end + 2
            return [self._literal(char) for char in literals]
        letter = self._text[self._at + 1 : self._at + 2]
        if letter in _EDGES:
            self._at += 2
            return [_EDGES[letter]]
        return [self._named_set() or self._literal(self._escaped_char())]

    def _named_set(self) -> CharSet | None:
        r"""Return the set of a ``\d`` or ``\pL``; None if something else is next."""
        letter = self._text[self._at + 1 : self._at + 2]
        folds = self._folds
        if letter and letter.lower() in PERL:
            self._at += 2
            spans = PERL[letter.lower()]
            return char_set(*spans, is_negated=letter.isupper(), folds=folds)
        if letter not in ("p", "P"):
            return None
        found = _UNICODE_CLASS.match(self._text, self._at)
        if found is None:
            raise self._fault("an unfinished \\p", self._text[self._at :][:20])
        self._at = found.end()
        member = unicode_member(found[4] or found[3])
        is_negated = (found[1] == "P") is not (found[2] == "^")
        return CharSet((member,), is_negated, folds)

    def _escaped_char(self) -> str:
        """Return the character of an escape that means one."""
        for pattern, base in ((_OCTAL, 8), (_HEX, 16)):
            found = pattern.match(self._text, self._at)
            if found:
                number = int(found[1] or found[2], base)
                if number > _LARGEST_CHAR:
                    raise self._fault("no character", found[0])
                self._at = found.end()
                return chr(number)
        escape = self._text[self._at : self._at + 2]
        char = escape[1:]
        if char in _CONTROLS:
            char = _CONTROLS[char]
        elif not char:
            raise self._fault("a \\ with nothing after it", "")
        elif char in "123456789":
            raise self._fault("a back-reference, which RE2 does not have", escape)
        elif char.isalnum() or not char.isascii():
            raise self._fault("an escape that RE2 does not have", escape)
        self._at += 2
        return char

    # --- classes --------------------------------------------------------------

    def _class(self) -> CharSet:
        start = self._at
        self._at += 1
        is_negated = self._take("^")
        members: list[Member] = []
        while True:
            if self._at >= len(self._text):
                raise self._fault("a [ without its ]", self._text[start:][:20])
            # As the first, a bracket stands for itself.
            if members and self._take("]"):
                return CharSet(tuple(members), is_negated, self._folds)
            members.append(self._class_member())

    def _class_member(self) -> Member:
        posix = _POSIX_CLASS.match(self._text, self._at)
        if posix:
            self._at = posix.end()
            if posix[2] not in POSIX:
                raise self._fault("no class of characters", posix[0])
            spans = POSIX[posix[2]]
            return char_set(*spans, is_negated=bool(posix[1]), folds=self._folds)
        named = self._named_set() if self._peek() == "\\" else None
        if named:
            return named
        start = self._at
        first = last = self._class_char()
        follows = self._text[self._at : self._at + 2]
        if len(follows) == 2 and follows[0] == "-" and follows[1] != "]":
            self._at += 1
            last = self._class_char()
        if first > last:
            raise self._fault("a range upside down", self._text[start : self._at])
        return Range(first, last)

    def _class_char(self) -> str:
        char = self._peek()
        if char == "\\":
            return self._escaped_char()
        self._at += 1
        return char

    # --------------------------------------------------------------------------

    @property
    def _folds(self) -> bool:
        return "i" in self._flags

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, char: str) -> bool:
        """Go past *char* if it is next."""
        is_next = self._peek() == char
        self._at += is_next
        return is_next

    def _fault(self, what: str, part: str) -> ValueError:
        return ValueError(f'"{part}" is {what}' if part else f"it ends in {what}")


def _product(node: Node) -> int:
    """Return the largest product of nested counts in *node*."""
    if isinstance(node, Repeat):
        return node.product
    if isinstance(node, Sequence | Choice):
        return max(map(_product, node.nodes), default=1)
    return 1
