"""Facts in, effects out: lingering, and which model goes next."""

import pytest

from swapper.core.ids import ModelId, RunId, TicketId
from swapper.scheduler import (
    AdaptiveScheduler,
    Admission,
    Effect,
    Grant,
    MemorySwapTimes,
    QueueRules,
    Remark,
    StartModel,
    StopModel,
    StopReason,
    SwapTime,
)
from tests.fakes.scheduling import group_planner, model_configs, ticket

A, B, C = ModelId("a"), ModelId("b"), ModelId("c")
R1, R2 = RunId(1), RunId(2)


def scheduler(ids: str = "abc", **load_s: float) -> AdaptiveScheduler:
    """Return one whose models take so long to load, and 2 s to stop."""
    times = MemorySwapTimes()
    for model, seconds in load_s.items():
        times.put(ModelId(model), SwapTime(load_s=seconds, stop_s=2.0))
    return AdaptiveScheduler(
        model_configs(ids),
        group_planner(g=ids),
        rules=QueueRules(max_wait_s=60.0),
        swap_times=times,
    )


def used_by_an_agent(made: AdaptiveScheduler, model: str = "a") -> float:
    """Serve some requests with pauses of 0.3 s; return the end of the last."""
    made.submit(ticket(1, model), 0.0)
    made.started(ModelId(model), R1, None, 8.0)
    now = 8.0
    for number in range(1, 6):
        now += 2.0
        made.serve_done(TicketId(number), now)
        if number < 5:
            now += 0.3
            made.submit(ticket(number + 1, model), now)
    return now


def what_is_done(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if not isinstance(effect, Remark)]


def remarks(effects: list[Effect]) -> list[str]:
    return [f"{e.model} {e.why}" for e in effects if isinstance(e, Remark)]


def test_model_lingers_for_the_next_request_of_an_agent() -> None:
    made = scheduler(a=8, b=8)
    now = used_by_an_agent(made)

    [remark] = remarks(made.submit(ticket(10, "b"), now + 0.1))

    assert remark == (
        "a lingers 0.3 s more, expected next request in 0.2 s; for b it makes room "
        "then; there and back takes 20.0 s, 1 waiting"
    )
    [queued] = made.waiting(now + 0.2)
    assert queued.why == ("waits: a lingers 0.2 s more, expected next request in 0.1 s")
    assert made.next_deadline() == pytest.approx(now + 0.425)
    assert made.submit(ticket(11, "a"), now + 0.3) == [Grant(ticket(11, "a"), R1)]


def test_model_that_lingered_in_vain_makes_room() -> None:
    made = scheduler(a=8, b=8)
    now = used_by_an_agent(made)
    made.submit(ticket(10, "b"), now)
    due = made.next_deadline()
    assert due is not None

    effects = made.tick(due)

    assert remarks(effects) == ["a lingered in vain for 0.4 s"]
    assert what_is_done(effects) == [StopModel(A, R1, StopReason.SWAP, B)]


def test_it_is_told_once_in_each_pause() -> None:
    made = scheduler(a=8, b=8)
    now = used_by_an_agent(made)

    assert len(remarks(made.submit(ticket(10, "b"), now))) == 1
    assert remarks(made.submit(ticket(11, "b"), now + 0.1)) == []
    made.submit(ticket(12, "a"), now + 0.3)
    assert len(remarks(made.serve_done(TicketId(12), now + 2.3))) == 1


def test_model_without_habits_makes_room_at_once() -> None:
    made = scheduler(a=8, b=8)
    made.submit(ticket(1, "a"), 0.0)
    made.started(A, R1, None, 8.0)
    made.serve_done(TicketId(1), 10.0)

    effects = made.submit(ticket(2, "b"), 10.1)

    assert effects == [StopModel(A, R1, StopReason.SWAP, B)]


def test_model_idle_for_long_makes_room_at_once() -> None:
    made = scheduler(a=8, b=8)
    now = used_by_an_agent(made)

    effects = made.submit(ticket(10, "b"), now + 30)

    assert effects == [StopModel(A, R1, StopReason.SWAP, B)]


def test_nobody_lingers_beyond_the_longest_wait() -> None:
    made = scheduler(a=8, b=8)
    now = used_by_an_agent(made)
    made.submit(ticket(now_number := 20, "b"), now)  # arrived at 20 s
    assert made.next_deadline() is not None
    made.submit(ticket(90, "a"), now + 0.3)

    effects = made.serve_done(TicketId(90), now_number + 60.0)

    assert what_is_done(effects) == [StopModel(A, R1, StopReason.SWAP, B)]


def test_who_is_asked_for_another_model_gets_what_others_wait_for() -> None:
    """One for whom it does not pay must not go before those that wait."""
    made = scheduler(a=8, b=8, c=0.2)
    now = used_by_an_agent(made)
    made.submit(ticket(10, "b"), now)

    assert what_is_done(made.submit(ticket(11, "c"), now + 0.1)) == []


def test_the_most_worthwhile_swap_goes_first_and_says_so() -> None:
    made = scheduler("abc", a=8, b=18, c=3)
    made.submit(ticket(1, "a"), 1.0)
    made.started(A, R1, None, 9.0)
    for number, model in ((10, "b"), (11, "c"), (12, "c"), (13, "c")):
        made.submit(ticket(number, model), float(number))

    effects = made.serve_done(TicketId(1), 20.0)

    assert remarks(effects) == [
        "c goes before b, 24.0 s of waiting in 5.0 s of swapping, against 10.0 s in "
        "20.0 s"
    ]
    assert what_is_done(effects) == [StopModel(A, R1, StopReason.SWAP, C)]
    assert remarks(made.stopped(A, R1, 22.0)) == []


def test_oldest_goes_first_among_equals_whatever_is_known() -> None:
    made = scheduler("abc", a=8, b=8)
    made.submit(ticket(1, "a"), 1.0)
    made.started(A, R1, None, 9.0)
    made.submit(ticket(10, "b"), 10.0)
    made.submit(ticket(11, "c"), 11.0)  # never loaded: taken to be like the others

    effects = made.serve_done(TicketId(1), 12.0)

    assert effects == [StopModel(A, R1, StopReason.SWAP, B)]


def test_nothing_lingers_while_a_model_of_higher_priority_waits() -> None:
    times = MemorySwapTimes()
    made = AdaptiveScheduler(
        model_configs("abc"),
        group_planner(g="abc"),
        rules=QueueRules(priority={B: 1}),
        swap_times=times,
    )
    now = used_by_an_agent(made)
    assert what_is_done(made.submit(ticket(9, "c"), now)) == []

    assert what_is_done(made.submit(ticket(10, "b"), now + 0.1)) == [
        StopModel(A, R1, StopReason.SWAP, B)
    ]


def test_priority_goes_before_what_is_worthwhile() -> None:
    times = MemorySwapTimes()
    made = AdaptiveScheduler(
        model_configs("abc"),
        group_planner(g="abc"),
        rules=QueueRules(priority={B: 5}),
        swap_times=times,
    )
    made.submit(ticket(1, "a"), 1.0)
    made.started(A, R1, None, 9.0)
    for number, model in ((10, "c"), (11, "c"), (12, "b")):
        made.submit(ticket(number, model), float(number))

    effects = made.serve_done(TicketId(1), 20.0)

    assert effects == [StopModel(A, R1, StopReason.SWAP, B)]


def test_uncounted_requests_neither_wait_nor_tell_anything() -> None:
    made = scheduler(a=8, b=8)
    now = used_by_an_agent(made)
    made.submit(ticket(10, "a", Admission.UNCOUNTED), now + 0.1)

    assert remarks(made.submit(ticket(11, "b"), now + 0.2))  # it still lingers


def test_swap_times_outlive_the_scheduler() -> None:
    times = MemorySwapTimes()
    made = AdaptiveScheduler(
        model_configs("ab"), group_planner(g="ab"), swap_times=times
    )
    made.submit(ticket(1, "a"), 1.0)
    made.started(A, R1, None, 9.0)
    made.serve_done(TicketId(1), 10.0)
    assert made.submit(ticket(11, "b"), 11.0) == [StopModel(A, R1, StopReason.SWAP, B)]
    assert made.stopped(A, R1, 14.0) == [StartModel(B, R2)]

    assert times.get(A) == SwapTime(load_s=8.0, stop_s=3.0)
