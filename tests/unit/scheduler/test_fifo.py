"""The default strategy as values: facts in, effects out."""

import pytest

from swapper.config.schema import GroupConfig
from swapper.core.errors import (
    ConcurrencyLimitError,
    ModelUnloadedError,
    NotFoundError,
    ShuttingDownError,
    StartAbortedError,
)
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.core.states import ProcessState
from swapper.scheduler import (
    AnswerUnload,
    Effect,
    FifoScheduler,
    Grant,
    QueueRules,
    Refuse,
    StartModel,
    StopModel,
    StopReason,
)
from tests.fakes.scheduling import group_planner, model_configs, queue_of, ticket

A, B, C = ModelId("a"), ModelId("b"), ModelId("c")
R1, R2, R3 = RunId(1), RunId(2), RunId(3)


def swapping(*, ttl_s: int = 0, limit: int = 1000) -> FifoScheduler:
    """Return a scheduler of a, b, c in one group: one at a time."""
    return FifoScheduler(
        model_configs("abc", ttl_s=ttl_s, limit=limit), group_planner(g="abc")
    )


def together() -> FifoScheduler:
    """Return a scheduler of a, b, c that may all run together."""
    group = GroupConfig(id="g", swap=False, members=(A, B, C))
    return FifoScheduler(model_configs("abc"), group_planner(g=group))


def ready(scheduler: FifoScheduler, model: ModelId, number: int = 900) -> RunId:
    """Bring *model* up and end the request it was for."""
    (start,) = scheduler.submit(ticket(number, model), 0.0)
    assert isinstance(start, StartModel)
    scheduler.started(model, start.run, None, 0.0)
    scheduler.serve_done(TicketId(number), 0.0)
    return start.run


def refusals(effects: list[Effect]) -> list[tuple[int, type[Exception]]]:
    return [(e.ticket.id, type(e.error)) for e in effects if isinstance(e, Refuse)]


def test_1_unknown_model_is_refused() -> None:
    effects = swapping().submit(ticket(1, "zz"), 0.0)

    assert refusals(effects) == [(1, NotFoundError)]


def test_1_a_request_over_the_limit_is_refused_queued_ones_counted() -> None:
    scheduler = swapping(limit=2)
    scheduler.submit(ticket(1, "a"), 0.0)
    scheduler.submit(ticket(2, "a"), 0.0)

    assert refusals(scheduler.submit(ticket(3, "a"), 0.0)) == [
        (3, ConcurrencyLimitError)
    ]
    scheduler.started(A, R1, None, 0.0)
    scheduler.serve_done(TicketId(1), 0.0)
    assert scheduler.submit(ticket(4, "a"), 0.0) == [Grant(ticket(4, "a"), R1)]


def test_2_request_for_a_loading_model_joins_the_swap() -> None:
    scheduler = swapping()

    assert scheduler.submit(ticket(1, "a"), 0.0) == [StartModel(A, R1)]
    assert scheduler.submit(ticket(2, "a"), 0.0) == []
    assert scheduler.started(A, R1, None, 1.0) == [
        Grant(ticket(1, "a"), R1),
        Grant(ticket(2, "a"), R1),
    ]


def test_3_ready_model_serves_at_once() -> None:
    scheduler = swapping()
    run = ready(scheduler, A)

    assert scheduler.submit(ticket(2, "a"), 1.0) == [Grant(ticket(2, "a"), run)]


def test_3_ready_model_makes_room_first_when_the_rules_say_so() -> None:
    """GRP-3, last step: exclusiveness is applied to a model that already runs."""
    side = GroupConfig(id="side", exclusive=False, members=(B,))
    scheduler = FifoScheduler(model_configs("ab"), group_planner(g="a", side=side))
    run_a, run_b = ready(scheduler, A, 900), ready(scheduler, B, 901)

    assert scheduler.submit(ticket(1, "a"), 1.0) == [
        StopModel(B, run_b, StopReason.SWAP, A)
    ]
    assert scheduler.stopped(B, run_b, 2.0) == [Grant(ticket(1, "a"), run_a)]


def test_4_request_colliding_with_a_swap_waits_for_it() -> None:
    scheduler = swapping()
    scheduler.submit(ticket(1, "a"), 0.0)

    assert scheduler.submit(ticket(2, "b"), 0.0) == []
    assert scheduler.started(A, R1, None, 1.0) == [Grant(ticket(1, "a"), R1)]
    assert scheduler.serve_done(TicketId(1), 2.0) == [
        StopModel(A, R1, StopReason.SWAP, B)
    ]
    assert scheduler.stopped(A, R1, 3.0) == [StartModel(B, R2)]


def test_4_a_model_being_evicted_is_not_served_until_the_swap_is_over() -> None:
    side = GroupConfig(id="side", exclusive=False, members=(B,))
    scheduler = FifoScheduler(model_configs("ab"), group_planner(g="a", side=side))
    run_b = ready(scheduler, B)
    scheduler.submit(ticket(1, "a"), 1.0)
    scheduler.stopped(B, run_b, 2.0)

    assert scheduler.submit(ticket(2, "b"), 2.5) == []
    assert scheduler.started(A, R2, None, 3.0) == [
        Grant(ticket(1, "a"), R2),
        StartModel(B, R3),
    ]


def test_4_two_swaps_never_stop_the_same_model() -> None:
    """The seed lacks this rule: overlapping evict sets collide."""
    side = GroupConfig(id="side", swap=False, exclusive=False, members=(C,))
    one = GroupConfig(id="one", persistent=True, members=(A,))
    two = GroupConfig(id="two", persistent=True, members=(B,))
    scheduler = FifoScheduler(
        model_configs("abc"), group_planner(one=one, two=two, side=side)
    )
    run_c = ready(scheduler, C)

    assert scheduler.submit(ticket(1, "a"), 1.0) == [
        StopModel(C, run_c, StopReason.SWAP, A)
    ]
    assert scheduler.submit(ticket(2, "b"), 1.0) == []
    assert [q.position for q in queue_of(scheduler)] == [0, 1]  # no swap to b yet
    assert scheduler.stopped(C, run_c, 2.0) == [StartModel(A, R2), StartModel(B, R3)]


def test_5_a_model_that_serves_is_never_stopped_to_make_room() -> None:
    scheduler = swapping()
    run = ready(scheduler, A)
    scheduler.submit(ticket(1, "a"), 1.0)
    scheduler.submit(ticket(2, "a"), 1.0)

    assert scheduler.submit(ticket(3, "b"), 1.0) == []
    assert scheduler.serve_done(TicketId(1), 2.0) == []
    assert scheduler.serve_done(TicketId(2), 3.0) == [
        StopModel(A, run, StopReason.SWAP, B)
    ]


def test_6_disjoint_swaps_run_in_parallel() -> None:
    scheduler = together()

    assert scheduler.submit(ticket(1, "a"), 0.0) == [StartModel(A, R1)]
    assert scheduler.submit(ticket(2, "b"), 0.0) == [StartModel(B, R2)]


def test_a_b_c_a_b_c_arriving_together_cause_three_loads() -> None:
    scheduler = swapping()
    starts: list[ModelId] = []
    served: list[int] = []
    todo: list[Effect] = []
    for number, model in enumerate("abcabc", 1):
        todo += scheduler.submit(ticket(number, model), 0.0)
    while todo:
        match todo.pop(0):
            case StartModel(model, run):
                starts.append(model)
                todo += scheduler.started(model, run, None, 1.0)
            case Grant(granted, _):
                served.append(granted.id)
                todo += scheduler.serve_done(granted.id, 2.0)
            case StopModel(model, run):
                todo += scheduler.stopped(model, run, 3.0)
            case effect:
                pytest.fail(f"unexpected {effect}")

    assert starts == [A, B, C]
    assert served == [1, 4, 2, 5, 3, 6]


def test_higher_priority_goes_first_among_waiting_models() -> None:
    scheduler = FifoScheduler(
        model_configs("abc"), group_planner(g="abc"), rules=QueueRules(priority={C: 5})
    )
    run = ready(scheduler, A)
    scheduler.submit(ticket(1, "a"), 0.0)
    scheduler.submit(ticket(2, "b"), 0.0)
    scheduler.submit(ticket(3, "c"), 0.0)

    assert [(q.ticket.id, q.position) for q in queue_of(scheduler)] == [(3, 1), (2, 2)]
    assert scheduler.serve_done(TicketId(1), 1.0) == [
        StopModel(A, run, StopReason.SWAP, C)
    ]


def test_failed_start_answers_every_waiter_and_drains_after_the_clean_up() -> None:
    scheduler = swapping()
    scheduler.submit(ticket(1, "a"), 0.0)
    scheduler.submit(ticket(2, "a"), 0.0)
    scheduler.submit(ticket(3, "b"), 0.0)
    error = StartAbortedError(A, "no")

    assert refusals(scheduler.started(A, R1, error, 1.0)) == [
        (1, StartAbortedError),
        (2, StartAbortedError),
    ]
    assert scheduler.states()[A] is ProcessState.STOPPING
    assert scheduler.stopped(A, R1, 2.0) == [StartModel(B, R2)]


# -- R1: numbers --------------------------------------------------------------


def test_r1_old_result_of_an_unloaded_load_does_not_touch_the_next_one() -> None:
    scheduler = swapping()
    scheduler.submit(ticket(1, "a"), 0.0)
    effects = scheduler.unload(UnloadId(1), [A], 0.0)
    assert refusals(effects) == [(1, ModelUnloadedError)]
    assert scheduler.submit(ticket(2, "a"), 0.0) == []

    assert scheduler.started(A, R1, StartAbortedError(A, "no"), 1.0) == []
    assert scheduler.stopped(A, R1, 2.0) == [
        AnswerUnload(UnloadId(1)),
        StartModel(A, R2),
    ]
    assert scheduler.started(A, R1, StartAbortedError(A, "late"), 3.0) == []
    assert scheduler.stopped(A, R1, 3.0) == []
    assert scheduler.started(A, R2, None, 4.0) == [Grant(ticket(2, "a"), R2)]


# -- R2: cancel ---------------------------------------------------------------


def test_r2_a_cancelled_ticket_leaves_the_queue_and_loads_nothing() -> None:
    scheduler = swapping()
    ready(scheduler, A)
    scheduler.submit(ticket(1, "a"), 0.0)
    scheduler.submit(ticket(2, "b"), 0.0)

    assert scheduler.cancel(TicketId(2), 1.0) == []
    assert queue_of(scheduler) == []
    assert scheduler.serve_done(TicketId(1), 2.0) == []


def test_r2_a_load_nobody_waits_for_goes_on() -> None:
    scheduler = swapping()
    scheduler.submit(ticket(1, "a"), 0.0)

    assert scheduler.cancel(TicketId(1), 1.0) == []
    assert scheduler.started(A, R1, None, 2.0) == []
    assert scheduler.states()[A] is ProcessState.READY


def test_r2_a_load_nobody_waits_for_is_aborted_for_a_queued_ticket() -> None:
    scheduler = swapping()
    scheduler.submit(ticket(1, "a"), 0.0)
    scheduler.submit(ticket(2, "b"), 0.0)

    assert scheduler.cancel(TicketId(1), 1.0) == [StopModel(A, R1, StopReason.ABORT)]
    assert scheduler.stopped(A, R1, 2.0) == [StartModel(B, R2)]


def test_r2_a_later_ticket_aborts_a_load_nobody_waits_for() -> None:
    scheduler = swapping()
    scheduler.submit(ticket(1, "a"), 0.0)
    scheduler.cancel(TicketId(1), 1.0)

    assert scheduler.submit(ticket(2, "b"), 2.0) == [StopModel(A, R1, StopReason.ABORT)]


def test_r2_aborted_swap_that_was_still_evicting_gives_the_model_back() -> None:
    scheduler = swapping()
    run = ready(scheduler, A)
    scheduler.submit(ticket(1, "b"), 0.0)
    scheduler.cancel(TicketId(1), 1.0)

    assert scheduler.submit(ticket(2, "a"), 1.5) == []
    assert scheduler.stopped(A, run, 2.0) == [StartModel(A, R2)]


def test_r2_cancel_of_one_waiter_keeps_the_load_for_the_other() -> None:
    scheduler = swapping()
    scheduler.submit(ticket(1, "a"), 0.0)
    scheduler.submit(ticket(2, "a"), 0.0)
    scheduler.submit(ticket(3, "b"), 0.0)

    assert scheduler.cancel(TicketId(1), 1.0) == []
    assert scheduler.started(A, R1, None, 2.0) == [Grant(ticket(2, "a"), R1)]


# -- R3, R6: unload -----------------------------------------------------------


def test_r3_unload_answers_when_everything_named_has_stopped() -> None:
    scheduler = together()
    run_a, run_b = ready(scheduler, A, 900), ready(scheduler, B, 901)

    assert scheduler.unload(UnloadId(1), None, 1.0) == [
        StopModel(A, run_a, StopReason.UNLOAD),
        StopModel(B, run_b, StopReason.UNLOAD),
    ]
    assert scheduler.stopped(A, run_a, 2.0) == []
    assert scheduler.stopped(B, run_b, 3.0) == [AnswerUnload(UnloadId(1))]


def test_r3_other_models_are_served_during_an_unload() -> None:
    scheduler = together()
    run_a, run_b = ready(scheduler, A, 900), ready(scheduler, B, 901)
    scheduler.unload(UnloadId(1), [A], 1.0)

    assert scheduler.submit(ticket(1, "b"), 1.0) == [Grant(ticket(1, "b"), run_b)]
    assert scheduler.stopped(A, run_a, 2.0) == [AnswerUnload(UnloadId(1))]


def test_unload_of_stopped_models_answers_at_once() -> None:
    assert swapping().unload(UnloadId(1), [A], 0.0) == [AnswerUnload(UnloadId(1))]


def test_unload_does_not_wait_for_running_requests_and_forgets_no_lease() -> None:
    scheduler = swapping()
    run = ready(scheduler, A)
    scheduler.submit(ticket(1, "a"), 0.0)

    assert scheduler.unload(UnloadId(1), [A], 1.0) == [
        StopModel(A, run, StopReason.UNLOAD)
    ]
    assert scheduler.stopped(A, run, 2.0) == [AnswerUnload(UnloadId(1))]
    assert scheduler.serve_done(TicketId(1), 3.0) == []
    assert scheduler.serve_done(TicketId(1), 3.0) == []


def test_r6_request_that_meets_a_stopping_model_waits_and_starts_the_next_run() -> None:
    scheduler = swapping()
    run = ready(scheduler, A)
    scheduler.unload(UnloadId(1), [A], 1.0)

    assert scheduler.submit(ticket(1, "a"), 1.0) == []
    assert scheduler.stopped(A, run, 2.0) == [
        AnswerUnload(UnloadId(1)),
        StartModel(A, R2),
    ]


def test_model_that_died_is_started_again_by_the_next_request() -> None:
    scheduler = swapping()
    run = ready(scheduler, A)

    assert scheduler.exited(A, run, 1.0) == []
    assert scheduler.submit(ticket(1, "a"), 1.0) == []
    assert scheduler.stopped(A, run, 2.0) == [StartModel(A, R2)]


def test_target_that_dies_while_room_is_made_is_started_after_both_stops() -> None:
    side = GroupConfig(id="side", exclusive=False, members=(B,))
    scheduler = FifoScheduler(model_configs("ab"), group_planner(g="a", side=side))
    run_a, run_b = ready(scheduler, A, 900), ready(scheduler, B, 901)
    scheduler.submit(ticket(1, "a"), 1.0)
    scheduler.exited(A, run_a, 1.5)

    assert scheduler.stopped(B, run_b, 2.0) == []
    assert scheduler.stopped(A, run_a, 3.0) == [StartModel(A, R3)]


# -- R7: idle -----------------------------------------------------------------


def test_r7_idle_time_starts_when_the_model_becomes_ready() -> None:
    scheduler = swapping(ttl_s=10)
    scheduler.submit(ticket(1, "a"), 0.0)
    scheduler.cancel(TicketId(1), 0.5)
    scheduler.started(A, R1, None, 100.0)

    assert scheduler.next_deadline() == 110.0
    assert scheduler.tick(109.9) == []
    assert scheduler.tick(110.0) == [StopModel(A, R1, StopReason.IDLE)]


def test_r7_idle_time_starts_again_when_the_last_lease_ends() -> None:
    scheduler = swapping(ttl_s=10)
    run = ready(scheduler, A)
    scheduler.submit(ticket(1, "a"), 5.0)

    assert scheduler.next_deadline() is None
    assert scheduler.tick(1000.0) == []
    scheduler.serve_done(TicketId(1), 1000.0)
    assert scheduler.next_deadline() == 1010.0
    assert scheduler.tick(1010.0) == [StopModel(A, run, StopReason.IDLE)]


def test_ttl_zero_never_unloads() -> None:
    scheduler = swapping(ttl_s=0)
    ready(scheduler, A)

    assert scheduler.next_deadline() is None


# -- shutdown -----------------------------------------------------------------


def test_shutdown_refuses_everybody_and_stops_everything() -> None:
    scheduler = together()
    run_a = ready(scheduler, A)
    scheduler.submit(ticket(1, "b"), 1.0)
    effects = scheduler.shutdown(2.0)

    assert refusals(effects) == [(1, ShuttingDownError)]
    assert StopModel(A, run_a, StopReason.SHUTDOWN) in effects
    assert StopModel(B, R2, StopReason.SHUTDOWN) in effects
    assert refusals(scheduler.submit(ticket(2, "a"), 3.0)) == [(2, ShuttingDownError)]
    scheduler.stopped(A, run_a, 4.0)
    assert not scheduler.is_at_rest
    scheduler.stopped(B, R2, 4.0)
    assert scheduler.is_at_rest


def test_ten_thousand_queued_tickets_cost_one_planner_call_per_model() -> None:
    """R5: a drain asks the planner once per waiting model, not per ticket."""
    calls: list[ModelId] = []
    inner = group_planner(g="abc")

    class Counting:
        name = "counting"

        def eviction_for(
            self, target: ModelId, running: list[ModelId], **_: bool
        ) -> tuple[ModelId, ...]:
            calls.append(target)
            return inner.eviction_for(target, running)

    scheduler = FifoScheduler(model_configs("abc", limit=10_000), Counting())  # type: ignore[arg-type]  # a list will do
    scheduler.submit(ticket(1, "a"), 0.0)
    for number in range(2, 10_000):
        scheduler.submit(ticket(number, "bc"[number % 2]), 0.0)
    calls.clear()
    scheduler.started(A, R1, None, 1.0)

    assert sorted(calls) == [B, C]
