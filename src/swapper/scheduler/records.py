"""What a scheduler remembers of each model and of each load in flight.

Only its scheduler writes these, in the router thread.
"""

import math
from dataclasses import dataclass, field
from typing import Final

from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId, RunId, TicketId
from swapper.core.states import ProcessState
from swapper.scheduler.base import Ticket
from swapper.scheduler.failures import Failures

NO_RUN: Final = RunId(0)
_STOPPED = ProcessState.STOPPED
_STOPPING = ProcessState.STOPPING


@dataclass(slots=True, eq=False)
class ModelRecord:
    """What the scheduler knows of one model; a ``ModelView`` for policies.

    Attributes:
        config: the newest definition; the next run is made of it.
        running: the definition that the present run is made of.
        retires_at: when a run that a reload has made obsolete is stopped at the
            latest; None if it may go on.
        is_removed: the configuration does not have the model any more.
        queue: who waits for room, in order of tickets.
        claim: whom its start is going to stop, once its turn is owed (rule 7).
        not_before: until when a policy holds its start back (rule 8); None if it
            does not.
        doubted_until: until when nothing more is granted on the present run, because
            it did not take a request it was granted.
        failures: starts that failed in a row (rule 9).
        leases: who is being served, and since when.
        began_s: when the present state began, as far as others wait for its end:
            when a start or a stop was ordered.
        second_try: tickets whose first load has failed for lack of memory.
        is_measured: whether the stop in progress tells how long stops take.
        usual_s: how long its requests take, on average; None before the first.
    """

    config: ModelConfig
    priority: int
    running: ModelConfig = field(init=False)
    retires_at: float | None = None
    is_removed: bool = False
    state: ProcessState = _STOPPED
    run: RunId = NO_RUN
    idle_since: float = 0.0  # meaningful while READY and without leases
    queue: dict[TicketId, Ticket] = field(default_factory=dict)
    leases: dict[TicketId, float] = field(default_factory=dict)
    claim: frozenset[ModelId] | None = None
    not_before: float | None = None
    doubted_until: float = 0.0
    failures: Failures = field(default_factory=Failures)
    began_s: float = 0.0
    second_try: frozenset[TicketId] = frozenset()
    is_measured: bool = False
    usual_s: float | None = None

    def __post_init__(self) -> None:
        self.running = self.config

    @property
    def id(self) -> ModelId:
        """Return the model's id."""
        return self.config.id

    @property
    def rank(self) -> float:
        """Return the order among waiting models: smaller goes first, then by age."""
        return -math.inf if self.claim is not None else -self.priority

    @property
    def oldest(self) -> Ticket:
        """Return the first of the queue, which has one."""
        return next(iter(self.queue.values()))

    @property
    def queued(self) -> int:
        """Return how many tickets wait for room."""
        return len(self.queue)

    @property
    def served(self) -> int:
        """Return how many requests it is serving."""
        return len(self.leases)

    @property
    def is_leaving(self) -> bool:
        """Tell whether a reload ends the present run."""
        obsolete = self.is_removed or self.retires_at is not None
        return obsolete and self.state is not _STOPPED

    @property
    def shown_state(self) -> ProcessState:
        """Return the state for others: a run that ends takes no more requests."""
        return self.state if self.retires_at is None else _STOPPING


@dataclass(slots=True, eq=False)
class Swap:
    """A load in flight: first the evicted stop, then the target starts.

    Attributes:
        evict: models this swap stops; fixed, part of the collision rule.
        stopping: models that have to be stopped before the target may start.
    """

    target: ModelRecord
    evict: frozenset[ModelId]
    stopping: set[ModelId]
    waiters: dict[TicketId, Ticket]
