"""What the scheduler tells a planner that weighs, and what comes of it."""

from collections.abc import Sequence

from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.planner import BudgetPlanner, Planner, Standing, Standings
from swapper.planner.base import unknown_standing
from swapper.scheduler import FifoScheduler, Grant, StartModel, StopModel, StopReason
from tests.fakes.budgets import budget
from tests.fakes.scheduling import model_configs, ticket

A, B, C, D = map(ModelId, "abcd")
R1, R2, R3, R4 = map(RunId, (1, 2, 3, 4))
PAIRS = budget({"x": 2}, a={"x": 1}, b={"x": 1}, c={"x": 1}, d={"x": 2})


def scheduler_with(planner: Planner) -> FifoScheduler:
    return FifoScheduler(model_configs("abcd"), planner)


def load(
    scheduler: FifoScheduler, model: ModelId, at: float, load_s: float, *, served: bool
) -> None:
    """Ask for *model* and have it become ready; its request may have ended, too."""
    [start] = scheduler.submit(ticket(int(at), model), at)
    assert isinstance(start, StartModel)
    scheduler.started(model, start.run, None, at + load_s)
    if served:
        scheduler.serve_done(TicketId(int(at)), at + load_s)


def swapped_out(model: ModelId, run: RunId, target: ModelId) -> StopModel:
    return StopModel(model, run, StopReason.SWAP, target)


def test_what_loads_quickest_makes_room() -> None:
    scheduler = scheduler_with(BudgetPlanner(PAIRS))
    load(scheduler, A, 1.0, 8.0, served=True)
    load(scheduler, B, 10.0, 2.0, served=True)

    assert scheduler.submit(ticket(20, "c"), 20.0) == [swapped_out(B, R2, C)]


def test_what_nobody_has_used_for_long_makes_room() -> None:
    scheduler = scheduler_with(BudgetPlanner(PAIRS))
    load(scheduler, A, 1.0, 8.0, served=True)
    load(scheduler, B, 900.0, 2.0, served=True)

    assert scheduler.submit(ticket(903, "c"), 903.0) == [swapped_out(A, R1, C)]


def test_5_a_busy_model_stays_if_an_idle_one_will_do_and_is_waited_for_if_not() -> None:
    scheduler = scheduler_with(BudgetPlanner(PAIRS))
    load(scheduler, A, 1.0, 30.0, served=True)
    load(scheduler, B, 40.0, 1.0, served=False)

    assert scheduler.submit(ticket(50, "d"), 50.0) == []
    assert scheduler.submit(ticket(51, "c"), 51.0) == [swapped_out(A, R1, C)]


def test_4_what_is_stopping_already_makes_room_before_anybody_else() -> None:
    """``b`` waits until ``a`` is gone; the idle ``c`` need not go for it."""
    needs = budget({"x": 4}, a={"x": 2}, b={"x": 1}, c={"x": 2}, d={"x": 1})
    scheduler = scheduler_with(BudgetPlanner(needs))
    load(scheduler, A, 1.0, 1.0, served=True)
    load(scheduler, C, 10.0, 50.0, served=True)

    assert scheduler.submit(ticket(70, "d"), 70.0) == [swapped_out(A, R1, D)]
    assert scheduler.submit(ticket(71, "b"), 71.0) == []
    assert scheduler.stopped(A, R1, 72.0) == [StartModel(D, R3), StartModel(B, R4)]


def test_6_what_an_unload_stops_is_waited_for() -> None:
    scheduler = scheduler_with(BudgetPlanner(PAIRS))
    load(scheduler, A, 1.0, 50.0, served=True)
    load(scheduler, B, 60.0, 1.0, served=True)
    scheduler.unload(UnloadId(1), {A}, 70.0)

    assert scheduler.submit(ticket(71, "c"), 71.0) == []
    assert StartModel(C, R3) in scheduler.stopped(A, R1, 72.0)
    assert scheduler.submit(ticket(73, "b"), 73.0) == [Grant(ticket(73, "b"), R2)]


def test_a_planner_is_told_how_every_running_model_stands() -> None:
    seen: dict[ModelId, Standing] = {}

    class Curious(BudgetPlanner):
        def eviction_for(
            self,
            target: ModelId,
            running: Sequence[ModelId],
            *,
            target_is_running: bool = False,
            standing: Standings = unknown_standing,
        ) -> tuple[ModelId, ...]:
            seen.clear()
            seen.update({model: standing(model) for model in running})
            return super().eviction_for(
                target, running, target_is_running=target_is_running, standing=standing
            )

    scheduler = scheduler_with(
        Curious(budget({"x": 9}, a={"x": 1}, b={"x": 1}, c={"x": 1}, d={"x": 1}))
    )
    load(scheduler, A, 1.0, 8.0, served=True)
    load(scheduler, B, 10.0, 2.0, served=False)
    scheduler.submit(ticket(20, "c"), 20.0)
    scheduler.submit(ticket(29, "d"), 29.0)

    assert seen == {
        A: Standing(load_s=8.0, idle_s=20.0),
        B: Standing(load_s=2.0, is_busy=True),
        C: Standing(is_busy=True),  # it is being loaded for somebody
    }
    scheduler.cancel(TicketId(20), 30.0)
    scheduler.unload(UnloadId(1), {A}, 30.0)
    scheduler.cancel(TicketId(29), 30.0)
    scheduler.stopped(A, R1, 31.0)
    scheduler.submit(ticket(32, "a"), 32.0)

    assert seen == {
        B: Standing(load_s=2.0, is_busy=True),
        C: Standing(is_leaving=True),  # nobody waits for it any more
        D: Standing(is_leaving=True),
    }
