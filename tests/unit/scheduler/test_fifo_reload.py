"""A new configuration as values: what goes on, what ends, what waits."""

from dataclasses import replace

from swapper.config.schema import GroupConfig, ModelConfig
from swapper.core.errors import ModelRemovedError, NotFoundError
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.core.states import ProcessState
from swapper.scheduler import (
    AnswerUnload,
    Effect,
    FifoScheduler,
    ForgetModel,
    Grant,
    QueueRules,
    Refuse,
    StartModel,
    StopModel,
    StopReason,
)
from tests.fakes.scheduling import group_planner, model_configs, queue_of, ticket

A, B, C, D = (ModelId(id_) for id_ in "abcd")
R1, R2, R3 = RunId(1), RunId(2), RunId(3)
GRACE_S = 10


def together(ids: str = "abc") -> FifoScheduler:
    group = GroupConfig(id="g", swap=False, members=tuple(map(ModelId, ids)))
    return FifoScheduler(model_configs(ids), group_planner(g=group))


def reload(
    scheduler: FifoScheduler,
    ids: str,
    *,
    now: float = 0.0,
    swap: bool = False,
    **changed: str,
) -> list[Effect]:
    """Load models *ids*; *changed* ones have that command."""
    models = model_configs(ids)
    for id_, cmd in changed.items():
        models[ModelId(id_)] = replace(models[ModelId(id_)], cmd=cmd)
    group = GroupConfig(id="g", swap=swap, members=tuple(models))
    return scheduler.reload(models, group_planner(g=group), QueueRules(), now)


def ready(scheduler: FifoScheduler, model: ModelId, number: int) -> RunId:
    """Bring *model* up; the request is still being served."""
    (start,) = scheduler.submit(ticket(number, model), 0.0)
    assert isinstance(start, StartModel)
    scheduler.started(model, start.run, None, 0.0)
    return start.run


def stop(model: ModelId, run: RunId) -> StopModel:
    return StopModel(model, run, StopReason.RELOAD)


def test_a_model_that_did_not_change_goes_on_undisturbed() -> None:
    scheduler = together()
    ready(scheduler, A, 1)

    assert reload(scheduler, "abcd") == []
    assert scheduler.states()[A] is ProcessState.READY
    assert scheduler.submit(ticket(2, "a"), 0.0) == [Grant(ticket(2, "a"), R1)]
    assert scheduler.submit(ticket(3, "d"), 0.0) == [StartModel(D, R2)]


def test_settings_that_no_process_is_made_of_apply_without_a_restart() -> None:
    scheduler = together("a")
    ready(scheduler, A, 1)
    scheduler.serve_done(TicketId(1), 5.0)
    models = {A: replace(model_configs("a")[A], ttl_s=7, name="new", aliases=("x",))}

    assert scheduler.reload(models, group_planner(g="a"), QueueRules(), 6.0) == []
    assert scheduler.next_deadline() == 12.0


def test_an_idle_model_that_changed_stops_at_once_and_starts_anew_when_asked() -> None:
    scheduler = together("a")
    ready(scheduler, A, 1)
    scheduler.serve_done(TicketId(1), 0.0)

    assert reload(scheduler, "a", a="serve 2") == [stop(A, R1)]
    assert scheduler.submit(ticket(2, "a"), 0.0) == []
    assert scheduler.stopped(A, R1, 1.0) == [StartModel(A, R2)]


def test_a_changed_model_serves_what_it_has_and_then_stops() -> None:
    scheduler = together("a")
    ready(scheduler, A, 1)

    assert reload(scheduler, "a", a="serve 2") == []
    assert scheduler.states()[A] is ProcessState.STOPPING
    assert scheduler.submit(ticket(2, "a"), 1.0) == []
    assert scheduler.serve_done(TicketId(1), 2.0) == [stop(A, R1)]
    assert scheduler.stopped(A, R1, 3.0) == [StartModel(A, R2)]


def test_a_changed_model_is_stopped_after_its_unload_timeout_all_the_same() -> None:
    scheduler = together("a")
    ready(scheduler, A, 1)
    reload(scheduler, "a", now=5.0, a="serve 2")

    assert scheduler.next_deadline() == 5.0 + GRACE_S
    assert scheduler.tick(14.9) == []
    assert scheduler.tick(15.0) == [stop(A, R1)]
    assert scheduler.next_deadline() is None
    assert scheduler.stopped(A, R1, 16.0) == []
    assert scheduler.serve_done(TicketId(1), 17.0) == []


def test_changing_it_back_in_time_keeps_the_process() -> None:
    scheduler = together("a")
    ready(scheduler, A, 1)
    reload(scheduler, "a", a="serve 2")

    assert reload(scheduler, "a") == []
    assert scheduler.next_deadline() is None
    assert scheduler.serve_done(TicketId(1), 2.0) == []
    assert scheduler.submit(ticket(2, "a"), 3.0) == [Grant(ticket(2, "a"), R1)]


def test_later_changes_do_not_put_the_end_off() -> None:
    scheduler = together("a")
    ready(scheduler, A, 1)
    reload(scheduler, "a", now=0.0, a="serve 2")
    reload(scheduler, "a", now=9.0, a="serve 3")

    assert scheduler.next_deadline() == GRACE_S


def test_a_load_of_an_old_definition_is_called_off_and_its_waiters_get_the_new() -> (
    None
):
    scheduler = together("a")
    scheduler.submit(ticket(1, "a"), 0.0)

    assert reload(scheduler, "a", a="serve 2") == [stop(A, R1)]
    assert scheduler.stopped(A, R1, 1.0) == [StartModel(A, R2)]
    assert scheduler.started(A, R2, None, 2.0) == [Grant(ticket(1, "a"), R2)]


def test_a_load_that_did_not_change_goes_on() -> None:
    scheduler = together()
    scheduler.submit(ticket(1, "a"), 0.0)

    assert reload(scheduler, "ac") == [ForgetModel(B)]
    assert scheduler.started(A, R1, None, 1.0) == [Grant(ticket(1, "a"), R1)]


def test_waiters_of_a_removed_model_are_told() -> None:
    scheduler = together()
    scheduler.submit(ticket(1, "a"), 0.0)

    refused, stopped = reload(scheduler, "bc")

    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, ModelRemovedError)
    assert stopped == stop(A, R1)
    assert scheduler.stopped(A, R1, 1.0) == [ForgetModel(A)]
    assert list(scheduler.states()) == [B, C]


def test_a_removed_model_takes_no_requests_but_finishes_those_it_has() -> None:
    scheduler = together()
    ready(scheduler, A, 1)

    assert reload(scheduler, "bc") == []
    (refused,) = scheduler.submit(ticket(2, "a"), 0.0)
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, NotFoundError)
    assert scheduler.serve_done(TicketId(1), 1.0) == [stop(A, R1)]
    assert scheduler.stopped(A, R1, 2.0) == [ForgetModel(A)]


def test_a_removed_model_is_remembered_until_its_last_response_has_ended() -> None:
    scheduler = together()
    ready(scheduler, A, 1)
    reload(scheduler, "bc")

    assert scheduler.tick(GRACE_S) == [stop(A, R1)]
    assert scheduler.stopped(A, R1, 11.0) == []
    assert scheduler.submit(ticket(2, "b"), 12.0) == [StartModel(B, R2)]
    assert scheduler.serve_done(TicketId(1), 13.0) == [ForgetModel(A)]


def test_a_model_removed_and_brought_back_keeps_its_process() -> None:
    scheduler = together()
    ready(scheduler, A, 1)
    reload(scheduler, "bc")

    assert reload(scheduler, "abc") == []
    assert scheduler.submit(ticket(2, "a"), 0.0) == [Grant(ticket(2, "a"), R1)]


def test_no_model_starts_beside_a_run_that_is_on_its_way_out() -> None:
    """The old one may hold the memory or the very port that the new one needs."""
    scheduler = together()
    ready(scheduler, A, 1)
    ready(scheduler, B, 2)
    reload(scheduler, "bcd")

    assert scheduler.submit(ticket(3, "d"), 0.0) == []
    assert scheduler.submit(ticket(4, "b"), 0.0) == [Grant(ticket(4, "b"), R2)]
    assert scheduler.serve_done(TicketId(1), 1.0) == [stop(A, R1)]
    assert scheduler.stopped(A, R1, 2.0) == [ForgetModel(A), StartModel(D, R3)]


def test_a_swap_that_still_makes_room_is_planned_anew() -> None:
    scheduler = FifoScheduler(model_configs("abc"), group_planner(g="abc"))
    ready(scheduler, A, 1)
    scheduler.serve_done(TicketId(1), 0.0)
    scheduler.submit(ticket(2, "b"), 0.0)  # stops a

    assert reload(scheduler, "abc", swap=False) == [StartModel(B, R2)]
    assert scheduler.submit(ticket(3, "c"), 0.0) == [StartModel(C, R3)]
    assert scheduler.stopped(A, R1, 1.0) == []


def test_new_priorities_count_from_the_next_decision_on() -> None:
    scheduler = FifoScheduler(model_configs("abc"), group_planner(g="abc"))
    ready(scheduler, A, 1)
    scheduler.submit(ticket(2, "b"), 0.0)
    scheduler.submit(ticket(3, "c"), 0.0)

    scheduler.reload(
        model_configs("abc"), group_planner(g="abc"), QueueRules(priority={C: 5}), 0.0
    )

    assert [queued.ticket.model for queued in queue_of(scheduler)] == [C, B]


def test_an_unload_of_a_model_removed_meanwhile_is_answered() -> None:
    scheduler = together()
    ready(scheduler, A, 1)
    scheduler.unload(UnloadId(1), {A}, 0.0)
    reload(scheduler, "bc")

    assert AnswerUnload(UnloadId(1)) in scheduler.stopped(A, R1, 1.0)


def test_after_a_shutdown_a_removed_model_still_counts_until_it_is_gone() -> None:
    scheduler = together()
    ready(scheduler, A, 1)
    reload(scheduler, "bc")
    scheduler.shutdown(0.0)

    assert not scheduler.is_at_rest
    scheduler.stopped(A, R1, 1.0)
    assert scheduler.is_at_rest


def test_news_of_a_forgotten_model_is_ignored() -> None:
    scheduler = together()
    reload(scheduler, "bc")

    assert scheduler.started(A, R1, None, 0.0) == []
    assert scheduler.exited(A, R1, 0.0) == []
    assert scheduler.stopped(A, R1, 0.0) == []


def test_definitions_differ_only_in_what_a_process_is_made_of() -> None:
    one = ModelConfig(id=A, cmd="x", proxy="http://h:1", name="n", ttl_s=1)

    assert one.process == replace(one, name="m", ttl_s=2, aliases=("b",)).process
    for change in ({"cmd": "y"}, {"proxy": "http://h:2"}, {"env": ("A=1",)}):
        assert one.process != replace(one, **change).process
