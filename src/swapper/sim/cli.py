"""The command line of the simulator."""

import argparse
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from swapper.config import Config, load_config, parse_config
from swapper.core.errors import ConfigError
from swapper.core.json import JsonValue
from swapper.planner import make_planner
from swapper.scheduler import make_scheduler
from swapper.scheduler.registry import BUILT_IN
from swapper.sim.history import History
from swapper.sim.report import report_text, summarize
from swapper.sim.simulation import Simulation, SimulationError, VirtualTime
from swapper.sim.timeline import ascii_timeline, svg_timelines
from swapper.sim.trace import Trace, TraceError, read_trace

_UNLIMITED: Final = 1_000_000_000
_TIMES: Final = ("load", "stop")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulator; return the exit status."""
    try:
        status = _main(_parse(argv))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, head for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _main(options: argparse.Namespace) -> int:
    try:
        trace = read_trace(options.trace)
        histories = {
            name: _simulate(trace, options, name) for name in _names(options.scheduler)
        }
    except (TraceError, ConfigError, SimulationError) as exc:
        print(f"swapper.sim: {exc}", file=sys.stderr)
        return 1
    summaries = {name: summarize(history) for name, history in histories.items()}
    if options.json:
        shown = {name: summary.to_json() for name, summary in summaries.items()}
        print(json.dumps(shown, indent=2))
    else:
        print(report_text(summaries))
        for name, history in histories.items():
            print(f"\n{name}:\n{ascii_timeline(history, options.width)}")
    if options.svg:
        options.svg.write_text(svg_timelines(histories), encoding="utf-8")
    return 0


def config_of(trace: Trace, router: str = "") -> Config:
    """Return the configuration in the first line of a trace.

    Args:
        trace: its models need no command and have no concurrency limit of their own.
        router: what decides instead of the router it names.

    Raises:
        ConfigError: it is not valid.
    """
    settings = {name: v for name, v in trace.settings.items() if name != "about"}
    models = settings["models"]
    settings["models"] = {
        name: _simulated(model)
        for name, model in models.items()  # type: ignore[union-attr]  # read_trace saw mappings
    }
    if router:
        routing = _below(settings, "routing")
        routing["router"] = {**_below(routing, "router"), "use": router}
        settings["routing"] = routing
    return parse_config(json.dumps(settings), source="the first line of the trace")


def _simulated(model: JsonValue) -> Mapping[str, JsonValue]:
    own = dict(model) if isinstance(model, Mapping) else {}
    kept = {name: value for name, value in own.items() if name not in _TIMES}
    usual: Mapping[str, JsonValue] = {
        "cmd": "simulated",
        "proxy": "http://simulated.invalid",
        "concurrencyLimit": _UNLIMITED,
    }
    return {**usual, **kept}


def _below(settings: Mapping[str, JsonValue], name: str) -> dict[str, JsonValue]:
    value = settings.get(name)
    return dict(value) if isinstance(value, Mapping) else {}


def _simulate(trace: Trace, options: argparse.Namespace, scheduler: str) -> History:
    if options.config:
        config = load_config(options.config)
        config = replace(config, router=options.router or config.router)
    else:
        config = config_of(trace, options.router)
    config = replace(config, scheduler=scheduler or config.scheduler)
    planner = make_planner(config.router, config)
    simulation = Simulation(config, make_scheduler(config, planner), trace)
    with _decisions_shown(simulation.time, is_wanted=options.log):
        return simulation.run()


@contextmanager
def _decisions_shown(time: VirtualTime, *, is_wanted: bool) -> Iterator[None]:
    """Write what the router logs to standard error, each line with its second."""
    if not is_wanted:
        yield
        return
    logger = logging.getLogger("swapper")
    handler, level = logging.StreamHandler(), logger.level
    handler.setFormatter(logging.Formatter("%(second)9.3f %(message)s"))

    def add_second(record: logging.LogRecord) -> bool:
        record.second = time.now
        return True

    handler.addFilter(add_second)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


def _names(chosen: str) -> Sequence[str]:
    return BUILT_IN if chosen == "both" else (chosen,)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m swapper.sim",
        description="Replay requests against the real router with simulated models "
        "and time. swapper/sim/trace.py describes the format of a trace.",
    )
    parser.add_argument("trace", type=Path, help="file of JSON lines")
    parser.add_argument(
        "--scheduler",
        default="both",
        metavar="NAME",
        help=f"{', '.join(BUILT_IN)} or a registered one; both (the default): these",
    )
    parser.add_argument(
        "--router",
        default="",
        metavar="NAME",
        help="group, matrix, budget or a registered one, instead of the one configured",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="take models and settings from here; the trace still gives the times",
    )
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the timeline")
    parser.add_argument(
        "--width", type=int, default=80, metavar="N", help="columns of the timeline"
    )
    parser.add_argument(
        "--log", action="store_true", help="show the decisions, with simulated times"
    )
    return parser.parse_args(argv)
