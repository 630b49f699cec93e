"""What a scheduler learns of its models' needs, and what comes of it."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

import pytest

from swapper.config.budget import BudgetConfig
from swapper.config.learnt import Footprint, Learnt
from swapper.core.ids import ModelId, RunId, TicketId
from swapper.planner import BudgetPlanner
from swapper.scheduler import (
    AdaptiveScheduler,
    Effect,
    FifoScheduler,
    Grant,
    MemoryNeeds,
    MemorySwapTimes,
    QueueRules,
    Remark,
    StartModel,
    StopModel,
    StopReason,
)
from tests.fakes.scheduling import group_planner, model_configs, ticket

A, B, C = map(ModelId, "abc")
R1, R2, R3, R4 = map(RunId, (1, 2, 3, 4))
MODELS = model_configs("abc")
NOT_YET = "runs alone, for it has no resources and was not measured yet"


def planner(**needs: int) -> BudgetPlanner:
    """Return one for 10 bytes of ram; each name is a model and what it says it takes."""
    return BudgetPlanner(
        BudgetConfig(
            resources={"ram": Fraction(10)},
            needs={ModelId(m): {"ram": Fraction(n)} for m, n in needs.items()},
            in_bytes=frozenset({"ram"}),
        )
    )


def known(**held: int) -> MemoryNeeds:
    return MemoryNeeds(
        {
            ModelId(m): Learnt(
                basis=MODELS[ModelId(m)].basis, footprint=Footprint(ram_bytes=n)
            )
            for m, n in held.items()
        }
    )


def scheduler(
    needs: Mapping[str, int] | None = None, learnt: MemoryNeeds | None = None
) -> FifoScheduler:
    return FifoScheduler(MODELS, planner(**(needs or {})), needs=learnt)


def ready(
    made: FifoScheduler, model: ModelId, run: RunId, at: float, load_s: float = 0.0
) -> None:
    """Have *model* become ready and serve a request."""
    made.submit(ticket(int(at), model), at - load_s)
    made.started(model, run, None, at)
    made.serve_done(TicketId(int(at)), at)


def holds(made: FifoScheduler, model: ModelId, run: RunId, held: int) -> list[Effect]:
    return made.measured(model, run, Footprint(ram_bytes=held), 50.0)


def swapped_out(model: ModelId, run: RunId, target: ModelId) -> StopModel:
    return StopModel(model, run, StopReason.SWAP, target)


def test_what_was_never_measured_runs_alone_and_says_so() -> None:
    made = scheduler({"b": 1})
    ready(made, B, R1, 1.0)

    assert made.submit(ticket(2, "a"), 2.0) == [
        Remark(A, NOT_YET),
        swapped_out(B, R1, A),
    ]


def test_what_was_measured_lets_others_in_at_once() -> None:
    made = scheduler({"b": 4})
    made.submit(ticket(1, "a"), 1.0)
    made.started(A, R1, None, 2.0)
    assert made.submit(ticket(3, "b"), 3.0) == []  # a serves, and is to be alone

    assert holds(made, A, R1, 6) == [
        Remark(A, "holds 6 B of ram, as measured"),
        StartModel(B, R2),
    ]


def test_what_an_earlier_run_of_swapper_measured_counts() -> None:
    made = scheduler({"b": 4}, known(a=6, c=5))
    ready(made, B, R1, 1.0)

    assert made.submit(ticket(2, "a"), 2.0) == [StartModel(A, R2)]
    made.started(A, R2, None, 3.0)
    made.serve_done(TicketId(2), 3.0)
    assert swapped_out(A, R2, C) in made.submit(ticket(4, "c"), 4.0)


def test_what_is_learnt_is_kept_with_the_command_it_was_learnt_of() -> None:
    kept = MemoryNeeds()
    made = scheduler(learnt=kept)
    ready(made, A, R1, 1.0)
    holds(made, A, R1, 6)

    footprint = Footprint(ram_bytes=6)
    assert kept.all() == {A: Learnt(basis=MODELS[A].basis, footprint=footprint)}


def test_what_was_learnt_of_another_command_is_of_no_worth() -> None:
    made = scheduler({"b": 1}, known(a=6))
    ready(made, B, R1, 1.0)
    changed = {**MODELS, A: replace(MODELS[A], cmd="serve --ctx 65536")}
    made.reload(changed, planner(b=1), QueueRules(), 2.0)

    assert Remark(A, NOT_YET) in made.submit(ticket(3, "a"), 3.0)


def test_a_reload_keeps_what_was_learnt() -> None:
    made = scheduler({"b": 1}, known(a=6))
    ready(made, B, R1, 1.0)
    made.reload(MODELS, planner(b=2), QueueRules(), 2.0)

    assert made.submit(ticket(3, "a"), 3.0) == [StartModel(A, R2)]


@pytest.mark.parametrize("when", ["starting", "stopping", "another run", "unknown"])
def test_a_figure_of_a_run_that_is_not_ready_is_of_no_worth(when: str) -> None:
    kept = MemoryNeeds()
    made = scheduler({"b": 4}, kept)
    made.submit(ticket(1, "a"), 1.0)
    if when != "starting":
        made.started(A, R1, None, 2.0)
    if when == "stopping":
        made.exited(A, R1, 3.0)
    model, run = (A, R1) if when in {"starting", "stopping"} else (A, R2)

    assert holds(made, ModelId("x") if when == "unknown" else model, run, 6) == []
    assert kept.all() == {}


def test_a_load_that_still_makes_room_is_decided_anew_by_what_was_learnt() -> None:
    """``a`` holds more than it did: ``c`` may not start beside it any more."""
    made = scheduler({"b": 4, "c": 5}, known(a=5))
    ready(made, A, R1, 1.0, load_s=60.0)
    ready(made, B, R2, 2.0)
    assert made.submit(ticket(3, "c"), 3.0) == [swapped_out(B, R2, C)]

    assert swapped_out(A, R1, C) in holds(made, A, R1, 6)
    assert made.stopped(B, R2, 51.0) == []
    assert made.stopped(A, R1, 52.0) == [StartModel(C, R3)]


def test_a_load_that_still_fits_goes_on_undisturbed() -> None:
    made = scheduler({"b": 4, "c": 4}, known(a=5))
    ready(made, A, R1, 1.0, load_s=60.0)
    ready(made, B, R2, 2.0)
    made.submit(ticket(3, "c"), 3.0)

    holds(made, A, R1, 6)

    assert made.stopped(B, R2, 51.0) == [StartModel(C, R3)]


def test_a_claim_is_made_anew_by_what_was_learnt() -> None:
    """``c`` is owed its turn; what it needs is one more model's room than before."""
    made = scheduler({"b": 4, "c": 5}, known(a=5))
    ready(made, A, R1, 1.0)
    made.submit(ticket(2, "b"), 2.0)
    made.started(B, R2, None, 2.0)  # and serves
    made.submit(ticket(3, "a"), 3.0)
    made.submit(ticket(4, "c"), 4.0)
    made.tick(70.0)
    holds(made, A, R1, 6)

    made.serve_done(TicketId(2), 71.0)
    done = made.serve_done(TicketId(3), 72.0)

    assert swapped_out(A, R1, C) in done


def test_other_planners_do_not_care() -> None:
    made = FifoScheduler(MODELS, group_planner(g="abc"))
    made.submit(ticket(1, "a"), 1.0)
    made.started(A, R1, None, 2.0)

    assert holds(made, A, R1, 6) == []


def test_adaptive_learns_as_well() -> None:
    made = AdaptiveScheduler(
        MODELS, planner(b=4), swap_times=MemorySwapTimes(), needs=known(a=7)
    )
    made.submit(ticket(1, "a"), 1.0)
    made.started(A, R1, None, 2.0)
    made.serve_done(TicketId(1), 2.0)
    effects = made.measured(A, R1, Footprint(ram_bytes=6), 3.0)

    assert effects == [Remark(A, "holds 6 B of ram, as measured")]
    assert made.submit(ticket(4, "b"), 4.0) == [StartModel(B, R2)]
    made.started(B, R2, None, 5.0)
    assert made.submit(ticket(6, "a"), 6.0) == [Grant(ticket(6, "a"), R1)]
