"""The expressions of the matrix router (config.md 13.2 and 13.3): text to tree.

An expression says which models may run together: ``&`` unites, ``|`` offers
alternatives, ``+name`` inserts another set. Trees are small however many
combinations they stand for; ``combinations.py`` answers questions about them
without ever making a list of those. Pure.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias

from swapper.core.ids import ModelId

MAX_HEIGHT: Final = 100
"""How many ``&`` and ``|`` may be nested, those of inserted sets included."""

# Python counts four separators as blanks that are none in Unicode.
_TOKEN: Final = re.compile(
    r"[^\S\x1c-\x1f]*(?:(?P<name>[\w.\-]+)|(?P<sign>[|&()])|(?P<insert>\+[\w.\-]*))"
)
_BLANKS: Final = "".join(
    c for c in map(chr, range(0x3001)) if c.isspace() and not "\x1c" <= c <= "\x1f"
)


@dataclass(frozen=True, slots=True)
class One:
    """One model."""

    model: ModelId


@dataclass(frozen=True, slots=True)
class Insert:
    """The expression of another set."""

    set_name: str


@dataclass(frozen=True, slots=True)
class AllOf:
    """One choice of each part, united; at least two parts."""

    parts: tuple["Expression", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A choice of any one part, earlier ones first; at least two parts."""

    parts: tuple["Expression", ...]


Expression: TypeAlias = One | Insert | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class MatrixSet:
    """One entry of ``sets``."""

    name: str
    expression: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixConfig:
    """The matrix block, checked.

    Attributes:
        sets: in evaluation order: as defined, but an inserted set comes before
            those that insert it; free of cycles, every inserted set is there.
        evict_costs: at least 1 each; a model not listed costs 1.
    """

    sets: tuple[MatrixSet, ...] = ()
    evict_costs: Mapping[ModelId, int] = field(
        default_factory=lambda: MappingProxyType({})
    )


class ExpressionError(ValueError):
    """The text is not an expression.

    Attributes:
        position: of the fault, 0-based, in the text without outer blanks.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} at position {position}")
        self.position = position


class SetCycleError(ValueError):
    """Sets insert each other in a circle.

    Attributes:
        cycle: set names; each inserts the next, the last is the first again.
    """

    def __init__(self, cycle: tuple[str, ...]) -> None:
        super().__init__("inserts itself: " + " -> ".join(cycle))
        self.cycle = cycle


class SetHeightError(ValueError):
    """A set nests too deeply through the sets that it inserts."""

    def __init__(self, set_name: str) -> None:
        super().__init__(
            f"nests more than {MAX_HEIGHT} levels of & and | through inserted sets"
        )
        self.set_name = set_name


def parse_expression(text: str, models: Mapping[str, ModelId]) -> Expression:
    """Return the tree of *text*; names of sets are not looked up.

    Args:
        text: an expression, blanks around it allowed.
        models: what each name stands for.

    Raises:
        ExpressionError: for the first fault of the text.
    """
    text = text.strip(_BLANKS)
    parser = _Parser(models)
    # All of the text first: a foreign character explains what follows from it.
    for kind, piece, position in list(_tokens(text)):
        parser.take(kind, piece, position)
    return parser.end(len(text))


def expression_text(expression: Expression) -> str:
    """Return an expression in the language of the file, with model ids as names."""
    match expression:
        case One(model):
            return model
        case Insert(set_name):
            return f"+{set_name}"
        case AllOf(parts):
            return " & ".join(
                f"({expression_text(part)})"
                if isinstance(part, AnyOf)
                else expression_text(part)
                for part in parts
            )
        case AnyOf(parts):
            return " | ".join(map(expression_text, parts))


def inserted_sets(expression: Expression) -> tuple[str, ...]:
    """Return the names of the sets it inserts, in order, each once."""
    names: dict[str, None] = {}
    left = [expression]
    while left:
        match left.pop():
            case Insert(name):
                names[name] = None
            case AllOf(parts) | AnyOf(parts):
                left.extend(reversed(parts))
            case One():
                pass
    return tuple(names)


def evaluation_order(expressions: Mapping[str, Expression]) -> tuple[MatrixSet, ...]:
    """Return the sets as they are tried: depth first over the definitions.

    Args:
        expressions: by set name, as defined; every inserted set is there.

    Raises:
        SetCycleError: a set inserts itself, directly or through others.
        SetHeightError: a set nests too deeply, inserted sets included.
    """
    height_of: dict[str, int] = {}
    for start in expressions:
        path: dict[str, Iterator[str]] = {}
        entered: str | None = start
        while entered is not None and entered not in height_of:
            if entered in path:
                names = [*path]
                raise SetCycleError((*names[names.index(entered) :], entered))
            path[entered] = iter(inserted_sets(expressions[entered]))
            entered = _next_to_enter(path, expressions, height_of)
    return tuple(MatrixSet(name, expressions[name]) for name in height_of)


def _next_to_enter(
    path: dict[str, Iterator[str]],
    expressions: Mapping[str, Expression],
    height_of: dict[str, int],
) -> str | None:
    """Leave the sets that have nothing more to enter; return the next, if any."""
    while path:
        name, inserted = next(reversed(path.items()))
        for other in inserted:
            if other not in height_of:
                return other
        del path[name]
        height_of[name] = _height(expressions[name], height_of)
        if height_of[name] > MAX_HEIGHT:
            raise SetHeightError(name)
    return None


def _height(expression: Expression, height_of: Mapping[str, int]) -> int:
    match expression:
        case One():
            return 0
        case Insert(name):
            return height_of[name]
        case AllOf(parts) | AnyOf(parts):
            return 1 + max(_height(part, height_of) for part in parts)


_Token: TypeAlias = tuple[str, str, int]
"""Kind (``name``, ``insert`` or the sign itself), text and position."""


def _tokens(text: str) -> Iterator[_Token]:
    end = 0
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        piece = found[kind]
        start = found.end() - len(piece)
        if found.start() != end:
            raise _foreign(text, end)
        end = found.end()
        if not piece.isascii():
            _check_letters(text, start, end)
        if piece == "+":
            message = "+ must be followed by the name of a set, without a blank,"
            raise ExpressionError(message, start)
        yield (piece if kind == "sign" else kind), piece, start
    if end != len(text):
        raise _foreign(text, end)


def _check_letters(text: str, start: int, end: int) -> None:
    # The pattern also lets numbers pass that are neither letters nor digits.
    for position in range(start, end):
        character = text[position]
        if not (character.isalpha() or character.isdecimal() or character in "_.-+"):
            raise _foreign(text, position)


def _foreign(text: str, position: int) -> ExpressionError:
    while text[position] in _BLANKS:
        position += 1
    return ExpressionError(f"unexpected character {text[position]!r}", position)


@dataclass(slots=True)
class _Frame:
    """What stands since a ``(``, or since the start.

    Attributes:
        position: of the ``(``.
        height: of the highest part so far.
    """

    position: int
    choices: list[Expression] = field(default_factory=list)
    parts: list[Expression] = field(default_factory=list)
    height: int = 0
    part_height: int = 0

    def add(self, part: Expression, height: int) -> None:
        self.parts.append(part)
        self.part_height = max(self.part_height, height)

    def end_choice(self) -> None:
        is_one = len(self.parts) == 1
        self.choices.append(self.parts[0] if is_one else AllOf(tuple(self.parts)))
        self.height = max(self.height, self.part_height + (not is_one))
        self.parts, self.part_height = [], 0

    def end(self) -> tuple[Expression, int]:
        self.end_choice()
        if len(self.choices) == 1:
            return self.choices[0], self.height
        return AnyOf(tuple(self.choices)), self.height + 1


class _Parser:
    """Takes tokens; keeps open parentheses on a list, not on Python's stack."""

    def __init__(self, models: Mapping[str, ModelId]) -> None:
        self._models = models
        self._frames = [_Frame(0)]
        self._wants_operand = True

    def take(self, kind: str, text: str, position: int) -> None:
        if self._wants_operand:
            self._take_operand(kind, text, position)
        else:
            self._take_operator(kind, text, position)

    def end(self, length: int) -> Expression:
        if self._wants_operand:
            message = "a name is missing" if length else "the expression is empty,"
            raise ExpressionError(message, length)
        if len(self._frames) > 1:
            position = self._frames[-1].position
            raise ExpressionError("there is no ) for the (", position)
        return self._close()[0]

    def _take_operand(self, kind: str, text: str, position: int) -> None:
        if kind == "(":
            self._frames.append(_Frame(position))
            return
        if kind == "name":
            model = self._models.get(text)
            if model is None:
                message = f"{text} is neither a variable nor the id of a model,"
                raise ExpressionError(message, position)
            self._frames[-1].add(One(model), 0)
        elif kind == "insert":
            self._frames[-1].add(Insert(text[1:]), 0)
        else:
            raise ExpressionError(f"a name is missing before {text}", position)
        self._wants_operand = False

    def _take_operator(self, kind: str, text: str, position: int) -> None:
        if kind == ")":
            if len(self._frames) == 1:
                raise ExpressionError("there is no ( for the )", position)
            inner, height = self._close()
            self._frames[-1].add(inner, height)
            return
        if kind == "|":
            self._frames[-1].end_choice()
        elif kind != "&":
            raise ExpressionError(f"& or | is missing before {text}", position)
        self._wants_operand = True

    def _close(self) -> tuple[Expression, int]:
        frame = self._frames.pop()
        expression, height = frame.end()
        if height > MAX_HEIGHT:
            message = f"more than {MAX_HEIGHT} levels of & and | are nested"
            raise ExpressionError(message, frame.position)
        return expression, height
