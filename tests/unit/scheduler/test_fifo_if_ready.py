"""Requests that are served by a ready model or not at all (http-api.md 14.5, 15, 16)."""

import pytest

from swapper.config.schema import GroupConfig, ModelConfig
from swapper.core.errors import (
    ConcurrencyLimitError,
    ModelNotLoadedError,
    NotFoundError,
    ShuttingDownError,
)
from swapper.core.ids import ModelId, RunId, TicketId
from swapper.scheduler import (
    Admission,
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

A, B = ModelId("a"), ModelId("b")
R1, R2 = RunId(1), RunId(2)
IF_READY, UNCOUNTED = Admission.IF_READY, Admission.UNCOUNTED

both = pytest.mark.parametrize("terms", [IF_READY, UNCOUNTED])


def swapping(*, ttl_s: int = 0, limit: int = 1000) -> FifoScheduler:
    """Return a scheduler of a and b, one at a time."""
    models = model_configs("ab", ttl_s=ttl_s, limit=limit)
    return FifoScheduler(models, group_planner(g="ab"))


def make_ready(scheduler: FifoScheduler, model: ModelId, number: int = 900) -> None:
    """Bring *model* up and end the request it was for."""
    (start,) = scheduler.submit(ticket(number, model), 0.0)
    assert isinstance(start, StartModel)
    scheduler.started(model, start.run, None, 0.0)
    scheduler.serve_done(TicketId(number), 0.0)


def refusal(effects: list[Effect]) -> type[Exception]:
    (refuse,) = effects
    assert isinstance(refuse, Refuse)
    return type(refuse.error)


@both
def test_a_model_that_is_not_ready_is_not_started(terms: Admission) -> None:
    scheduler = swapping()
    for number in (1, 2):  # stopped, then starting
        effects = scheduler.submit(ticket(number, "a", terms), 0.0)
        assert refusal(effects) == ModelNotLoadedError
        scheduler.submit(ticket(10 + number, "a"), 0.0)
    scheduler.started(A, R1, None, 1.0)
    scheduler.exited(A, R1, 2.0)

    effects = scheduler.submit(ticket(3, "a", terms), 3.0)  # stopping

    assert refusal(effects) == ModelNotLoadedError
    assert queue_of(scheduler) == []
    assert scheduler.stopped(A, R1, 4.0) == []


@both
def test_a_ready_model_serves_at_once(terms: Admission) -> None:
    scheduler = swapping()
    make_ready(scheduler, A)
    asked = ticket(1, "a", terms)

    assert scheduler.submit(asked, 1.0) == [Grant(asked, R1)]


@both
def test_it_makes_no_room_and_waits_for_nobody(terms: Admission) -> None:
    """GRP-3: an ordinary request would stop b first, or wait until b is done."""
    side = GroupConfig(id="side", exclusive=False, members=(B,))
    scheduler = FifoScheduler(model_configs("ab"), group_planner(g="a", side=side))
    make_ready(scheduler, A)
    scheduler.submit(ticket(1, "b"), 0.0)
    scheduler.started(B, R2, None, 0.0)
    assert scheduler.submit(ticket(2, "a"), 1.0) == []  # b is busy
    asked = ticket(3, "a", terms)

    assert scheduler.submit(asked, 1.0) == [Grant(asked, R1)]


def test_a_lease_of_a_ready_model_counts_like_any_other() -> None:
    scheduler = swapping(ttl_s=10, limit=1)
    make_ready(scheduler, A)
    scheduler.submit(ticket(1, "a", IF_READY), 1.0)

    assert scheduler.next_deadline() is None
    effects = scheduler.submit(ticket(2, "a", IF_READY), 2.0)
    assert refusal(effects) == ConcurrencyLimitError
    assert scheduler.submit(ticket(3, "b"), 3.0) == []
    assert scheduler.serve_done(TicketId(1), 4.0) == [
        StopModel(A, R1, StopReason.SWAP, B)
    ]


def test_an_uncounted_one_takes_no_slot_and_holds_nothing_up() -> None:
    scheduler = swapping(ttl_s=10, limit=1)
    make_ready(scheduler, A)
    scheduler.submit(ticket(1, "a"), 1.0)  # the only slot
    asked = ticket(2, "a", UNCOUNTED)

    assert scheduler.submit(asked, 2.0) == [Grant(asked, R1)]
    scheduler.serve_done(TicketId(1), 3.0)
    assert scheduler.next_deadline() == 13.0  # the idle time goes on
    assert scheduler.submit(ticket(3, "b"), 4.0) == [
        StopModel(A, R1, StopReason.SWAP, B)
    ]
    scheduler.stopped(A, R1, 5.0)
    assert scheduler.serve_done(TicketId(2), 6.0) == []
    assert scheduler.cancel(TicketId(2), 6.0) == []


@both
def test_a_run_that_a_reload_ends_takes_no_more(terms: Admission) -> None:
    scheduler = swapping()
    make_ready(scheduler, A)
    scheduler.submit(ticket(1, "a"), 1.0)
    changed = {**model_configs("b"), A: ModelConfig(id=A, cmd="other")}
    scheduler.reload(changed, group_planner(g="ab"), QueueRules(), 2.0)

    effects = scheduler.submit(ticket(2, "a", terms), 3.0)

    assert refusal(effects) == ModelNotLoadedError


@both
def test_other_refusals_are_as_ever(terms: Admission) -> None:
    scheduler = swapping()

    assert refusal(scheduler.submit(ticket(1, "zz", terms), 0.0)) == NotFoundError
    scheduler.shutdown(1.0)
    assert refusal(scheduler.submit(ticket(2, "a", terms), 2.0)) == ShuttingDownError
