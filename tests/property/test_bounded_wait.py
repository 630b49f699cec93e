"""R4: nobody waits longer than the bound, whatever pattern requests come in."""

import os
import random
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.core.ids import ModelId
from swapper.scheduler import QueueRules
from tests.fakes.timed_world import Limits, TimedWorld
from tests.property.test_router_world import ALL, LAYOUTS, MATRICES, group

SEEDS = int(os.environ.get("SWAPPER_SEEDS", "8"))
MAX_WAIT_S = 20.0
SPAN_S = 400.0


def make(
    layout: str,
    dice: random.Random,
    *,
    is_bounded: bool = True,
    kind: type[TimedWorld] = TimedWorld,
    **limits: float,
) -> TimedWorld:
    groups = LAYOUTS.get(layout) or [group("g", "abcd")]
    members = [m for g in groups for m in g.members]
    rules = QueueRules(
        priority={m: dice.choice((-1, 0, 0, 5)) for m in members},
        max_wait_s=MAX_WAIT_S if is_bounded else 0.0,
    )
    return kind(
        {g.id: g for g in groups},
        *MATRICES.get(layout, ())[:1],
        dice=dice,
        rules=rules,
        limits=Limits(**limits),
        checked_max_wait_s=MAX_WAIT_S,
    )


def stream(world: TimedWorld, model: ModelId, every_s: float, *, until: float) -> None:
    """Ask for a model again and again, mostly at equal distances."""
    at = world.up_to(every_s)
    while at < until:
        world.later(at, partial(world.ask, model))
        at += every_s if world.dice.random() < 0.7 else world.up_to(2 * every_s)


def starve(
    layout: str,
    seed: int | str,
    *,
    is_bounded: bool = True,
    kind: type[TimedWorld] = TimedWorld,
) -> TimedWorld:
    """Run a world in which some models are asked for all the time."""
    dice = random.Random(f"{layout}/{seed}")  # noqa: S311 - a simulation
    world = make(
        layout,
        dice,
        is_bounded=is_bounded,
        kind=kind,
        generation_s=dice.choice((3.0, 10.0, 30.0)),
        stop_s=dice.choice((0.0, 2.0, 9.0)),
        load_s=dice.choice((1.0, 5.0, 25.0)),
    )
    world.failing, world.dying = dice.choice(((0.0, 0.0), (0.1, 0.02)))
    for model in world.models:
        often = world.limits.generation_s / dice.choice((2, 4))
        every_s = dice.choice((often, often, world.limits.turn_s, SPAN_S / 3))
        stream(world, model, every_s, until=SPAN_S)
    world.run()
    return world


@pytest.mark.parametrize("layout", ALL)
def test_r4_nobody_waits_longer_than_the_bound(layout: str) -> None:
    for seed in range(SEEDS):
        world = starve(layout, seed)
        assert world.late == [], f"seed {seed}"


def test_r4_a_swap_that_one_may_not_join_is_a_turn_too() -> None:
    """Its own model loads for older requests, and a claim of another is older."""
    for seed in (124, 132, 148):
        world = starve("one at a time", seed)
        assert world.late == [], f"seed {seed}"


@pytest.mark.parametrize("layout", ALL)
def test_r4_without_the_rule_the_bound_does_not_hold(layout: str) -> None:
    """So the check above can fail: steady traffic on one model starves another."""
    are_late = any(starve(layout, seed, is_bounded=False).late for seed in range(4))

    assert are_late == (layout != "all together")  # where nobody makes room


def test_r4_one_starving_model_waits_for_one_generation_stop_and_load() -> None:
    dice = random.Random(4)  # noqa: S311 - a simulation
    world = make("one at a time", dice)
    a, b = ModelId("a"), ModelId("b")
    stream(world, a, 1.0, until=SPAN_S)
    world.later(100.0, lambda: world.ask(b))
    world.run()

    assert MAX_WAIT_S < world.longest_s <= MAX_WAIT_S + world.limits.turn_s
    assert world.late == []


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    layout=st.sampled_from(sorted(ALL)),
    seed=st.integers(0, 1 << 20),
    arrivals=st.lists(
        st.tuples(st.integers(0, 3), st.floats(0, 12), st.integers(1, 40)), max_size=40
    ),
)
def test_r4_the_bound_holds_for_any_arrivals(
    layout: str, seed: int, arrivals: list[tuple[int, float, int]]
) -> None:
    """Bursts: which model, how long after the last burst, how many requests."""
    world = make(layout, random.Random(seed))  # noqa: S311 - a simulation
    models = list(world.models)
    at = 0.0
    for which, pause_s, count in arrivals:
        at += pause_s
        model = models[which % len(models)]
        for _ in range(count):
            world.later(at, partial(world.ask, model))
    world.run()

    assert world.late == []
