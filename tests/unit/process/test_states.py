"""The table of moves."""

import itertools

import pytest

from swapper.core.states import ProcessState as S
from swapper.process.messages import EnsureReady
from swapper.process.states import DEFERRED, NEXT, move

LEGAL = {
    (S.STOPPED, S.STARTING),
    (S.STOPPED, S.SHUTDOWN),
    (S.STARTING, S.READY),
    (S.STARTING, S.STOPPING),
    (S.STARTING, S.STOPPED),
    (S.READY, S.STOPPING),
    (S.STOPPING, S.STOPPED),
}


@pytest.mark.parametrize(("old", "new"), sorted(LEGAL))
def test_legal_moves_are_made(old: S, new: S) -> None:
    assert move(old, new) is new


@pytest.mark.parametrize(("old", "new"), sorted(set(itertools.product(S, S)) - LEGAL))
def test_illegal_moves_raise(old: S, new: S) -> None:
    with pytest.raises(RuntimeError, match=f"illegal move of a process: {old} -> "):
        move(old, new)


def test_every_state_is_in_both_tables() -> None:
    assert set(NEXT) == set(DEFERRED) == set(S)


def test_only_a_start_waits_and_only_for_a_stop() -> None:
    assert {state for state in S if DEFERRED[state]} == {S.STOPPING}
    assert DEFERRED[S.STOPPING] == {EnsureReady}
