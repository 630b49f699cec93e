"""Schedulers by name; other packages add theirs as entry points.

A package declares ``[options.entry_points] swapper.schedulers = NAME = module:factory``
where ``factory(inputs: SchedulerInputs) -> Scheduler``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from swapper.config.schema import Config
from swapper.core.errors import ConfigError, ConfigProblem
from swapper.core.plugins import registered
from swapper.planner.base import Planner
from swapper.scheduler.adaptive import AdaptiveScheduler
from swapper.scheduler.base import QueueRules, Scheduler
from swapper.scheduler.fifo import FifoScheduler
from swapper.scheduler.lessons import LearntNeeds, MemoryNeeds
from swapper.scheduler.swap_times import MemorySwapTimes, SwapTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerInputs:
    """What a factory makes a scheduler of; more may be added.

    Attributes:
        config: whose ``scheduler`` is the factory's own name.
        planner: says what must stop for a target.
        swap_times: what earlier runs have learned.
        needs: likewise; for planners that learn.
    """

    config: Config
    planner: Planner
    swap_times: SwapTimes
    needs: LearntNeeds


def queue_rules(config: Config) -> QueueRules:
    """Return who goes first by this configuration."""
    return QueueRules(priority=config.priority, max_wait_s=config.max_wait_s)


SchedulerFactory: TypeAlias = Callable[[SchedulerInputs], Scheduler]


def _fifo(inputs: SchedulerInputs) -> Scheduler:
    config = inputs.config
    return FifoScheduler(
        config.models,
        inputs.planner,
        rules=queue_rules(config),
        times=inputs.swap_times,
        needs=inputs.needs,
    )


def _adaptive(inputs: SchedulerInputs) -> Scheduler:
    return AdaptiveScheduler(
        inputs.config.models,
        inputs.planner,
        rules=queue_rules(inputs.config),
        swap_times=inputs.swap_times,
        needs=inputs.needs,
    )


_BUILT_IN: Final[Mapping[str, SchedulerFactory]] = {
    "fifo": _fifo,
    "adaptive": _adaptive,
}
BUILT_IN: Final = tuple(_BUILT_IN)
"""Names of swapper's own schedulers."""

_ENTRY_POINTS: Final = "swapper.schedulers"


def make_scheduler(
    config: Config,
    planner: Planner,
    swap_times: SwapTimes | None = None,
    needs: LearntNeeds | None = None,
) -> Scheduler:
    """Return the scheduler that the configuration names, with all models stopped.

    Args:
        config: names it and has its settings.
        planner: made for the same configuration.
        swap_times: what is known of the models; None for nothing yet.
        needs: likewise.

    Raises:
        ConfigError: there is no scheduler of that name.
    """
    name = config.scheduler
    factory = _BUILT_IN.get(name)
    if factory is None:
        found = registered(_ENTRY_POINTS, name)
        if not found:
            problem = f"there is no scheduler {name!r}"
            raise ConfigError(ConfigProblem("routing.scheduler.use", problem))
        factory = found[0].load()
    times = MemorySwapTimes() if swap_times is None else swap_times
    return factory(
        SchedulerInputs(
            config=config,
            planner=planner,
            swap_times=times,
            needs=MemoryNeeds() if needs is None else needs,
        )
    )
