"""Budget rules for models whose needs were measured."""

from dataclasses import replace
from fractions import Fraction

import pytest

from swapper.config.budget import BudgetConfig
from swapper.config.learnt import Footprint, Learnt
from swapper.core.ids import ModelId
from swapper.planner import BudgetPlanner, GroupPlanner, Learning

GIB = 1 << 30
SAYS, A, B, PINNED = map(ModelId, ("says", "a", "b", "pinned"))
BUDGET = BudgetConfig(
    resources={"gpu0": Fraction(24 * GIB), "ram": Fraction(64 * GIB)},
    needs={SAYS: {"gpu0": Fraction(10 * GIB)}, PINNED: {"gpu0": Fraction(2 * GIB)}},
    pinned=frozenset({PINNED}),
    in_bytes=frozenset({"gpu0", "ram"}),
)
PLANNER = BudgetPlanner(BUDGET)


def held(gpu0: float | None, ram: float = 1.0) -> Learnt:
    gpus = None if gpu0 is None else {0: int(gpu0 * GIB)}
    return Learnt(footprint=Footprint(ram_bytes=int(ram * GIB), gpu_bytes=gpus))


def test_only_who_budgets_learns() -> None:
    assert isinstance(PLANNER, Learning)
    assert not isinstance(GroupPlanner({}), Learning)


def test_what_was_measured_runs_beside_others_as_long_as_it_fits() -> None:
    knows = PLANNER.with_learnt({A: held(12), B: held(3)})

    assert knows.eviction_for(A, [PINNED, SAYS]) == ()
    assert knows.eviction_for(B, [A, PINNED, SAYS]) != ()
    assert PLANNER.eviction_for(A, [PINNED, SAYS]) == (SAYS,)


def test_what_is_learnt_later_takes_the_place_of_what_was() -> None:
    knows = PLANNER.with_learnt({A: held(3)}).with_learnt({A: held(15)})

    assert knows.eviction_for(SAYS, [A]) == (A,)
    assert knows.with_learnt({}).alone(A) != ""


def test_an_unknown_model_runs_beside_pinned_ones_only() -> None:
    assert PLANNER.eviction_for(A, [B, PINNED, SAYS]) == (B, SAYS)
    assert PLANNER.eviction_for(SAYS, [A, PINNED]) == (A,)
    assert PLANNER.eviction_for(PINNED, [A]) == ()


def test_a_model_that_fills_all_that_is_left_evicts_everybody_else() -> None:
    knows = PLANNER.with_learnt({A: held(23.5)})

    assert knows.eviction_for(A, [PINNED, SAYS]) == (SAYS,)
    assert knows.eviction_for(A, [PINNED]) == ()


@pytest.mark.parametrize(
    ("learnt", "why"),
    [
        ({}, "runs alone, for it has no resources and was not measured yet"),
        (
            {A: held(None)},
            "runs alone, for it has no resources and no tool tells what it holds of gpu0",
        ),
        ({A: held(1)}, ""),
    ],
)
def test_why_a_model_runs_alone(learnt: dict[ModelId, Learnt], why: str) -> None:
    knows = PLANNER.with_learnt(learnt)

    assert knows.alone(A) == why
    assert knows.reasons(A, [SAYS]) == ([f"a {why}"] if why else [])


def test_where_nothing_can_be_measured_nobody_is_told_to_wait_for_it() -> None:
    planner = BudgetPlanner(replace(BUDGET, in_bytes=frozenset()))

    assert planner.alone(A) == "runs alone, for it has no resources"


@pytest.mark.parametrize(
    ("model", "learnt", "lesson"),
    [
        (A, held(12, 0.5), "holds 12 GiB of gpu0, 512 MiB of ram, as measured"),
        (A, held(0, 0.5), "holds 512 MiB of ram, as measured"),
        (A, Learnt(), ""),
        (SAYS, held(10, 0), ""),
        (SAYS, held(12), "holds 12 GiB of gpu0; its resources say 10 GiB of gpu0"),
        (SAYS, held(10.2), ""),
    ],
)
def test_lessons_in_words(model: ModelId, learnt: Learnt, lesson: str) -> None:
    assert PLANNER.with_learnt({model: learnt}).lesson(model) == lesson
