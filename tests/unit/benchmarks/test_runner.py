"""Turns, repetitions of noisy ones, and what counts as noise."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

import pytest

from benchmarks import machine, runner
from benchmarks.build import Tools
from benchmarks.machine import Meter
from benchmarks.measures import QUICK, Figures, Measure, Turn
from benchmarks.programs import Contender, Kind, Running
from benchmarks.results import Figure, Outcome

FIGURE = Figure("value", "value")
CONTENDERS = (
    Contender("direct", Kind.DIRECT),
    Contender("go", Kind.BARE),
    Contender("swapper", Kind.MODELS),
)


class World:
    """Programs that are not really started, and the noise of each turn."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self.starts: list[str] = []
        self.noise: list[float] = []
        self.waited_s: list[float] = []

    def turn(self, turn: Turn) -> Figures:
        self.turns.append(turn.contender.name)
        turn.troubles.append(f"trouble {len(self.turns)}")
        return {"value": len(self.turns)}

    @contextmanager
    def running(self, contender: Contender, _tools: Tools) -> Iterator[Running]:
        self.starts.append(contender.name)
        yield Running(name=contender.name, port=1, process=None, start_s=0.1)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    class FakeMeter:
        @classmethod
        def now(cls) -> Self:
            return cls()

        def foreign_cores(self) -> float:
            return made.noise.pop(0) if made.noise else 0.0

    monkeypatch.setattr(runner, "running", made.running)
    monkeypatch.setattr(runner, "Meter", FakeMeter)
    monkeypatch.setattr(runner, "wait_until_quiet", made.waited_s.append)
    return made


def run(world: World, *, rounds: int, patience_s: float = 0.0, **rest: bool) -> Outcome:
    plan = runner.Plan(
        contenders=CONTENDERS, rounds=rounds, scale=QUICK, patience_s=patience_s
    )
    measure = Measure(
        name="m", title="", figures=(FIGURE,), targets=(), run=world.turn, **rest
    )
    with ExitStack() as stack:
        tools = Tools(Path("load"), Path("upstream"), None)
        return runner.Runner(tools, plan, stack).measure(measure)


def test_programs_take_turns_and_another_one_begins_each_round(world: World) -> None:
    outcome = run(world, rounds=3)

    assert world.turns == [
        *("direct", "go", "swapper"),
        *("go", "swapper", "direct"),
        *("swapper", "direct", "go"),
    ]
    assert world.starts == ["direct", "go", "swapper"]
    assert [row.program for row in outcome.rows] == ["direct", "go", "swapper"]
    assert [r["value"] for r in outcome.rows[1].rounds] == [2, 4, 9]


def test_fresh_measure_starts_programs_anew(world: World) -> None:
    run(world, rounds=2, is_fresh=True)

    assert len(world.starts) == 6


def test_measure_takes_only_what_it_can_measure(world: World) -> None:
    run(world, rounds=1, needs_proxy=True)
    run(world, rounds=1, needs_models=True)

    assert world.turns == ["go", "swapper", "swapper"]


def test_noisy_turn_is_kept_without_patience(world: World) -> None:
    world.noise = [0.0, 1.5, 0.0]

    outcome = run(world, rounds=1)

    assert len(world.turns) == 3
    assert outcome.rows[1].foreign_cores == [1.5]


def test_patience_repeats_a_noisy_turn_until_it_is_quiet(world: World) -> None:
    world.noise = [0.0, 1.5, 0.5, 0.1, 0.0]

    outcome = run(world, rounds=1, patience_s=60)

    assert world.turns == ["direct", "go", "go", "go", "swapper"]
    go = outcome.rows[1]
    assert go.foreign_cores == [0.1]
    assert go.rounds == [{"value": 4}]
    assert go.troubles == ["trouble 4"]


def test_foreign_is_what_everybody_used_but_we_did_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later = Meter(at_s=14.0, everybody_s=109.0, ours_s=52.0)
    monkeypatch.setattr(machine.Meter, "now", lambda: later)

    assert Meter(at_s=10.0, everybody_s=101.0, ours_s=50.0).foreign_cores() == 1.5
    assert Meter(at_s=10.0, everybody_s=108.0, ours_s=50.0).foreign_cores() == 0
