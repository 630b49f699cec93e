"""The world with durations: how long does anybody wait at most? (router.md, R4)

Everything that takes time takes as long as the dice say, up to a limit, and often
exactly the limit. Requests come by patterns that starve whoever can be starved. What
is checked is the bound that docs/design/router.md proves::

    wait <= maxWait + (1 + ahead) * (generation + stop + load)

where each of the three is the longest there is, and *ahead* counts the other models
that have an older ticket waiting, or a swap in flight, when the ticket has waited for
``maxWait``, and a swap to its own model that a claim keeps it from joining. With one starving model and nothing in flight, it is maxWait + generation
+ stop + load.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from swapper.config.expressions import MatrixConfig
from swapper.config.schema import GroupConfig, ModelConfig
from swapper.core.ids import ModelId, RunId, TicketId
from swapper.process.messages import Stopped
from swapper.scheduler import QueueRules
from tests.fakes.world import FakeProcess, World

ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The longest of everything, in seconds."""

    generation_s: float = 10.0
    stop_s: float = 2.0
    load_s: float = 5.0

    @property
    def turn_s(self) -> float:
        return self.generation_s + self.stop_s + self.load_s


class TimedProcess(FakeProcess):
    """Starts, stops and now and then dies in its own time."""

    def __init__(self, world: "TimedWorld", model: ModelId) -> None:
        super().__init__(world, model)
        self.timed = world

    def ensure_ready(self, run: RunId, config: ModelConfig) -> None:
        super().ensure_ready(run, config)
        timed = self.timed
        timed.later(timed.up_to(timed.limits.load_s), lambda: self._end_start(run))

    def _end_start(self, run: RunId) -> None:
        if run != self.run or self.phase != "starting":
            return
        if self.timed.dice.random() < self.timed.failing:
            self.start_fails()
        else:
            self.start_succeeds()
        self.deliver()

    def end(self, run: RunId) -> None:
        super().end(run)
        timed = self.timed
        timed.later(timed.up_to(timed.limits.stop_s), self._report_stopped)
        timed.later(0.0, self._report_the_rest)

    def _report_the_rest(self) -> None:
        while self.outbox and not isinstance(self.outbox[0], Stopped):
            self.deliver()

    def _report_stopped(self) -> None:
        while self.outbox:
            self.deliver()


class TimedWorld(World):
    """A world that runs by its own clock.

    Attributes:
        bound: by ticket, when it has to be answered at the latest; known only once
            it has waited for ``maxWait``.
        longest_s: the longest wait seen.
        late: tickets that were answered later than the bound.
    """

    concurrency_limit = 1_000_000

    def __init__(
        self,
        groups: dict[str, GroupConfig],
        *matrices: MatrixConfig,
        dice: random.Random,
        rules: QueueRules,
        limits: Limits,
        checked_max_wait_s: float | None = None,
    ) -> None:
        """Prepare.

        Args:
            groups: as ``World``.
            matrices: likewise.
            dice: decides all.
            rules: of the scheduler.
            limits: of all durations.
            checked_max_wait_s: what the bound is computed with, if not the rules'.
        """
        self.dice = dice
        self.limits = limits
        self.failing = 0.0
        self.dying = 0.0
        self.checked_max_wait_s = checked_max_wait_s or rules.max_wait_s
        self.bound: dict[TicketId, float] = {}
        self.arrived: dict[TicketId, float] = {}
        self.model_of: dict[TicketId, ModelId] = {}
        self.longest_s = 0.0
        self.late: list[str] = []
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        super().__init__(groups, *matrices, rules=rules)

    def make_process(self, model: ModelId) -> TimedProcess:
        return TimedProcess(self, model)

    def later(self, delay_s: float, action: Callable[[], object]) -> None:
        """Have something happen after that long."""
        at = self.clock.now + delay_s
        heapq.heappush(self._events, (at, next(self._order), action))

    def up_to(self, limit_s: float) -> float:
        """Return a duration; the limit itself is likely."""
        return limit_s * min(1.0, self.dice.random() * 1.5)

    def run(self) -> None:
        """Let everything happen that was planned and what comes of it."""
        while True:
            due = self.scheduler.next_deadline()
            if self._events and (due is None or self._events[0][0] <= due):
                at, _, action = heapq.heappop(self._events)
            elif due is not None and self.pending:
                at, action = due, self._tick_now
            else:
                break
            self._note_overdue(at)
            self.clock.now = max(at, self.clock.now)
            action()
            self._settle_all()
        assert not self.pending, "a ticket was never answered"

    def ask(self, model: ModelId) -> None:
        """Submit; some leave again."""
        self._submit(model)
        number = TicketId(self.numbers)
        self.arrived[number] = self.clock.now
        self.model_of[number] = model
        if self.dice.random() < 0.05:
            self.later(self.up_to(self.limits.turn_s), partial(self._hang_up, number))

    def _hang_up(self, number: TicketId) -> None:
        if number in self.pending:
            self._leave(number)
            if number in self.gone:
                self._tell_gone(number)

    def _tick_now(self) -> None:
        now = self.clock.now
        self.loop._carry_out(self.scheduler.tick(now), now)
        self._pump()

    def _settle_all(self) -> None:
        before = set(self.leases)
        self._settle()
        for number in self.leases.keys() - before:
            self.later(self.up_to(self.limits.generation_s), partial(self._end, number))
            process = self.processes[self.model_of[number]]
            if self.dice.random() < self.dying:
                delay_s = self.up_to(self.limits.generation_s)
                self.later(delay_s, partial(self._die, process, process.run))
        for number in [n for n in self.arrived if n not in self.pending]:
            wait_s = self.clock.now - self.arrived.pop(number)
            self.longest_s = max(self.longest_s, wait_s)
            bound = self.bound.pop(number, None)
            if bound is not None and self.clock.now > bound + ROUNDING_S:
                self.late.append(
                    f"ticket {number} for {self.model_of[number]} waited {wait_s:.2f} "
                    f"s, {self.clock.now - bound:.2f} s too long"
                )

    def _end(self, number: TicketId) -> None:
        if number in self.leases:
            self._finish(number)

    def _die(self, process: FakeProcess, run: RunId | None) -> None:
        if process.phase == "ready" and process.run == run:
            process.dies()

    def _note_overdue(self, until: float) -> None:
        """Fix the bound of whoever has waited ``maxWait`` before the next event."""
        for number, arrived in self.arrived.items():
            overdue = arrived + self.checked_max_wait_s
            if number not in self.bound and overdue <= until:
                model = self.model_of[number]
                ahead = {self.model_of[n] for n in self.pending if n < number}
                swaps = self.fifo._board.swaps
                own = swaps.get(model)
                is_kept_out = own is not None and number not in own.waiters
                turns = 1 + len((ahead | set(swaps)) - {model}) + is_kept_out
                self.bound[number] = overdue + turns * self.limits.turn_s
