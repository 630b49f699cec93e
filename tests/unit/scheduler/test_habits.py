"""What is learned by watching."""

import pytest

from swapper.core.ids import ModelId
from swapper.scheduler import MemorySwapTimes, SwapTime
from swapper.scheduler.habits import REMEMBERED, Habits

A, B = ModelId("a"), ModelId("b")


@pytest.fixture
def times() -> MemorySwapTimes:
    return MemorySwapTimes()


@pytest.fixture
def habits(times: MemorySwapTimes) -> Habits:
    return Habits(times)


def test_swap_times_are_those_that_others_keep(
    habits: Habits, times: MemorySwapTimes
) -> None:
    times.put(A, SwapTime(load_s=8.0, stop_s=2.0))

    assert (habits.load_s(A), habits.stop_s(A)) == (8.0, 2.0)
    assert (habits.load_s(B), habits.stop_s(B)) == (None, 0.0)


def test_pause_is_from_the_last_answer_to_the_next_request(habits: Habits) -> None:
    habits.arrives(A, 0.0)
    habits.serves(A, 1.0)
    habits.arrives(A, 2.0)  # no pause: it is busy
    habits.serves(A, 2.0)
    habits.idles(A, 5.0)
    habits.arrives(A, 5.5)
    habits.arrives(A, 9.0)  # the pause has ended, it only loads

    assert habits.pauses(A) == (0.5,)
    assert habits.busy_s(A) == 4.0


def test_only_the_newest_pauses_are_remembered(habits: Habits) -> None:
    for number in range(REMEMBERED + 3):
        habits.serves(A, number * 10)
        habits.idles(A, number * 10 + 1)
        habits.arrives(A, number * 10 + 1 + number)

    assert habits.pauses(A) == tuple(range(3, REMEMBERED + 3))


def test_nothing_is_known_of_a_model_never_asked_for(habits: Habits) -> None:
    habits.arrives(A, 1.0)

    assert habits.pauses(A) == ()
    assert habits.busy_s(A) == 0.0
