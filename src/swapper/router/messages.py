"""What the router thread is told. A message's class is its channel.

Commands are imperative, facts past. The facts about processes are those of
``process.messages``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from swapper.config.learnt import Footprint
from swapper.config.schema import ModelConfig
from swapper.core.errors import ProcessError, RequestError
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.planner import Planner
from swapper.process.messages import Exited, Started, Stopped
from swapper.router.lease import Lease, Refused
from swapper.scheduler import QueueRules, Standing, Ticket, WaitingModel
from swapper.sync import Reply


class Submit(NamedTuple):
    """A request wants its model; the answer is a lease or the reason why not."""

    ticket: Ticket
    reply: Reply[Lease | Refused]


@dataclass(frozen=True, slots=True)
class Cancel:
    """The caller of a ticket has left."""

    ticket: TicketId


class ServeDone(NamedTuple):
    """The response that a lease was for has ended, in whatever way."""

    ticket: TicketId


@dataclass(frozen=True, slots=True)
class Requeue:
    """A granted run did not take the request: end the lease, ask again.

    Attributes:
        run: the one granted.
        reply: takes the place of the one that was answered.
    """

    ticket: Ticket
    run: RunId
    reply: Reply[Lease | Refused]


@dataclass(frozen=True, slots=True)
class Explain:
    """Somebody wants to know how a run ended, for it broke off a request.

    Attributes:
        until: how long to wait for the news, on the router's clock.
        reply: offered why it ended by itself; None if it did not, or not yet.
    """

    model: ModelId
    run: RunId
    until: float
    reply: Reply[ProcessError | None]


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run held when it had just become ready; it may have ended since."""

    model: ModelId
    run: RunId
    footprint: Footprint


@dataclass(frozen=True, slots=True)
class Unload:
    """Stop models; answered when they have stopped.

    Attributes:
        models: real ids; None for all.
        reply: offered None when done, an error when the router is ending.
    """

    unload: UnloadId
    models: frozenset[ModelId] | None
    reply: Reply[RequestError | None]


@dataclass(frozen=True, slots=True)
class Inspect:
    """Somebody wants to see who waits."""

    reply: Reply[Sequence[WaitingModel]]


@dataclass(frozen=True, slots=True)
class Reload:
    """Another configuration is in force from now on.

    Attributes:
        models: all there are now, by id.
        planner: for these models.
        rules: who goes first.
        reply: offered None when it is in force, an error when the router is ending.
    """

    models: Mapping[ModelId, ModelConfig]
    planner: Planner
    rules: QueueRules
    reply: Reply[RequestError | None]


@dataclass(frozen=True, slots=True)
class Locate:
    """A caller wants to know where it stands.

    Attributes:
        reply: offered None if the ticket does not wait.
    """

    ticket: TicketId
    reply: Reply[Standing | None]


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Refuse what comes, stop everything and end the thread.

    Attributes:
        budget_s: no model gets more grace than this.
        reply: offered whether every model stopped in time.
    """

    budget_s: float
    reply: Reply[bool]


RouterMessage: TypeAlias = (
    Submit
    | Cancel
    | ServeDone
    | Requeue
    | Explain
    | Unload
    | Inspect
    | Reload
    | Locate
    | Shutdown
    | Started
    | Measured
    | Exited
    | Stopped
)
