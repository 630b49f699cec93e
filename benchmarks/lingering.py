"""What lingering does to requests that come independently of each other: nothing bad?

Simulated Poisson traffic to models of which one fits, over loads, lengths of answers,
numbers of models, and shares of the first model. Printed is the mean wait with
``adaptive`` in parts of that with ``fifo``, the mean over the seeds and the worst of them.

    python -m benchmarks.lingering --seeds 2
"""

import argparse
import itertools
import json
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from swapper.core.ids import ModelId
from swapper.core.json import JsonValue
from swapper.planner import make_planner
from swapper.scheduler import make_scheduler
from swapper.sim import Client, Simulation, Step, Trace
from swapper.sim.cli import config_of
from swapper.sim.trace import ModelTimes

TIMES: Final = ModelTimes(load_s=8.0, stop_s=2.0)


@dataclass(frozen=True, slots=True)
class Traffic:
    """One kind of traffic.

    Attributes:
        models: how many.
        rate: requests per second and model.
        answer_s: how long each answer takes.
        first: how many times as many requests the first model gets.
    """

    models: int
    rate: float
    answer_s: float
    first: int


def kinds() -> Iterator[Traffic]:
    """Yield all kinds."""
    for kind in itertools.product((2, 3, 5), (0.02, 0.1, 0.5, 2.0), (0.2, 3.0), (1, 4)):
        yield Traffic(*kind)


def trace_of(kind: Traffic, requests: int, seed: int) -> Trace:
    """Return some traffic of this kind."""
    dice = random.Random(seed)  # noqa: S311 - a simulation
    names = [ModelId(f"m{number}") for number in range(kind.models)]
    rates = [kind.rate * kind.first, *[kind.rate] * (kind.models - 1)]
    clients = []
    for name, rate in zip(names, rates, strict=True):
        now = 0.0
        for _ in range(round(requests * rate / sum(rates))):
            now += dice.expovariate(rate)
            clients.append(Client(name, now, (Step(name, kind.answer_s),)))
    settings: dict[str, JsonValue] = {"models": {str(name): {} for name in names}}
    return Trace(times=dict.fromkeys(names, TIMES), settings=settings, clients=clients)


def mean_wait_s(trace: Trace, scheduler: str) -> float:
    """Return what a scheduler makes of it."""
    config = replace(config_of(trace), scheduler=scheduler)
    made = make_scheduler(config, make_planner(config.router, config))
    history = Simulation(config, made, trace).run()
    return statistics.fmean(request.wait_s for request in history.requests)


def main(argv: Sequence[str] | None = None) -> None:
    """Simulate, print a table and the JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lingering")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--requests", type=int, default=2500, help="per simulation")
    options = parser.parse_args(argv)
    print("models  rate  answer  first    fifo    mean   worst")
    means, worst = [], 0.0
    for kind in kinds():
        ratios, waits_s = [], []
        for seed in range(options.seeds):
            trace = trace_of(kind, options.requests, seed)
            waits_s.append(mean_wait_s(trace, "fifo"))
            ratios.append(mean_wait_s(trace, "adaptive") / waits_s[-1])
        print(
            f"{kind.models:6}{kind.rate:6.2f}{kind.answer_s:6.1f} s{kind.first:7}"
            f"{statistics.fmean(waits_s):6.1f} s{statistics.fmean(ratios):8.3f}"
            f"{max(ratios):8.3f}",
            flush=True,
        )
        means.append(statistics.fmean(ratios))
        worst = max(worst, *ratios)
    told = {"mean": round(statistics.fmean(means), 4), "worst": round(worst, 4)}
    print(json.dumps({"benchmark": "lingering", **told}))


if __name__ == "__main__":
    main()
