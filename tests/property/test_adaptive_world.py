"""The laws and the bound (R4) with the adaptive scheduler."""

import random
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.core.ids import ModelId
from tests.fakes.timed_world import TimedWorld
from tests.fakes.world import World
from tests.property.test_bounded_wait import MAX_WAIT_S, SPAN_S, make, starve
from tests.property.test_router_world import ALL, LAYOUTS, MATRICES, group


class AdaptiveWorld(World):
    is_adaptive = True


class AdaptiveTimedWorld(TimedWorld):
    is_adaptive = True


def untimed(layout: str) -> World:
    if layout in MATRICES:
        return AdaptiveWorld({"g": group("g", "abcd")}, *MATRICES[layout])
    return AdaptiveWorld({g.id: g for g in LAYOUTS[layout]})


@pytest.mark.parametrize("layout", ALL)
@pytest.mark.parametrize("seed", range(4))
def test_seeded_simulation_keeps_every_law(layout: str, seed: int) -> None:
    world, dice = untimed(layout), random.Random(f"{layout}/{seed}")  # noqa: S311 - a simulation
    for _ in range(400):
        world.step(dice.randrange(1 << 30))
    world.run_down()

    assert {"granted", "refused", "left"} <= set(world.outcomes.values())


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    layout=st.sampled_from(sorted(ALL)),
    choices=st.lists(st.integers(0, 1 << 20), max_size=120),
)
def test_any_interleaving_keeps_every_law(layout: str, choices: list[int]) -> None:
    world = untimed(layout)
    for choice in choices:
        world.step(choice)
    world.run_down()


@pytest.mark.parametrize("layout", ALL)
def test_r4_nobody_waits_longer_than_the_bound(layout: str) -> None:
    for seed in range(3):
        world = starve(layout, seed, kind=AdaptiveTimedWorld)
        assert world.late == [], f"seed {seed}"


def test_r4_a_model_that_lingers_for_ever_makes_room_in_the_end() -> None:
    dice = random.Random(4)  # noqa: S311 - a simulation
    world = make("one at a time", dice, kind=AdaptiveTimedWorld, generation_s=1.0)
    a, b = ModelId("a"), ModelId("b")
    for number in range(int(SPAN_S / 1.2)):  # idle for a moment before each
        world.later(1.2 * number, partial(world.ask, a))
    world.later(100.0, lambda: world.ask(b))
    world.run()

    assert MAX_WAIT_S < world.longest_s <= MAX_WAIT_S + world.limits.turn_s
    assert world.late == []
