"""The laws and the bound (R4) under budgets: no state exceeds one."""

import random
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.config.budget import BudgetConfig
from swapper.process.messages import Started
from swapper.router.messages import RouterMessage
from tests.fakes.budgets import BudgetWorld, budget
from tests.fakes.timed_world import TimedWorld
from tests.property.test_bounded_wait import starve
from tests.property.test_router_world import group

ONE_CARD = budget({"gpu": 24}, a={"gpu": 14}, b={"gpu": 10}, c={"gpu": 8}, d={"gpu": 2})


class OneCard(BudgetWorld):
    budgets: ClassVar[tuple[BudgetConfig, ...]] = (ONE_CARD,)


class TwoCards(BudgetWorld):
    budgets: ClassVar[tuple[BudgetConfig, ...]] = (
        budget(
            {"gpu0": 24, "gpu1": 12, "slots": 3},
            a={"gpu0": 20, "slots": 1},
            b={"gpu0": 12, "gpu1": 6, "slots": 1},
            c={"gpu1": 6, "slots": 1},
            d={"gpu0": 4, "slots": 1},
            pinned=["d"],
        ),
    )


class OneAlone(BudgetWorld):
    budgets: ClassVar[tuple[BudgetConfig, ...]] = (
        budget({"gpu": 4}, a={"gpu": 2}, b={"gpu": 2}, c={"gpu": 3}),
    )


class Changing(BudgetWorld):
    budgets: ClassVar[tuple[BudgetConfig, ...]] = (
        ONE_CARD,
        budget({"gpu": 14}, a={"gpu": 14}, b={"gpu": 4}, c={"gpu": 4}, d={"gpu": 6}),
        budget({"ram": 2}, a={"ram": 1}, b={}, c={"ram": 1}, d={"ram": 1}, pinned="b"),
    )


class Adaptive(TwoCards):
    is_adaptive = True


def measured(config: BudgetConfig) -> BudgetConfig:
    """Return a budget that learns what nobody says."""
    return replace(config, in_bytes=frozenset({"ram"}))


class Learning(BudgetWorld):
    learning = True
    budgets: ClassVar[tuple[BudgetConfig, ...]] = (
        measured(budget({"ram": 16, "slots": 2}, b={"ram": 4, "slots": 1})),
    )


class LearningBesidePinned(BudgetWorld):
    learning = True
    is_adaptive = True
    budgets: ClassVar[tuple[BudgetConfig, ...]] = (
        measured(budget({"ram": 12}, b={"ram": 2}, pinned="b")),
        measured(budget({"ram": 11}, b={"ram": 4}, c={"ram": 3})),
    )


LAYOUTS = {
    kind.__name__: kind
    for kind in (
        OneCard,
        TwoCards,
        OneAlone,
        Changing,
        Adaptive,
        Learning,
        LearningBesidePinned,
    )
}


class TimedCard(OneCard, TimedWorld):
    pass


class TimedCards(TwoCards, TimedWorld):
    pass


class TimedLearning(Learning, TimedWorld):
    """Every model is measured as soon as it is ready."""

    def last_words(self) -> tuple[str, ...]:
        return ()  # trying again takes a turn more

    def tell(self, message: RouterMessage) -> None:
        super().tell(message)
        if isinstance(message, Started) and message.error is None:
            self._measure(message.model, message.run)


def make(layout: str) -> BudgetWorld:
    return LAYOUTS[layout]({"g": group("g", "abcd")})


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", range(6))
def test_seeded_simulation_never_exceeds_a_budget(layout: str, seed: int) -> None:
    world, dice = make(layout), random.Random(f"{layout}/{seed}")  # noqa: S311 - a simulation
    for _ in range(400):
        world.step(dice.randrange(1 << 30))
    world.run_down()

    assert {"granted", "refused", "left"} <= set(world.outcomes.values())
    assert world.most > 1 or world.learning


def test_what_is_learnt_is_simulated_too() -> None:
    most, tried_again = set(), 0
    for seed in range(12):
        world, dice = make("Learning"), random.Random(seed)  # noqa: S311 - a simulation
        for _ in range(400):
            world.step(dice.randrange(1 << 30))
        assert world.measured > 9
        most.add(world.most)
        records = world.fifo._board.models.values()
        tried_again += any(model.second_try for model in records)

    assert max(most) > 2
    assert tried_again > 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    layout=st.sampled_from(sorted(LAYOUTS)),
    choices=st.lists(st.integers(0, 1 << 20), max_size=120),
)
def test_no_reachable_state_exceeds_a_budget(layout: str, choices: list[int]) -> None:
    world = make(layout)
    for choice in choices:
        world.step(choice)
    world.run_down()


@pytest.mark.parametrize("kind", [TimedCard, TimedCards, TimedLearning])
def test_r4_nobody_waits_longer_than_the_bound(kind: type[TimedWorld]) -> None:
    for seed in range(4):
        world = starve("four models", seed, kind=kind)
        assert world.late == [], f"seed {seed}"
