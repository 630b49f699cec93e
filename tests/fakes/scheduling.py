"""Small words for tests of scheduler and router."""

from collections.abc import Mapping, Sequence

from swapper.config.schema import GroupConfig, ModelConfig
from swapper.core.ids import ModelId, TicketId
from swapper.planner import GroupPlanner
from swapper.scheduler import (
    Admission,
    Queued,
    Scheduler,
    Ticket,
    in_queue_order,
)


def model_configs(
    ids: Sequence[str], *, ttl_s: int = 0, limit: int = 1000
) -> dict[ModelId, ModelConfig]:
    """Return models that take many requests."""
    return {
        ModelId(id_): ModelConfig(id=ModelId(id_), ttl_s=ttl_s, concurrency_limit=limit)
        for id_ in ids
    }


def group_planner(**groups: Sequence[str] | GroupConfig) -> GroupPlanner:
    """Return a planner; a plain list makes a swapping, exclusive group."""
    made: Mapping[str, GroupConfig] = {
        name: value
        if isinstance(value, GroupConfig)
        else GroupConfig(id=name, members=tuple(ModelId(m) for m in value))
        for name, value in groups.items()
    }
    return GroupPlanner(made)


def ticket(number: int, model: str, admission: Admission = Admission.SERVE) -> Ticket:
    """Return ticket *number*; it arrived at that many seconds."""
    return Ticket(TicketId(number), ModelId(model), float(number), admission)


def queue_of(scheduler: Scheduler, now: float = 0.0) -> list[Queued]:
    """Return the waiting tickets, those waiting for room in queue order."""
    return in_queue_order(scheduler.waiting(now))
