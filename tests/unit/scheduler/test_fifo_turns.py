"""Whose turn is owed (R4, rule 7), and what a policy may choose (rule 8), as values."""

from collections.abc import Sequence

import pytest

from swapper.config.schema import GroupConfig
from swapper.core.errors import ModelNotLoadedError
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.planner import MatrixPlanner
from swapper.scheduler import (
    Admission,
    Effect,
    FifoScheduler,
    Grant,
    ModelView,
    QueueRules,
    Refuse,
    StartModel,
    StopModel,
    StopReason,
    Ticket,
)
from tests.fakes.matrices import matrix
from tests.fakes.scheduling import group_planner, model_configs, queue_of, ticket

A, B, C, D = (ModelId(id_) for id_ in "abcd")
R1, R2, R3 = RunId(1), RunId(2), RunId(3)
WAIT = 60.0


def swapping(ids: str = "abcd", **priority: int) -> FifoScheduler:
    """Return a scheduler of models that run one at a time."""
    rules = QueueRules(priority={ModelId(m): p for m, p in priority.items()})
    return FifoScheduler(model_configs(ids), group_planner(g=ids), rules=rules)


def busy(scheduler: FifoScheduler, model: ModelId, number: int = 1) -> RunId:
    """Bring *model* up; the request is still being served."""
    (start,) = scheduler.submit(ticket(number, model), float(number))
    assert isinstance(start, StartModel)
    scheduler.started(model, start.run, None, float(number))
    return start.run


def evicts(model: ModelId, run: RunId, target: ModelId) -> StopModel:
    return StopModel(model, run, StopReason.SWAP, target)


def test_7_later_requests_queue_behind_a_model_that_has_waited_max_wait() -> None:
    scheduler = swapping()
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)

    assert scheduler.submit(ticket(3, "a"), 61.9) == [Grant(ticket(3, "a"), run)]
    assert scheduler.submit(ticket(62, "a"), 62.0) == []
    assert [q.ticket.model for q in queue_of(scheduler)] == [B, A]
    assert scheduler.serve_done(TicketId(1), 63.0) == []
    assert scheduler.serve_done(TicketId(3), 64.0) == [evicts(A, run, B)]
    assert scheduler.stopped(A, run, 65.0) == [StartModel(B, R2)]
    assert scheduler.started(B, R2, None, 66.0) == [Grant(ticket(2, "b"), R2)]
    assert scheduler.serve_done(TicketId(2), 67.0) == [evicts(B, R2, A)]


def test_7_max_wait_zero_switches_it_off() -> None:
    rules = QueueRules(max_wait_s=0)
    scheduler = FifoScheduler(model_configs("ab"), group_planner(g="ab"), rules=rules)
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)

    assert scheduler.next_deadline() is None
    assert scheduler.submit(ticket(3, "a"), 1e6) == [Grant(ticket(3, "a"), run)]


def test_7_the_deadline_is_when_the_oldest_ticket_has_waited_so_long() -> None:
    scheduler = swapping()
    busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)
    scheduler.submit(ticket(5, "c"), 5.0)

    assert scheduler.next_deadline() == 62.0
    assert scheduler.tick(62.0) == []
    assert scheduler.next_deadline() == 65.0
    assert scheduler.tick(65.0) == []
    assert scheduler.next_deadline() is None


def test_7_a_request_does_not_join_a_load_whose_room_is_owed_to_another() -> None:
    scheduler = swapping()
    scheduler.submit(ticket(1, "a"), 1.0)
    scheduler.submit(ticket(2, "b"), 2.0)

    assert scheduler.submit(ticket(70, "a"), 70.0) == []
    assert scheduler.started(A, R1, None, 71.0) == [Grant(ticket(1, "a"), R1)]
    assert scheduler.serve_done(TicketId(1), 72.0) == [evicts(A, R1, B)]


def test_7_nothing_starts_that_would_have_to_make_room_again() -> None:
    """Else a stream of swaps among the others could put it off for ever."""
    scheduler = FifoScheduler(
        model_configs("abc"), MatrixPlanner(matrix(s="a & c", t="b"))
    )
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)

    assert scheduler.submit(ticket(70, "c"), 70.0) == []
    assert scheduler.serve_done(TicketId(1), 71.0) == [evicts(A, run, B)]


def test_7_nothing_stops_a_claimed_model_so_that_the_claim_waits_for_it() -> None:
    """c is owed to b; d would stop it too and b wait for that stop, then for a's."""
    planner = MatrixPlanner(matrix(s="a & c", t="b & d", u="a & d"))
    scheduler = FifoScheduler(model_configs("abcd"), planner)
    run_a = busy(scheduler, A, 1)
    run_c = busy(scheduler, C, 2)
    scheduler.serve_done(TicketId(2), 3.0)
    scheduler.submit(ticket(4, "b"), 4.0)

    assert scheduler.submit(ticket(70, "d"), 70.0) == []
    assert scheduler.serve_done(TicketId(1), 71.0) == [
        evicts(A, run_a, B),
        evicts(C, run_c, B),
    ]


def test_7_what_may_run_beside_it_goes_on_as_ever() -> None:
    aside = GroupConfig(
        id="aside", swap=False, exclusive=False, persistent=True, members=(C, D)
    )
    scheduler = FifoScheduler(
        model_configs("abcd"), group_planner(g=["a", "b"], aside=aside)
    )
    aside_run = busy(scheduler, C, 1)
    run = busy(scheduler, A, 2)
    scheduler.submit(ticket(3, "b"), 3.0)

    assert scheduler.submit(ticket(70, "c"), 70.0) == [
        Grant(ticket(70, "c"), aside_run)
    ]
    assert scheduler.submit(ticket(71, "d"), 70.0) == [StartModel(D, R3)]
    assert scheduler.submit(ticket(72, "a"), 70.0) == []
    assert scheduler.serve_done(TicketId(2), 72.0) == [evicts(A, run, B)]


def test_7_a_request_for_what_is_ready_does_not_put_it_off() -> None:
    scheduler = swapping()
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)
    asked = ticket(70, "a", Admission.IF_READY)
    beside = ticket(71, "a", Admission.UNCOUNTED)

    (refused,) = scheduler.submit(asked, 70.0)
    assert isinstance(refused, Refuse)
    assert isinstance(refused.error, ModelNotLoadedError)
    assert scheduler.submit(beside, 70.0) == [Grant(beside, run)]
    assert scheduler.serve_done(TicketId(1), 71.0) == [evicts(A, run, B)]


def test_7_a_claim_ends_with_its_last_ticket() -> None:
    scheduler = swapping()
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)
    scheduler.submit(ticket(70, "a"), 70.0)

    assert scheduler.cancel(TicketId(2), 71.0) == [Grant(ticket(70, "a"), run)]


def test_7_a_claim_ends_when_only_younger_tickets_are_left() -> None:
    scheduler = swapping()
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)
    scheduler.submit(ticket(69, "b"), 69.0)
    scheduler.submit(ticket(70, "a"), 70.0)

    assert scheduler.cancel(TicketId(2), 71.0) == [Grant(ticket(70, "a"), run)]
    assert scheduler.next_deadline() == 69.0 + WAIT


def test_7_an_unload_of_the_overdue_model_lets_the_others_go_on() -> None:
    scheduler = swapping()
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)
    scheduler.submit(ticket(70, "a"), 70.0)

    effects = scheduler.unload(UnloadId(1), [B], 71.0)

    assert Grant(ticket(70, "a"), run) in effects


def test_7_priority_orders_the_queue_until_a_turn_is_owed() -> None:
    scheduler = swapping(c=5)
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)
    scheduler.submit(ticket(3, "c"), 3.0)

    assert scheduler.serve_done(TicketId(1), 61.0) == [evicts(A, run, C)]
    assert scheduler.stopped(A, run, 61.0) == [StartModel(C, R2)]
    assert scheduler.started(C, R2, None, 61.0) == [Grant(ticket(3, "c"), R2)]
    assert scheduler.submit(ticket(64, "c"), 64.0) == []  # b is overdue now
    assert scheduler.serve_done(TicketId(3), 65.0) == [evicts(C, R2, B)]


def test_7_those_whose_turn_is_owed_go_by_age() -> None:
    scheduler = swapping(d=9)
    run = busy(scheduler, A)
    for number, model in enumerate("bcd", 2):
        scheduler.submit(ticket(number, model), float(number))
    order: list[ModelId] = []
    todo: list[Effect] = list(scheduler.serve_done(TicketId(1), 100.0))
    while todo:
        match todo.pop(0):
            case StopModel(model, run):
                todo += scheduler.stopped(model, run, 100.0)
            case StartModel(model, run):
                order.append(model)
                todo += scheduler.started(model, run, None, 100.0)
            case Grant(granted, _):
                todo += scheduler.serve_done(granted.id, 100.0)
            case effect:
                pytest.fail(f"unexpected {effect}")

    assert order == [B, C, D]


def test_7_a_claim_is_kept_while_the_models_it_names_run_out() -> None:
    """When d dies, stopping a instead of c would do too; but c has begun to drain."""
    planner = MatrixPlanner(matrix(s="b & c", t="b & a & d", u="a & c & d"))
    scheduler = FifoScheduler(model_configs("abcd"), planner)
    busy(scheduler, A, 1)
    run_c = busy(scheduler, C, 2)
    run_d = busy(scheduler, D, 3)
    scheduler.submit(ticket(4, "b"), 4.0)
    assert scheduler.submit(ticket(70, "c"), 70.0) == []
    scheduler.exited(D, run_d, 71.0)
    scheduler.stopped(D, run_d, 71.0)

    effects = scheduler.submit(ticket(72, "a"), 72.0)

    assert effects == [Grant(ticket(72, "a"), R1)]
    assert scheduler.serve_done(TicketId(2), 73.0) == [evicts(C, run_c, B)]


def test_7_a_reload_makes_claims_anew() -> None:
    scheduler = swapping("ab")
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)
    scheduler.submit(ticket(70, "a"), 70.0)
    together = GroupConfig(id="g", swap=False, members=(A, B))

    effects = scheduler.reload(
        model_configs("ab"), group_planner(g=together), QueueRules(), 71.0
    )

    assert effects == [StartModel(B, R2), Grant(ticket(70, "a"), run)]


def test_7_a_ticket_with_a_smaller_number_that_comes_later_keeps_its_age() -> None:
    scheduler = swapping()
    run = busy(scheduler, A)
    scheduler.submit(ticket(5, "b"), 5.0)
    scheduler.submit(ticket(4, "b"), 5.0)  # two threads have met

    assert [q.ticket.id for q in queue_of(scheduler)] == [4, 5]
    assert scheduler.next_deadline() == 64.0
    assert scheduler.serve_done(TicketId(1), 6.0) == [evicts(A, run, B)]


# -- 8: policies ----------------------------------------------------------------


class Lingering:
    """Holds every swap that evicts something back for ten seconds; last come first."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.asked: list[tuple[ModelId, int, tuple[ModelId, ...]]] = []

    def arrived(self, ticket: Ticket, now: float) -> None:
        assert now >= ticket.arrived_s
        self.seen.append(ticket.id)

    def order(self, waiting: Sequence[ModelView], now: float) -> Sequence[ModelView]:
        assert now >= 0
        return sorted(waiting, key=lambda model: -model.oldest.id)

    def not_before(
        self, target: ModelView, evict: Sequence[ModelView], now: float
    ) -> float:
        self.asked.append((target.id, target.queued, tuple(m.id for m in evict)))
        return max([now, *(m.idle_since + 10.0 for m in evict)])

    def why(self, target: ModelId, now: float) -> str:  # noqa: ARG002 - the Protocol's shape
        return ""


@pytest.fixture
def lingering() -> tuple[FifoScheduler, Lingering]:
    policy = Lingering()
    scheduler = FifoScheduler(
        model_configs("abc"), group_planner(g="abc"), policy=policy
    )
    return scheduler, policy


def test_8_a_policy_puts_a_swap_off_and_is_asked_again_then(
    lingering: tuple[FifoScheduler, Lingering],
) -> None:
    scheduler, policy = lingering
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)

    assert scheduler.serve_done(TicketId(1), 3.0) == []
    assert scheduler.next_deadline() == 13.0
    assert scheduler.tick(12.0) == []
    assert scheduler.tick(13.0) == [evicts(A, run, B)]
    assert scheduler.next_deadline() is None
    assert policy.asked == [(A, 1, ()), *[(B, 1, (A,))] * 3]


def test_8_meanwhile_the_running_model_is_used_as_if_nobody_waited(
    lingering: tuple[FifoScheduler, Lingering],
) -> None:
    scheduler, policy = lingering
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)
    scheduler.serve_done(TicketId(1), 3.0)

    assert scheduler.submit(ticket(4, "a"), 4.0) == [Grant(ticket(4, "a"), run)]
    assert scheduler.serve_done(TicketId(4), 5.0) == []
    assert scheduler.next_deadline() == 15.0
    assert policy.seen == [1, 2, 4]


def test_8_a_policy_has_no_say_once_the_turn_is_owed(
    lingering: tuple[FifoScheduler, Lingering],
) -> None:
    scheduler, policy = lingering
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)
    scheduler.serve_done(TicketId(1), 55.0)

    assert scheduler.next_deadline() == 62.0
    policy.asked.clear()
    assert scheduler.tick(62.0) == [evicts(A, run, B)]
    assert policy.asked == []


def test_8_a_policy_chooses_who_goes_next(
    lingering: tuple[FifoScheduler, Lingering],
) -> None:
    scheduler, _ = lingering
    run = busy(scheduler, A)
    scheduler.submit(ticket(2, "b"), 2.0)
    scheduler.submit(ticket(3, "c"), 3.0)
    scheduler.serve_done(TicketId(1), 4.0)

    assert scheduler.tick(14.0) == [evicts(A, run, C)]
