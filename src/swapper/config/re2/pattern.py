"""A pattern as an automaton: time grows with the text, never with its square.

States are numbers of a program made from the tree. A search walks over the text once
and keeps the set of states that a match could be in. Which set follows which is
remembered, so most characters cost one look into a table.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from swapper.config.re2.chars import PERL, CharSet, char_set
from swapper.config.re2.syntax import Choice, Edge, Node, Repeat, Sequence, parse

MAX_STATES: Final = 4000
"""Largest program; one step costs that much at worst."""
MAX_REMEMBERED: Final = 1024
"""Steps that one pattern remembers; then it forgets all of them."""

_WORD: Final = char_set(*PERL["w"])
_DONE: Final = 0

States: TypeAlias = frozenset[int]


@dataclass(frozen=True, slots=True)
class _State:
    """What one state waits for, and the states after it.

    Attributes:
        needs: characters to read, a condition on the place, or None for neither.
    """

    needs: CharSet | Edge | None
    after: tuple[int, ...] = ()


class Pattern:
    """A pattern in RE2 syntax; any thread may search with it.

    Attributes:
        pattern: its text.
    """

    __slots__ = ("_program", "_remembered", "_start", "pattern")

    def __init__(self, pattern: str) -> None:
        """Parse *pattern*.

        Raises:
            ValueError: what is wrong with it.
        """
        self.pattern = pattern
        self._program: list[_State] = [_State(None)]  # _DONE
        self._start = self._compile(parse(pattern), _DONE)
        # Steps are the same whoever makes them, so threads may share them unlocked.
        self._remembered: dict[tuple[States, str, str], States | None] = {}

    def __eq__(self, other: object) -> bool:
        """Tell whether *other* is the same pattern."""
        return isinstance(other, Pattern) and other.pattern == self.pattern

    def __hash__(self) -> int:
        """Return the hash that goes with equality."""
        return hash(self.pattern)

    def __repr__(self) -> str:
        """Return the text that makes this object."""
        return f"Pattern({self.pattern!r})"

    def search(self, text: str) -> bool:
        """Tell whether the pattern matches anywhere in *text*."""
        states: States = frozenset()
        before = ""
        for char in (*text, ""):
            following = self._next(states, before, char)
            if following is None:
                return True
            states, before = following, _kind(char)
        return False

    # --- running --------------------------------------------------------------

    def _next(self, states: States, before: str, char: str) -> States | None:
        """Return the states after *char*, "" at the end; None after a match."""
        key = states, before, char
        try:
            return self._remembered[key]
        except KeyError:
            pass
        reached = self._reachable((self._start, *states), before, char)
        following: States | None = None
        if _DONE not in reached:
            following = frozenset(
                after
                for state in map(self._program.__getitem__, reached)
                if isinstance(state.needs, CharSet) and char and state.needs.holds(char)
                for after in state.after
            )
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = following
        return following

    def _reachable(self, states: Iterable[int], before: str, after: str) -> set[int]:
        """Return *states* and those behind them that need no character."""
        reached: set[int] = set()
        waiting = list(states)
        while waiting:
            number = waiting.pop()
            if number in reached:
                continue
            reached.add(number)
            state = self._program[number]
            if state.needs is None or (
                isinstance(state.needs, Edge) and _holds(state.needs, before, after)
            ):
                waiting += state.after
        return reached

    # --- making ---------------------------------------------------------------

    def _compile(self, node: Node, after: int) -> int:
        """Return the first state of *node*, behind which comes *after*."""
        match node:
            case CharSet() | Edge():
                return self._add(_State(node, (after,)))
            case Sequence():
                for part in reversed(node.nodes):
                    after = self._compile(part, after)
                return after
            case Choice():
                starts = tuple(self._compile(part, after) for part in node.nodes)
                return self._add(_State(None, starts))
            case Repeat():
                return self._compile_repeat(node, after)

    def _compile_repeat(self, node: Repeat, after: int) -> int:
        start = after
        if node.most is None:
            start = self._add(_State(None))
            body = self._compile(node.node, start)
            self._program[start] = _State(None, (body, after))
        else:
            for _ in range(node.most - node.least):
                body = self._compile(node.node, start)
                start = self._add(_State(None, (body, after)))
        for _ in range(node.least):
            start = self._compile(node.node, start)
        return start

    def _add(self, state: _State) -> int:
        if len(self._program) >= MAX_STATES:
            message = f"it is too large (more than {MAX_STATES} states)"
            raise ValueError(message)
        self._program.append(state)
        return len(self._program) - 1


def _kind(char: str) -> str:
    """Return what conditions on a place need to know about the character before."""
    if char == "\n" or not char:
        return char
    return "w" if _WORD.holds(char) else " "


def _holds(edge: Edge, before: str, after: str) -> bool:
    """Tell whether *edge* is true between two characters; "" is none."""
    match edge:
        case Edge.TEXT_START:
            return not before
        case Edge.TEXT_END:
            return not after
        case Edge.LINE_START:
            return before in ("", "\n")
        case Edge.LINE_END:
            return after in ("", "\n")
        case Edge.WORD | Edge.NO_WORD:
            is_word = (_kind(before) == "w") is not (_kind(after) == "w")
            return is_word is (edge is Edge.WORD)
