"""Random interleavings against the real router (router.md section 7)."""

import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.config.schema import GroupConfig
from swapper.core.errors import RequestError, StartsRefusedError
from swapper.core.ids import ModelId
from swapper.scheduler import Admission
from tests.fakes.matrices import matrix
from tests.fakes.world import World


def group(id_: str, members: str, **rules: bool) -> GroupConfig:
    return GroupConfig(id=id_, members=tuple(ModelId(m) for m in members), **rules)


STEPS = int(os.environ.get("SWAPPER_STEPS", "400"))
"""For each of 200 seeds; 5,000 make a million."""

LAYOUTS = {
    "one at a time": [group("g", "abc")],
    "all together": [group("g", "abc", swap=False)],
    "two exclusive groups": [group("g", "ab"), group("h", "cd", swap=False)],
    "persistent beside swapping": [
        group("g", "a", persistent=True),
        group("h", "bcd"),
    ],
    "one-way exclusive": [group("g", "ab"), group("h", "cd", exclusive=False)],
    "shared victim": [
        group("g", "a", persistent=True),
        group("h", "b", persistent=True),
        group("i", "c", swap=False, exclusive=False),
    ],
}


MATRICES = {
    "matrix of pairs": [matrix(s="a & (b | c)", t="b & d")],
    "matrix with a costly one": [matrix({"c": 3}, s="(a | b) & c", t="a & b", u="d")],
    "matrix, one in no set": [matrix(s="a & b & c")],
    "matrix that changes": [
        matrix(s="a & b & c", t="c & d"),
        matrix(s="(a | b) & (c | d)"),
        matrix({"d": 2}, s="a | b & +t", t="c | d"),
    ],
}
ALL = [*LAYOUTS, *MATRICES]


def make(layout: str) -> World:
    if layout in MATRICES:
        return World({"g": group("g", "abcd")}, *MATRICES[layout])
    return World({g.id: g for g in LAYOUTS[layout]})


@pytest.mark.parametrize("layout", ALL)
@pytest.mark.parametrize("seed", range(20))
def test_seeded_simulation_keeps_every_law(layout: str, seed: int) -> None:
    world, dice = make(layout), random.Random(f"{layout}/{seed}")  # noqa: S311 - a simulation
    world.is_broken = seed % 5 == 4
    for _ in range(STEPS):
        world.step(dice.randrange(1 << 30))
    world.run_down()

    assert {"refused", "left"} <= set(world.outcomes.values())


@pytest.mark.parametrize("layout", ALL)
def test_the_rare_is_simulated_too(layout: str) -> None:
    seen: set[tuple[Admission, str]] = set()
    requeued: set[str] = set()
    refusals: set[type[RequestError]] = set()
    for seed in range(16):
        world, dice = make(layout), random.Random(f"{layout}/{seed}")  # noqa: S311 - a simulation
        world.is_broken = seed % 2 == 1
        for _ in range(400):
            world.step(dice.randrange(1 << 30))
        seen |= {(terms, world.outcomes[n]) for n, terms in world.if_ready.items()}
        requeued |= {world.outcomes[n] for n in world.requeued & world.outcomes.keys()}
        refusals |= world.refusals

    assert {"granted", "left"} <= requeued
    assert StartsRefusedError in refusals
    assert seen == {
        (terms, outcome)
        for terms in (Admission.IF_READY, Admission.UNCOUNTED)
        for outcome in ("granted", "refused")
    }


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    layout=st.sampled_from(sorted(ALL)),
    choices=st.lists(st.integers(0, 1 << 20), max_size=120),
)
def test_any_interleaving_keeps_every_law(layout: str, choices: list[int]) -> None:
    world = make(layout)
    for choice in choices:
        world.step(choice)
    world.run_down()
