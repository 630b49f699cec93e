"""Random interleavings against the real router (router.md section 7)."""

import os
import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.config.schema import GroupConfig
from swapper.core.errors import RequestError, StartsRefusedError
from swapper.core.ids import ModelId
from swapper.scheduler import Admission, Effect, admission, fifo
from swapper.scheduler.board import Board
from swapper.scheduler.claims import Claims
from swapper.scheduler.records import ModelRecord
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


@pytest.mark.parametrize("layout", ALL)
def test_who_need_not_queue_gets_what_the_queue_would_have_given(
    layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same world twice: once all tickets go the long way."""
    free = [0]

    def counted(board: Board, claims: Claims, model: ModelRecord, now: float) -> bool:
        is_at_once = admission.is_free(board, claims, model, now)
        free[0] += is_at_once
        return is_at_once

    for seed in range(6):
        monkeypatch.setattr(fifo, "is_free", counted)
        short = history(layout, seed)
        monkeypatch.setattr(fifo, "is_free", lambda *_: False)
        assert history(layout, seed) == short
    assert free[0] > 10


def history(layout: str, seed: int) -> list[str]:
    """Return all that was decided in a world, in order."""
    world, dice = make(layout), random.Random(f"{layout}/{seed}")  # noqa: S311 - a simulation
    carry_out, decided = world.loop._carry_out, []

    def noted(effects: Sequence[Effect], now: float) -> None:
        decided.append(f"{now} {effects!r} {world.scheduler.next_deadline()}")
        carry_out(effects, now)

    world.loop._carry_out = noted  # type: ignore[method-assign] # listens in
    for _ in range(400):
        world.step(dice.randrange(1 << 30))
        for process in [*world.processes.values()] if dice.random() < 0.4 else []:
            if process.outbox:
                process.deliver()
            elif process.phase == "starting":
                process.start_succeeds()
            world._settle()
    return decided


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
