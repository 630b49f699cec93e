"""Who waits and who is served, counted per model."""

from dataclasses import dataclass, field

from swapper.core.ids import ModelId, TicketId
from swapper.scheduler.base import Ticket


@dataclass(slots=True)
class _Crowd:
    """The tickets of one model; sums, so that ten thousand cost no more than one."""

    waiting: int = 0
    arrived_s: float = 0.0  # sum over those that wait
    served: set[TicketId] = field(default_factory=set)


class Attendance:
    """Router thread only. Tickets that do not count are not told to it.

    Attributes:
        waiting: how many tickets wait, for room or for a load.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self._tickets: dict[TicketId, Ticket] = {}
        self._crowds: dict[ModelId, _Crowd] = {}

    def waits(self, ticket: Ticket) -> None:
        """Note that a ticket waits."""
        self._tickets[ticket.id] = ticket
        self._count(ticket, 1)

    def serves(self, ticket: Ticket) -> None:
        """Note that a ticket is served from now on."""
        self._leave(ticket.id)
        self._crowds.setdefault(ticket.model, _Crowd()).served.add(ticket.id)
        self._tickets[ticket.id] = ticket

    def leaves(self, ticket: TicketId) -> ModelId | None:
        """Forget a ticket; return its model if that serves nobody any more."""
        known = self._leave(ticket)
        if known is None:
            return None
        served = self._crowds[known.model].served
        if ticket not in served:
            return None
        served.remove(ticket)
        return None if served else known.model

    def gives_up(self, ticket: TicketId) -> None:
        """Forget a ticket if it waits; the end of one that is served comes later."""
        known = self._tickets.get(ticket)
        if known is not None and ticket not in self._crowds[known.model].served:
            self._leave(ticket)

    def waiting_for(self, model: ModelId) -> int:
        """Return how many tickets wait for a model."""
        crowd = self._crowds.get(model)
        return 0 if crowd is None else crowd.waiting

    def waited_s(self, model: ModelId, now: float) -> float:
        """Return how long those have waited so far, added up."""
        crowd = self._crowds.get(model)
        return 0.0 if crowd is None else crowd.waiting * now - crowd.arrived_s

    def _leave(self, ticket: TicketId) -> Ticket | None:
        known = self._tickets.pop(ticket, None)
        if known is not None and ticket not in self._crowds[known.model].served:
            self._count(known, -1)
        return known

    def _count(self, ticket: Ticket, step: int) -> None:
        crowd = self._crowds.setdefault(ticket.model, _Crowd())
        self.waiting += step
        crowd.waiting += step
        # From scratch whenever nobody waits, so that rounding does not add up.
        at = crowd.arrived_s + step * ticket.arrived_s
        crowd.arrived_s = at if crowd.waiting else 0.0
