"""Programs in turns: every round of a measure gives each of them one turn."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import itemgetter

from benchmarks.build import Tools
from benchmarks.machine import QUIET_CORES, Meter, wait_until_quiet
from benchmarks.measures import Figures, Measure, Scale, Turn
from benchmarks.programs import DIRECT, YARDSTICK, Contender, Running, running
from benchmarks.results import Outcome, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to measure.

    Attributes:
        patience_s: how long a turn may wait for a quiet machine, and how long it may be
            repeated because the machine was not quiet.
    """

    contenders: Sequence[Contender]
    rounds: int
    scale: Scale
    patience_s: float


class Runner:
    """Keeps the programs running from one measure to the next. One thread."""

    def __init__(self, tools: Tools, plan: Plan, stack: ExitStack) -> None:
        self._tools = tools
        self._plan = plan
        self._stack = stack
        self._running: dict[str, Running] = {}

    def measure(self, measure: Measure) -> Outcome:
        """Measure every program that the measure takes, in turns."""
        contenders = [c for c in self._plan.contenders if measure.takes(c)]
        rows = {c.name: Row(c.name) for c in contenders}
        for number in range(self._plan.rounds):
            first = number % max(1, len(contenders))
            for contender in contenders[first:] + contenders[:first]:
                turn, figures, foreign_cores = self._turn(measure, contender)
                row = rows[contender.name]
                row.rounds.append(figures)
                row.foreign_cores.append(round(foreign_cores, 3))
                row.troubles += turn.troubles
                _say(f"{measure.name} {contender.name} {number + 1}")
        return Outcome(
            name=measure.name,
            title=measure.title,
            figures=measure.figures,
            targets=measure.targets,
            rows=list(rows.values()),
            yardstick=YARDSTICK,
            direct=DIRECT,
            is_saturating=measure.is_saturating,
        )

    def _turn(
        self, measure: Measure, contender: Contender
    ) -> tuple[Turn, Figures, float]:
        """Return what the quietest try measured, and how quiet it was, in cores."""
        deadline_s = time.monotonic() + self._plan.patience_s
        tries = []
        while True:
            wait_until_quiet(deadline_s)
            with self._at_work(measure, contender) as program:
                meter = Meter.now()
                turn = Turn(contender, program, self._tools, self._plan.scale)
                figures = measure.run(turn)
            tries.append((turn, figures, meter.foreign_cores()))
            if tries[-1][2] <= QUIET_CORES or time.monotonic() >= deadline_s:
                return min(tries, key=itemgetter(2))

    @contextmanager
    def _at_work(self, measure: Measure, contender: Contender) -> Iterator[Running]:
        if measure.is_fresh:
            with running(contender, self._tools) as program:
                yield program
            return
        if contender.name not in self._running:
            program = self._stack.enter_context(running(contender, self._tools))
            self._running[contender.name] = program
            if program.process is not None:
                state = "connected" if program.hears_events else "not there"
                _say(f"{contender.name}: /api/events {state}")
        yield self._running[contender.name]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
