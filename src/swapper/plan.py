"""``swapper plan``: what loading these models, in this order, would stop, and why.

Nothing is started, and no server is asked: the planner of the configuration is. How long
loads take and what was learnt of models is looked up in the file of the activity log.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

from swapper.config import Config, Environment, Secrets, load_config
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId
from swapper.planner import Explaining, Learning, Planner, Standing, make_planner
from swapper.planner.budget import USUAL_LOAD_S
from swapper.record.database import StoreError
from swapper.record.known import Known, look_up
from swapper.scheduler import Lessons, MemoryNeeds

_BETWEEN_S: Final = 60.0
"""Time that is taken to pass between two of the models."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{message}\n{self.format_usage()}")


def run_plan(argv: Sequence[str]) -> int:
    """Print the plan; return the exit status."""
    options = _parse(argv)
    environment = Environment(os.environ)
    try:
        config = load_config(options.config, options.config_dir, environ=environment)
        planner = make_planner(config.router, config)
    except ConfigError as exc:
        problems = Secrets(environment.used).hidden_in(str(exc))
        print(f"swapper: the configuration is not valid:\n{problems}", file=sys.stderr)
        return 1
    unknown = [name for name in options.models if name not in config.model_by_name]
    if unknown:
        known = ", ".join(config.models)
        print(
            f"swapper: {unknown[0]} is neither a model nor an alias; there are {known}",
            file=sys.stderr,
        )
        return 1
    found, where = _looked_up(config)
    print("\n".join(plan_lines(config, planner, options.models, found, where)))
    return 0


def plan_lines(
    config: Config,
    planner: Planner,
    names: Sequence[str],
    known: Known | None = None,
    where: str = "nowhere",
) -> Iterator[str]:
    """Yield what happens for each of *names*, as text.

    Each is taken to be ready and to have served its request before the next one
    comes, so no model is busy.

    Args:
        config: has the names, ids or aliases.
        planner: made for it.
        names: in the order in which they are asked for.
        known: what was measured; None for nothing.
        where: that is from, in words.
    """
    known = known or Known()
    models = [config.model_by_name[name] for name in names]
    planner = Lessons(planner, config.models, MemoryNeeds(known.needs)).planner
    used: dict[ModelId, int] = {}  # what runs -> the step it was used last

    def standing(model: ModelId) -> Standing:
        return Standing(
            load_s=_load_s(known, model), idle_s=(step - used[model]) * _BETWEEN_S
        )

    yield f"router {planner.name}"
    if isinstance(planner, Learning):
        yield f"figures from {where}"
        for model in dict.fromkeys(models):
            yield f"   {model} {planner.takes(model)}; {_loads(known, model)}"
    for step, target in enumerate(models, 1):
        running = sorted(used.keys() - {target})
        is_running = target in used
        evict = planner.eviction_for(
            target, running, target_is_running=is_running, standing=standing
        )
        stops = f"stops {', '.join(evict)}" if evict else "stops nothing"
        what = f"runs already, {stops}" if is_running else stops
        yield f"{step}. {target}: {what}"
        if isinstance(planner, Explaining) and not is_running:
            for reason in planner.reasons(target, running, standing=standing):
                yield f"     {reason}"
        for model in evict:
            del used[model]
        used[target] = step
        yield f"   then {', '.join(sorted(used))} {'runs' if len(used) == 1 else 'run'}"


def _looked_up(config: Config) -> tuple[Known, str]:
    """Return what is known of models, and where that is from, in words."""
    path = config.store_path
    if not path:
        return Known(), "the configuration alone, for store.path is not set"
    if not Path(path).exists():
        return Known(), f"the configuration alone, for there is no {path} yet"
    try:
        return look_up(path), f"the configuration and {path}"
    except StoreError as exc:
        return Known(), f"the configuration alone, for they cannot be read: {exc}"


def _load_s(known: Known, model: ModelId) -> float | None:
    times = known.times.get(model)
    return None if times is None else times.load_s


def _loads(known: Known, model: ModelId) -> str:
    load_s = _load_s(known, model)
    if load_s is None:
        return (
            f"its load was not measured yet and is taken to last {USUAL_LOAD_S:.0f} s"
        )
    return f"loads in {load_s:.1f} s"


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="swapper plan",
        description="Tell what loading models in this order would stop, and why. "
        "Nothing is started.",
    )
    parser.add_argument("--config", metavar="FILE", help="configuration file")
    parser.add_argument(
        "--config-dir", metavar="DIR", help="directory whose files are merged on top"
    )
    parser.add_argument(
        "models", nargs="+", metavar="MODEL", help="ids or aliases, in this order"
    )
    options = parser.parse_args(argv)
    if not (options.config or options.config_dir):
        parser.error("one of --config and --config-dir is needed")
    return options
