"""When it pays to wait for the next request."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapper.scheduler.linger import Hope, hope


def ask(
    pauses: Sequence[float],
    *,
    elapsed_s: float = 0.0,
    longest_s: float = 5.0,
    saved_s: float = 20.0,
    busy_s: float = 2.0,
    waiting: int = 1,
) -> Hope | None:
    return hope(
        pauses,
        elapsed_s=elapsed_s,
        longest_s=longest_s,
        saved_s=saved_s,
        busy_s=busy_s,
        waiting=waiting,
    )


def test_short_pauses_promise_the_next_request_soon() -> None:
    found = ask([0.3] * 5)

    assert found is not None
    assert found.expected_s == pytest.approx(0.3)
    assert 0.3 < found.for_s < 0.5


def test_one_short_pause_is_enough_to_hope() -> None:
    assert ask([0.3]) is not None


@pytest.mark.parametrize("pauses", [[], [6.0], [4.9, 30.0, 60.0]])
def test_nothing_is_hoped_for_without_pauses_that_end_in_time(
    pauses: list[float],
) -> None:
    assert ask(pauses) is None


def test_pause_that_lasts_longer_than_usual_is_the_end() -> None:
    assert ask([0.3] * 5, elapsed_s=0.4) is not None
    assert ask([0.3] * 5, elapsed_s=0.5) is None


def test_many_who_wait_outweigh_one_who_may_come() -> None:
    assert ask([0.3] * 5, waiting=4) is not None
    assert ask([0.3] * 5, waiting=10) is None  # 10 times 2 s is what it saves


def test_what_is_cheap_to_load_again_does_not_linger() -> None:
    assert ask([0.3] * 5, saved_s=2.4) is None


def test_a_late_minority_is_not_waited_for() -> None:
    found = ask([0.3, 0.3, 0.3, 3.0])

    assert found is not None
    assert found.for_s < 0.5


def test_independent_requests_that_are_rare_promise_next_to_nothing() -> None:
    dice = random.Random(1)  # noqa: S311 - a simulation
    hopes = [ask([dice.expovariate(1 / 60) for _ in range(32)]) for _ in range(200)]
    found = [one.for_s for one in hopes if one is not None]

    assert len(found) < 20
    assert sum(found) < 0.1 * 200


@given(
    pauses=st.lists(st.floats(0, 100), max_size=32),
    elapsed_s=st.floats(0, 50),
    longest_s=st.floats(0, 50),
    saved_s=st.floats(0, 100),
    waiting=st.integers(1, 100),
)
def test_never_longer_than_allowed(
    pauses: list[float],
    elapsed_s: float,
    longest_s: float,
    saved_s: float,
    waiting: int,
) -> None:
    found = ask(
        pauses,
        elapsed_s=elapsed_s,
        longest_s=longest_s,
        saved_s=saved_s,
        waiting=waiting,
    )

    if found is not None:
        assert elapsed_s < found.for_s <= longest_s
        assert elapsed_s <= found.expected_s
