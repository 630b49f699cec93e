"""``swapper plan``: what loading these models, in this order, would stop, and why.

Nothing is started, and no server is asked: the planner of the configuration is.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Final, NoReturn

from swapper.config import Config, Environment, Secrets, load_config
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId
from swapper.planner import Explaining, Planner, Standing, make_planner

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
    print("\n".join(plan_lines(config, planner, options.models)))
    return 0


def plan_lines(config: Config, planner: Planner, names: Sequence[str]) -> Iterator[str]:
    """Yield what happens for each of *names*, as text.

    Each is taken to be ready and to have served its request before the next one
    comes, so no model is busy. What is known only at run time, how long loads take,
    counts as equal.

    Args:
        config: has the names, ids or aliases.
        planner: made for it.
        names: in the order in which they are asked for.
    """
    used: dict[ModelId, int] = {}  # what runs -> the step it was used last

    def standing(model: ModelId) -> Standing:
        return Standing(idle_s=(step - used[model]) * _BETWEEN_S)

    yield f"router {planner.name}"
    for step, name in enumerate(names, 1):
        target = config.model_by_name[name]
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
