"""The language between the router and a scheduler: facts in, effects out.

A scheduler is told what happened (one method per kind of fact, all called in the
router thread) and answers with a list of effects for the router to carry out in
order. It sees model ids, states, tickets and the time it is given; never a socket, a
thread or a process. It is therefore the only writer of everything it knows, and
no read of a process's state ever gates a decision.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol, TypeAlias

from swapper.config.learnt import Footprint
from swapper.config.schema import ModelConfig
from swapper.core.errors import ProcessError, RequestError
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.core.states import ProcessState
from swapper.planner.base import Planner


class Admission(Enum):
    """On what terms a request asks for its model.

    The last two are granted or refused at once and never wait, so that they cannot
    start a model: neither now nor when the model ends while they would be waiting.
    """

    SERVE = "serve"
    """Start the model if need be, and wait for it."""

    LOAD = "load"
    """As SERVE, by somebody who may have mended what kept the model from starting:
    failed starts are forgotten, and it is tried again at once."""

    IF_READY = "if ready"
    """Only if the model is ready; the lease counts like any other."""

    UNCOUNTED = "uncounted"
    """As IF_READY, but nothing is counted: no slot is taken, and neither an eviction
    nor an idle stop is held up; such a request breaks when the process stops."""


class Ticket(NamedTuple):
    """A request as the scheduler sees it.

    Attributes:
        arrived_s: when it was submitted, on the router's monotonic clock.
    """

    id: TicketId
    model: ModelId
    arrived_s: float
    admission: Admission = Admission.SERVE


class StopReason(StrEnum):
    """Why the router stops a model; the words appear in the log."""

    SWAP = "swap"
    UNLOAD = "unload"
    IDLE = "ttl"
    ABORT = "nobody waits for it"
    RELOAD = "its configuration has changed"
    SHUTDOWN = "shutdown"


class Grant(NamedTuple):
    """Hand the ticket's caller a lease on this run of the model.

    If the caller has left, the router reports ``serve_done`` at once: a lease counts
    if and only if somebody will end it. One that is ``UNCOUNTED`` never counts.
    """

    ticket: Ticket
    run: RunId


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer the ticket's caller with an error."""

    ticket: Ticket
    error: RequestError


@dataclass(frozen=True, slots=True)
class StartModel:
    """Start the model's process as run number *run*; ``started`` will follow."""

    model: ModelId
    run: RunId


@dataclass(frozen=True, slots=True)
class StopModel:
    """Stop this run; ``stopped`` will follow.

    Attributes:
        target: the model that needs the room; None unless the reason is SWAP.
    """

    model: ModelId
    run: RunId
    reason: StopReason
    target: ModelId | None = None


@dataclass(frozen=True, slots=True)
class AnswerUnload:
    """Everything this unload named has stopped."""

    unload: UnloadId


@dataclass(frozen=True, slots=True)
class ForgetModel:
    """A reload took this model away and nothing of it is left."""

    model: ModelId


@dataclass(frozen=True, slots=True)
class Remark:
    """Tell in the log why something was decided; there is nothing to do."""

    model: ModelId
    why: str


Effect: TypeAlias = (
    Grant | Refuse | StartModel | StopModel | AnswerUnload | ForgetModel | Remark
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a waiting ticket stands.

    Attributes:
        position: 1-based place among the tickets waiting for room; 0 for one whose
            model is being loaded.
        estimate_s: seconds until its model can serve it; None if not known.
    """

    position: int
    estimate_s: float | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """One waiting ticket.

    Attributes:
        position: see ``Standing``.
        why: what it waits for, a phrase for people.
        estimate_s: see ``Standing``.
    """

    ticket: Ticket
    position: int
    why: str = ""
    estimate_s: float | None = None


@dataclass(frozen=True, slots=True)
class WaitingModel:
    """The tickets that wait for one model, for one and the same thing.

    Attributes:
        rank: of models that wait for room: smaller goes first, the same goes by
            ticket; None for one that is being loaded.
        tickets: in order.
        why: see ``Queued``.
        estimate_s: see ``Standing``.
    """

    model: ModelId
    rank: float | None
    tickets: tuple[Ticket, ...]
    why: str
    estimate_s: float | None


def in_queue_order(waiting: Sequence[WaitingModel]) -> list[Queued]:
    """Return every ticket with its position: those being loaded, then the queue."""
    loading = [
        Queued(ticket, 0, entry.why, entry.estimate_s)
        for entry in waiting
        if entry.rank is None
        for ticket in entry.tickets
    ]
    queue = [
        (entry.rank, ticket.id, ticket, entry)
        for entry in waiting
        if entry.rank is not None
        for ticket in entry.tickets
    ]
    queue.sort(key=lambda place: place[:2])
    return loading + [
        Queued(ticket, position, entry.why, entry.estimate_s)
        for position, (_, _, ticket, entry) in enumerate(queue, 1)
    ]


MAX_WAIT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueRules:
    """The settings that say who goes first; a reload may change them.

    Attributes:
        priority: of waiting models, higher goes first; 0 if absent.
        max_wait_s: after this long a waiting model is owed its turn, whatever the
            priorities and the policy say; 0 for never.
    """

    priority: Mapping[ModelId, int] = field(
        default_factory=lambda: MappingProxyType({})
    )
    max_wait_s: float = MAX_WAIT_S


class ModelView(Protocol):
    """What a policy may know of a model. Read during the call, never kept."""

    @property
    def id(self) -> ModelId:
        """Return the real id."""
        ...

    @property
    def priority(self) -> int:
        """Return the configured priority; 0 is usual."""
        ...

    @property
    def state(self) -> ProcessState:
        """Return the state of the present run."""
        ...

    @property
    def queued(self) -> int:
        """Return how many tickets wait for room."""
        ...

    @property
    def oldest(self) -> Ticket:
        """Return the first of them; only of a model that has some."""
        ...

    @property
    def served(self) -> int:
        """Return how many requests it is serving."""
        ...

    @property
    def idle_since(self) -> float:
        """Return when it began to serve nothing; only while READY with none."""
        ...


class SwapPolicy(Protocol):
    """Which waiting model goes next, and whether its swap may begin already.

    The one seam of ``FifoScheduler``: what may run beside what, who is being served
    and how long anybody may wait are not a policy's to decide. A model that has
    waited for ``max_wait_s`` goes before all others, and the policy is not asked
    about it any more; so no policy can starve anybody.

    Called in the router thread for every decision: cheap, no clock, nothing that
    blocks. It may remember what it was told.
    """

    def arrived(self, ticket: Ticket, now: float) -> None:
        """Note a request that was let in, whether it has to wait or not."""
        ...

    def order(self, waiting: Sequence[ModelView], now: float) -> Sequence[ModelView]:
        """Return the same models, those first that shall have their turn first."""
        ...

    def not_before(
        self, target: ModelView, evict: Sequence[ModelView], now: float
    ) -> float:
        """Return the time from which *target* may be started; *now* for at once.

        Asked when nothing else is in the way: nobody in *evict* is serving. Until
        that time the evicted models go on taking requests, as if nobody waited.
        Asked again after whatever happens, so the answer may change.
        """
        ...

    def why(self, target: ModelId, now: float) -> str:
        """Return what the last ``not_before`` puts *target* off for; "" is fine.

        A phrase for people who look at the queue.
        """
        ...


class Scheduler(Protocol):
    """Decides. Every method runs in the router thread and never blocks.

    *now* is the router's monotonic clock in seconds.
    """

    def submit(self, ticket: Ticket, now: float) -> Sequence[Effect]:
        """Take a new ticket; it gets exactly one Grant or Refuse, now or later."""
        ...

    def cancel(self, ticket: TicketId, now: float) -> Sequence[Effect]:
        """Forget a ticket whose caller has left; unknown ones are ignored."""
        ...

    def serve_done(self, ticket: TicketId, now: float) -> Sequence[Effect]:
        """End the lease of a granted ticket; unknown ones are ignored."""
        ...

    def requeue(self, ticket: Ticket, run: RunId, now: float) -> Sequence[Effect]:
        """End a lease whose *run* did not take the request, and queue it again.

        The ticket keeps its age. It gets one more Grant or Refuse. The run is not
        granted to anybody for a moment, for it has probably ended.
        """
        ...

    def started(
        self, model: ModelId, run: RunId, error: ProcessError | None, now: float
    ) -> Sequence[Effect]:
        """Note that a start succeeded or failed; ``stopped`` follows a failure."""
        ...

    def measured(
        self, model: ModelId, run: RunId, footprint: Footprint, now: float
    ) -> Sequence[Effect]:
        """Note what a run held when it had become ready; it may have ended since."""
        ...

    def exited(self, model: ModelId, run: RunId, now: float) -> Sequence[Effect]:
        """Note that a ready process ended by itself; ``stopped`` follows."""
        ...

    def stopped(self, model: ModelId, run: RunId, now: float) -> Sequence[Effect]:
        """Note that nothing is left of a run."""
        ...

    def unload(
        self, unload: UnloadId, models: Collection[ModelId] | None, now: float
    ) -> Sequence[Effect]:
        """Stop these models (None: all) without waiting for their requests."""
        ...

    def reload(
        self,
        models: Mapping[ModelId, ModelConfig],
        planner: Planner,
        rules: QueueRules,
        now: float,
    ) -> Sequence[Effect]:
        """Take over another configuration.

        Models whose process need not be started anew go on undisturbed. The others
        serve the requests they have, for no longer than their unload timeout, and
        stop; until then no model is started.
        """
        ...

    def tick(self, now: float) -> Sequence[Effect]:
        """Do what is due; called when ``next_deadline`` has passed."""
        ...

    def shutdown(self, now: float) -> Sequence[Effect]:
        """Refuse everything from here on and stop all models."""
        ...

    def next_deadline(self) -> float | None:
        """Return when ``tick`` is wanted, None for never."""
        ...

    def next_load(self) -> ModelId | None:
        """Return the stopped model that will probably load next, None for none.

        A guess, for reading its files ahead. Cheap: asked after every message.
        """
        ...

    def states(self) -> Mapping[ModelId, ProcessState]:
        """Return every model's state, in order of ids; never changed afterwards.

        The same object as long as no state has changed.
        """
        ...

    def place(self, ticket: TicketId) -> int | None:
        """Return the ``Standing.position`` of a ticket, None if it does not wait."""
        ...

    def standing(self, ticket: TicketId, now: float) -> Standing | None:
        """Return where a ticket stands, None if it does not wait.

        Cheap, whatever the number of tickets: every waiting client may ask.
        """
        ...

    def waiting(self, now: float) -> Sequence[WaitingModel]:
        """Return who waits, by model; ``in_queue_order`` makes a queue of it."""
        ...

    @property
    def is_at_rest(self) -> bool:
        """Return whether every model is stopped."""
        ...
