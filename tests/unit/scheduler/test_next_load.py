"""Which stopped model is said to load next."""

from swapper.core.ids import ModelId, RunId, TicketId
from swapper.scheduler import (
    AdaptiveScheduler,
    FifoScheduler,
    MemorySwapTimes,
    QueueRules,
)
from tests.fakes.scheduling import group_planner, model_configs, ticket

A, R1 = ModelId("a"), RunId(1)


def taking_turns(models: str, priority: dict[str, int] | None = None) -> FifoScheduler:
    """Return models of which one runs at a time; ``a`` does, and serves ticket 1."""
    rules = QueueRules(priority={ModelId(m): n for m, n in (priority or {}).items()})
    planner = group_planner(all=models)
    made = FifoScheduler(model_configs(models), planner, rules=rules)
    made.submit(ticket(1, "a"), 0.0)
    made.started(A, R1, None, 0.0)
    return made


def test_nobody_is_next_where_nobody_waits_or_all_load_at_once() -> None:
    made = FifoScheduler(model_configs("ab"), group_planner(all="ab"))
    assert made.next_load() is None

    made.submit(ticket(1, "a"), 0.0)

    assert made.next_load() is None


def test_who_waits_for_a_busy_model_is_next_until_it_loads() -> None:
    made = taking_turns("ab")
    made.submit(ticket(2, "b"), 1.0)
    assert made.next_load() == "b"

    made.serve_done(TicketId(1), 2.0)
    assert made.next_load() == "b"  # while a stops

    made.stopped(A, R1, 3.0)
    assert made.next_load() is None


def test_who_waits_for_a_stop_alone_is_next() -> None:
    made = taking_turns("ab")
    made.serve_done(TicketId(1), 1.0)

    made.submit(ticket(2, "b"), 2.0)

    assert made.next_load() == "b"


def test_the_oldest_of_several_is_next_and_each_in_its_turn() -> None:
    made = taking_turns("abc")
    made.submit(ticket(2, "b"), 1.0)
    made.submit(ticket(3, "c"), 1.0)
    assert made.next_load() == "b"

    made.serve_done(TicketId(1), 2.0)
    assert made.next_load() == "b"

    made.stopped(A, R1, 3.0)
    assert made.next_load() == "c"


def test_who_goes_first_by_priority_is_next() -> None:
    made = taking_turns("abc", {"c": 1})
    made.submit(ticket(2, "b"), 1.0)

    made.submit(ticket(3, "c"), 1.0)

    assert made.next_load() == "c"


def test_whose_room_is_being_made_is_next_whatever_the_priority() -> None:
    made = taking_turns("abc", {"c": 1})
    made.submit(ticket(2, "b"), 1.0)
    made.serve_done(TicketId(1), 2.0)

    made.submit(ticket(3, "c"), 2.0)

    assert made.next_load() == "b"


def test_nobody_is_next_when_who_waited_has_left() -> None:
    made = taking_turns("ab")
    made.submit(ticket(2, "b"), 1.0)

    made.cancel(TicketId(2), 1.0)

    assert made.next_load() is None


def test_a_model_that_runs_is_not_next() -> None:
    made = taking_turns("ab")
    made.submit(ticket(2, "b"), 1.0)
    made.submit(ticket(3, "a"), 1.0)

    assert made.next_load() == "b"


def test_the_adaptive_scheduler_tells_as_well() -> None:
    made = AdaptiveScheduler(
        model_configs("ab"), group_planner(all="ab"), swap_times=MemorySwapTimes()
    )
    made.submit(ticket(1, "a"), 0.0)
    made.started(A, R1, None, 0.0)

    made.submit(ticket(2, "b"), 1.0)

    assert made.next_load() == "b"
