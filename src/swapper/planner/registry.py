"""Planners by name; other packages add theirs as entry points.

A package declares ``[options.entry_points] swapper.planners = NAME = module:factory``
where ``factory(config: Config) -> Planner``.
"""

from collections.abc import Callable, Mapping

from swapper.config.schema import Config
from swapper.core.errors import ConfigError, ConfigProblem
from swapper.core.plugins import registered
from swapper.planner.base import Planner
from swapper.planner.budget import BudgetPlanner
from swapper.planner.group import GroupPlanner
from swapper.planner.matrix import MatrixPlanner

PlannerFactory = Callable[[Config], Planner]

_BUILT_IN: Mapping[str, PlannerFactory] = {
    "group": lambda config: GroupPlanner(config.groups),
    "budget": lambda config: BudgetPlanner(config.budget),
    "matrix": lambda config: MatrixPlanner(config.matrix),
}
_ENTRY_POINTS = "swapper.planners"


def make_planner(name: str, config: Config) -> Planner:
    """Return the planner called *name* for this configuration.

    Raises:
        ConfigError: there is no planner of that name.
    """
    factory = _BUILT_IN.get(name)
    if factory is None:
        found = registered(_ENTRY_POINTS, name)
        if not found:
            raise ConfigError(
                ConfigProblem("routing.router.use", f"there is no router {name!r}")
            )
        factory = found[0].load()
    return factory(config)
