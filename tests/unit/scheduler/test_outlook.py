"""What the waiting are told: why, and how long still."""

from swapper.config.schema import GroupConfig
from swapper.core.ids import ModelId, RunId, TicketId
from swapper.planner import MatrixPlanner
from swapper.scheduler import (
    FifoScheduler,
    MemorySwapTimes,
    Queued,
    QueueRules,
    Standing,
    StartModel,
    SwapTime,
)
from tests.fakes.matrices import matrix
from tests.fakes.scheduling import group_planner, model_configs, queue_of, ticket

A, B, C = (ModelId(id_) for id_ in "abc")
R1 = RunId(1)


def swapping(ids: str = "abc", **load_s: float) -> FifoScheduler:
    times = MemorySwapTimes()
    for model, seconds in load_s.items():
        times.put(ModelId(model), SwapTime(seconds, 2.0))
    return FifoScheduler(model_configs(ids), group_planner(g=ids), times=times)


def busy(scheduler: FifoScheduler, model: ModelId, number: int) -> RunId:
    (start,) = scheduler.submit(ticket(number, model), float(number))
    assert isinstance(start, StartModel)
    scheduler.started(model, start.run, None, float(number))
    return start.run


def told(scheduler: FifoScheduler, now: float) -> list[tuple[int, int, str]]:
    return [(q.ticket.id, q.position, q.why) for q in queue_of(scheduler, now)]


def test_loads_and_stops_are_measured() -> None:
    times = MemorySwapTimes()
    scheduler = FifoScheduler(model_configs("ab"), group_planner(g="ab"), times=times)
    scheduler.submit(ticket(1, "a"), 1.0)
    scheduler.started(A, R1, None, 31.0)
    scheduler.serve_done(TicketId(1), 40.0)
    scheduler.submit(ticket(50, "b"), 50.0)
    scheduler.stopped(A, R1, 52.5)

    assert times.get(A) == SwapTime(30.0, 2.5)
    assert times.get(B) == SwapTime()


def test_a_death_or_a_failed_start_tells_nothing_about_stops() -> None:
    times = MemorySwapTimes()
    scheduler = FifoScheduler(model_configs("ab"), group_planner(g="ab"), times=times)
    run = busy(scheduler, A, 1)
    scheduler.exited(A, run, 5.0)
    scheduler.stopped(A, run, 9.0)

    assert times.get(A).stop_s is None


def test_a_load_is_told_with_the_rest_of_its_usual_time() -> None:
    scheduler = swapping(a=30.0)
    scheduler.submit(ticket(1, "a"), 1.0)

    assert queue_of(scheduler, 11.0) == [
        Queued(ticket(1, "a"), 0, "a is loading", 20.0)
    ]
    assert scheduler.standing(TicketId(1), 15.0) == Standing(0, 16.0)
    assert scheduler.standing(TicketId(1), 99.0) == Standing(0, 0.0)


def test_without_a_measure_there_is_no_estimate() -> None:
    scheduler = swapping()
    scheduler.submit(ticket(1, "a"), 1.0)

    assert scheduler.standing(TicketId(1), 2.0) == Standing(0, None)
    assert scheduler.standing(TicketId(9), 2.0) is None


def test_who_waits_for_a_busy_model_is_told_so() -> None:
    """Requests of a usually take ten seconds; then it stops and b loads."""
    scheduler = swapping(a=5.0, b=30.0)
    busy(scheduler, A, 1)
    scheduler.serve_done(TicketId(1), 11.0)
    scheduler.submit(ticket(20, "a"), 20.0)
    scheduler.submit(ticket(21, "a"), 22.0)
    scheduler.submit(ticket(23, "b"), 23.0)

    (queued,) = queue_of(scheduler, 24.0)

    assert (queued.position, queued.why) == (1, "waits for a to finish 2 requests")
    assert queued.estimate_s == 8.0 + 2.0 + 30.0


def test_the_turns_of_those_ahead_count() -> None:
    scheduler = swapping(a=5.0, b=30.0, c=7.0)
    for model in (B, C, A):  # everybody's requests take ten seconds
        number = {B: 1, C: 20, A: 40}[model]
        scheduler.submit(ticket(number, model), float(number))
        for id_, state in scheduler.states().items():
            if state == "stopping":
                scheduler.stopped(id_, RunId(scheduler._board.models[id_].run), number)
        run = scheduler._board.models[model].run
        scheduler.started(model, run, None, float(number))
        if model != A:
            scheduler.serve_done(TicketId(number), number + 10.0)
    times = scheduler._board.times
    for model in (A, B, C):
        times.put(model, SwapTime(30.0, 2.0))
    scheduler._board.models[A].usual_s = 10.0
    scheduler.submit(ticket(41, "b"), 41.0)
    scheduler.submit(ticket(42, "c"), 42.0)

    waiting = queue_of(scheduler, 45.0)

    assert [(q.ticket.model, q.estimate_s) for q in waiting] == [
        (B, 5.0 + 2.0 + 30.0),
        (C, 37.0 + 10.0 + 2.0 + 30.0),
    ]


def test_who_waits_for_a_stop_a_load_or_a_turn_is_told_so() -> None:
    scheduler = swapping()
    run = busy(scheduler, A, 1)
    scheduler.submit(ticket(2, "b"), 2.0)
    assert told(scheduler, 2.0) == [(2, 1, "waits for a to finish 1 request")]
    scheduler.submit(ticket(70, "a"), 70.0)
    assert told(scheduler, 70.0)[1] == (
        70,
        2,
        "waits for its turn after b, which has waited longer",
    )
    scheduler.serve_done(TicketId(1), 71.0)
    assert told(scheduler, 71.0) == [
        (2, 0, "waits for a to stop"),
        (70, 1, "waits while b is loading"),
    ]
    scheduler.stopped(A, run, 72.0)
    assert told(scheduler, 72.0)[0] == (2, 0, "b is loading")


def test_several_in_the_way_are_all_named() -> None:
    planner = MatrixPlanner(matrix(s="a & b", t="c"))
    scheduler = FifoScheduler(model_configs("abc"), planner)
    busy(scheduler, A, 1)
    busy(scheduler, B, 2)
    scheduler.submit(ticket(3, "c"), 3.0)

    assert told(scheduler, 3.0) == [
        (3, 1, "waits for a to finish 1 request and b to finish 1 request")
    ]


def test_a_doubted_run_and_one_on_its_way_out_are_told_of() -> None:
    scheduler = swapping()
    run = busy(scheduler, A, 1)
    scheduler.requeue(ticket(1, "a"), run, 2.0)
    assert told(scheduler, 2.0) == [(1, 1, "waits to see whether a still runs")]

    together = GroupConfig(id="g", swap=False, members=(A, B))
    other = FifoScheduler(model_configs("ab"), group_planner(g=together))
    busy(other, A, 1)
    alone = GroupConfig(id="g", members=(B,))
    other.reload(model_configs("b"), group_planner(g=alone), QueueRules(), 2.0)
    other.submit(ticket(3, "b"), 3.0)
    assert told(other, 3.0) == [
        (3, 1, "waits for a to end, which a reload has changed")
    ]


def test_a_hundred_may_ask_between_two_changes_for_the_price_of_one() -> None:
    calls: list[ModelId] = []
    inner = group_planner(g="abc")

    class Counting:
        name = "counting"

        def eviction_for(
            self, target: ModelId, running: list[ModelId], **_: bool
        ) -> tuple[ModelId, ...]:
            calls.append(target)
            return inner.eviction_for(target, running)

    scheduler = FifoScheduler(model_configs("abc"), Counting())  # type: ignore[arg-type]  # a list will do
    scheduler.submit(ticket(1, "a"), 0.0)
    for number in range(2, 102):
        scheduler.submit(ticket(number, "bc"[number % 2]), 0.0)
    calls.clear()

    standings = [scheduler.standing(TicketId(n), 1.0) for n in range(2, 102)]

    assert [s.position for s in standings if s] == list(range(1, 101))
    assert sorted(calls) == [B, C]
