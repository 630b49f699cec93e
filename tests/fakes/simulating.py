"""Small words for simulations in tests."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from swapper.planner import make_planner
from swapper.scheduler import make_scheduler
from swapper.sim import History, Simulation, Trace
from swapper.sim.cli import config_of
from swapper.sim.trace import parse_trace


def trace_of(head: Mapping[str, Any], *lines: Mapping[str, Any]) -> Trace:
    """Return a trace with this first line and these others."""
    return parse_trace("\n".join(map(json.dumps, (head, *lines))))


def simulate(trace: Trace, scheduler: str = "fifo", router: str = "") -> History:
    """Return what the scheduler of that name makes of the trace."""
    config = replace(config_of(trace, router), scheduler=scheduler)
    planner = make_planner(config.router, config)
    return Simulation(config, make_scheduler(config, planner), trace).run()


def models(names: Sequence[str], load: float = 8, stop: float = 2) -> dict[str, Any]:
    """Return a first line with models that take so long."""
    return {"models": {name: {"load": load, "stop": stop} for name in names}}
