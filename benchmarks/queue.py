"""What a message costs the router thread, by the length of the queue (router.md R5).

Fifty models of which one runs at a time; requests for all of them wait. The real loop,
scheduler and planner are stepped by hand, with processes that do nothing, and the
processor time of each step is taken. It shall be below a millisecond and not grow.
"""

import gc
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, cast

from swapper.config.schema import GroupConfig, ModelConfig
from swapper.core.clock import SystemClock
from swapper.core.ids import ModelId, RunId, TicketId
from swapper.planner import GroupPlanner
from swapper.process.messages import Started, Stopped
from swapper.router import Lease, Notify
from swapper.router.loop import RouterLoop
from swapper.router.messages import Cancel, Inspect, Locate, RouterMessage, Submit
from swapper.scheduler import FifoScheduler, QueueRules, Standing, Ticket, WaitingModel
from swapper.sync import Reply

MODELS: Final = 50
LENGTHS: Final = (100, 1_000, 10_000)
ROUNDS: Final = 300
TURNS: Final = 20


class Process:
    """Starts and stops when ``Bench.settle`` says so."""

    def __init__(self, model: ModelId, todo: list[Started | Stopped]) -> None:
        self._model = model
        self._todo = todo

    def ensure_ready(self, run: RunId, config: ModelConfig) -> None:  # noqa: ARG002 - the Protocol's shape
        """Be ready at once."""
        self._todo.append(Started(self._model, run, None))

    def stop(self, run: RunId, grace_s: float) -> None:  # noqa: ARG002 - likewise
        """Be gone at once."""
        self._todo.append(Stopped(self._model, run))

    def shutdown(self, grace_s: float) -> None:
        """Do nothing."""

    def join(self, timeout_s: float | None) -> bool:  # noqa: ARG002 - likewise
        """Wait for nothing."""
        return True


class Bench:
    """A router with a queue of a given length."""

    def __init__(self, length: int, max_wait_s: float) -> None:
        ids = [ModelId(f"model-{number:02}") for number in range(MODELS)]
        models = {
            id_: ModelConfig(id=id_, concurrency_limit=10**6, ttl_s=900) for id_ in ids
        }
        planner = GroupPlanner({"g": GroupConfig(id="g", members=tuple(ids))})
        rules = QueueRules(max_wait_s=max_wait_s)
        scheduler = FifoScheduler(models, planner, rules=rules)
        self._todo: list[Started | Stopped] = []
        self._clock = SystemClock()
        self._loop = RouterLoop(models, scheduler, self._spawn, self._clock)
        self._ids = ids
        self._dice = random.Random(1)  # noqa: S311 - the same each time
        self._number = 0
        self.costs_s: dict[str, list[float]] = defaultdict(list)
        self._asked: dict[ModelId, dict[TicketId, Reply[object]]] = defaultdict(dict)
        self._current = ids[0]
        self.submit(ids[0])
        self.settle()
        for number in range(length):
            self.submit(ids[1 + number % (MODELS - 1)])
        self.costs_s.clear()

    def step(self, kind: str, message: RouterMessage) -> None:
        """Have the loop handle a message, and note what it cost."""
        begun = time.thread_time()
        self._loop.step(message)
        self.costs_s[kind].append(time.thread_time() - begun)

    def submit(self, model: ModelId) -> TicketId:
        """Ask for a model."""
        self._number += 1
        number = TicketId(self._number)
        reply: Reply[object] = Reply()
        self._asked[model][number] = reply
        ticket = Ticket(number, model, self._clock.monotonic())
        self.step("request comes", Submit(ticket, reply))  # type: ignore[arg-type]  # any answer will do
        return number

    def settle(self) -> None:
        """Let stops and starts end."""
        while self._todo:
            fact = self._todo.pop(0)
            if isinstance(fact, Started):
                self._current = fact.model
            kind = "model stopped" if isinstance(fact, Stopped) else "model ready"
            self.step(kind, fact)

    def come_and_go(self) -> None:
        """Have one more come, ask where it stands, and leave."""
        model = self._dice.choice([id_ for id_ in self._ids if id_ != self._current])
        number = self.submit(model)
        where: Reply[Standing | None] = Reply()
        self.step("where do I stand", Locate(number, where))
        self._asked[model].pop(number).abandon()
        self.step("client leaves", Cancel(number))
        view: Reply[Sequence[WaitingModel]] = Reply()
        self.step("show the queue", Inspect(view))

    def turn(self) -> None:
        """End what is served; the next model gets its turn, and others queue up."""
        model = self._current
        batch = self._asked.pop(model)
        for reply in batch.values():
            cast("Lease", reply.wait(0)).done()
            done = self._loop.inbox.get(0.0)
            if done is not None:
                self.step("response ends", done)
        self.settle()
        grants = len(self._asked[self._current])
        self.costs_s["model ready, a grant"].append(
            self.costs_s["model ready"][-1] / grants
        )
        for _ in batch:
            self.submit(model)

    def _spawn(self, model: ModelId, _: Notify) -> Process:
        return Process(model, self._todo)


def main() -> None:
    """Print a table for queues within and beyond ``maxWait``."""
    for title, max_wait_s in (("", 60.0), (", every model overdue", 1e-9)):
        print(f"microseconds a message, median / 99 %, {MODELS} models{title}")
        rows: dict[str, list[str]] = defaultdict(list)
        for length in LENGTHS:
            bench = Bench(length, max_wait_s)
            gc.collect()
            for _ in range(ROUNDS):
                bench.come_and_go()
            for _ in range(TURNS):
                bench.turn()
            for kind, costs in bench.costs_s.items():
                middle = statistics.median(costs) * 1e6
                worst = statistics.quantiles(costs, n=100)[-1] * 1e6
                rows[kind].append(f"{middle:8.0f} / {worst:8.0f}")
        print(f"{'queued':28}", *(f"{length:>19,}" for length in LENGTHS))
        for kind, cells in rows.items():
            print(f"{kind:28}", *cells)
        print()


if __name__ == "__main__":
    main()
