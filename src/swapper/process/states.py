"""Tables of the supervisor: which moves are legal, what waits in which state.

``stopped -> starting -> ready -> stopping -> stopped`` is the round; a start that
fails before there is a process goes straight back; ``shutdown`` ends everything and
is entered from ``stopped`` only, because nothing may be left behind. The states
themselves are in ``swapper.core.states``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from swapper.core.states import ProcessState as S
from swapper.process.messages import EnsureReady

NEXT: Final[Mapping[S, frozenset[S]]] = MappingProxyType(
    {
        S.STOPPED: frozenset({S.STARTING, S.SHUTDOWN}),
        S.STARTING: frozenset({S.READY, S.STOPPING, S.STOPPED}),
        S.READY: frozenset({S.STOPPING}),
        S.STOPPING: frozenset({S.STOPPED}),
        S.SHUTDOWN: frozenset(),
    }
)
"""Legal moves; every other one is a defect."""

DEFERRED: Final[Mapping[S, frozenset[type]]] = MappingProxyType(
    {
        S.STOPPED: frozenset(),
        S.STARTING: frozenset(),
        S.READY: frozenset(),
        S.STOPPING: frozenset({EnsureReady}),
        S.SHUTDOWN: frozenset(),
    }
)
"""Messages put aside until the state has moved (router.md R6)."""


def move(old: S, new: S) -> S:
    """Return *new*.

    Raises:
        RuntimeError: the move is not in the table.
    """
    if new not in NEXT[old]:
        raise RuntimeError(f"illegal move of a process: {old} -> {new}")
    return new
