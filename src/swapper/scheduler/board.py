"""The memory of a scheduler, and the small moves that keep it consistent.

Whatever changes a model's state, its queue or a swap goes through here, so that what
is derived from them is never stale. Nothing here decides anything.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final

from swapper.config.schema import ModelConfig
from swapper.core.errors import RequestError
from swapper.core.ids import ModelId, RunId, TicketId
from swapper.core.states import ProcessState
from swapper.scheduler.base import (
    Effect,
    ForgetModel,
    Grant,
    Refuse,
    StartModel,
    StopModel,
    StopReason,
    Ticket,
)
from swapper.scheduler.places import Places
from swapper.scheduler.records import ModelRecord, Swap
from swapper.scheduler.swap_times import SwapTimes

_STOPPED = ProcessState.STOPPED
_STARTING = ProcessState.STARTING
_READY = ProcessState.READY
_STOPPING = ProcessState.STOPPING

_LATEST_COUNTS: Final = 0.3
"""Weight of the latest request in a model's usual time."""


class Board:
    """One per scheduler; router thread only.

    Attributes:
        models: by id, sorted.
        swaps: loads in flight, by target.
        waiting: models with a queue, in no particular order.
        running: models that are not stopped, likewise.
        model_of: of every ticket that waits or is served.
        times: how long loads and stops took.
    """

    def __init__(
        self,
        models: Mapping[ModelId, ModelConfig],
        priority: Mapping[ModelId, int],
        times: SwapTimes,
    ) -> None:
        self.models = {
            id_: ModelRecord(models[id_], priority.get(id_, 0))
            for id_ in sorted(models)
        }
        self.swaps: dict[ModelId, Swap] = {}
        self.waiting: dict[ModelId, ModelRecord] = {}
        self.running: dict[ModelId, ModelRecord] = {}
        self.model_of: dict[TicketId, ModelId] = {}
        self.times = times
        self._places = Places()
        self._runs = 0
        self._effects: list[Effect] = []
        self._live: list[ModelId] | None = None
        self._states: Mapping[ModelId, ProcessState] | None = None

    # -- looking ---------------------------------------------------------------

    def model_with(self, ticket: TicketId) -> ModelRecord | None:
        """Return the model that a ticket waits for or is served by, if any."""
        id_ = self.model_of.get(ticket)
        return None if id_ is None else self.models.get(id_)

    def beside(self, model: ModelRecord) -> list[ModelId]:
        """Return what runs or is to run beside *model*, as planners want it.

        Every other model that is not stopped, plus the targets of swaps; sorted.
        """
        if self._live is None:
            live = {id_ for id_, m in self.running.items() if not m.is_removed}
            self._live = sorted(live | self.swaps.keys())
        return [id_ for id_ in self._live if id_ != model.id]

    def colliding_swaps(
        self, model: ModelRecord, evict: Collection[ModelId]
    ) -> list[Swap]:
        """Return the swaps in flight that one to *model* cannot go beside (rule 4)."""
        return [
            swap
            for swap in self.swaps.values()
            if swap.target.id in evict
            or model.id in swap.evict
            or not swap.stopping.isdisjoint(evict)
        ]

    def is_leased(self, models: Iterable[ModelId]) -> bool:
        """Tell whether one of *models* serves a request."""
        return any(self.models[id_].leases for id_ in models)

    def states(self) -> Mapping[ModelId, ProcessState]:
        """Return every model's state, in order of ids; another one when it differs."""
        if self._states is None:
            states = {id_: model.shown_state for id_, model in self.models.items()}
            self._states = MappingProxyType(states)
        return self._states

    def place_of(self, ticket: TicketId) -> int | None:
        """Return ``Queued.position`` of a ticket, None if it does not wait."""
        model = self.model_with(ticket)
        if model is None or ticket in model.leases:
            return None
        return self._places.find(model.rank, ticket) if ticket in model.queue else 0

    def next_load(self, order: Iterable[ModelId]) -> ModelId | None:
        """Return whose room is being made, else the first of *order* that must load."""
        targets = (swap.target for swap in self.swaps.values() if swap.stopping)
        waiting = (self.waiting[id_] for id_ in order if id_ in self.waiting)
        loading = (m.id for m in chain(targets, waiting) if m.state is _STOPPED)
        return next(loading, None)

    def changed(self) -> None:
        """Note that models came or went, or changed their ways."""
        self._live = self._states = None

    # -- tickets ---------------------------------------------------------------

    def enqueue(self, model: ModelRecord, ticket: Ticket) -> None:
        """Put a ticket into the model's queue, after those of smaller numbers."""
        self.model_of[ticket.id] = model.id
        self.requeue(model, {ticket.id: ticket})

    def requeue(self, model: ModelRecord, tickets: Mapping[TicketId, Ticket]) -> None:
        """Put known tickets into the queue (again), where their age puts them."""
        if not tickets:
            return
        last = next(reversed(model.queue), TicketId(0))
        model.queue.update(tickets)
        self._places.add(model.rank, tickets)
        if next(iter(tickets)) < last:
            model.queue = dict(sorted(model.queue.items()))
        self.waiting[model.id] = model

    def take_queue(self, model: ModelRecord) -> dict[TicketId, Ticket]:
        """Empty the model's queue and return what was in it."""
        queue, model.queue = model.queue, {}
        if queue:
            self._places.remove(model.rank, queue)
        self._not_waiting(model)
        return queue

    def forget(self, model: ModelRecord, ticket: TicketId) -> None:
        """Take a waiting ticket out of queue and swap."""
        del self.model_of[ticket]
        if model.queue.pop(ticket, None) is not None:
            self._places.remove(model.rank, (ticket,))
            if not model.queue:
                self._not_waiting(model)
        swap = self.swaps.get(model.id)
        if swap is not None:
            swap.waiters.pop(ticket, None)

    def grant(
        self, model: ModelRecord, tickets: Mapping[TicketId, Ticket], now: float
    ) -> None:
        """Lease the present run to *tickets*."""
        model.leases.update(dict.fromkeys(tickets, now))
        self._effects.extend(Grant(t, model.run) for t in tickets.values())

    def serve(self, model: ModelRecord, ticket: Ticket, now: float) -> None:
        """Lease the present run to a ticket that comes and has not waited."""
        self.model_of[ticket.id] = model.id
        model.leases[ticket.id] = now
        self._effects.append(Grant(ticket, model.run))

    def end_lease(
        self,
        model: ModelRecord,
        ticket: TicketId,
        now: float,
        *,
        is_usual: bool = True,
    ) -> None:
        """Note that a request has been served, which tells how long they take."""
        del self.model_of[ticket]
        took_s = now - model.leases.pop(ticket)
        if is_usual:
            usual_s = took_s if model.usual_s is None else model.usual_s
            model.usual_s = usual_s + (took_s - usual_s) * _LATEST_COUNTS
        if not model.leases:
            model.idle_since = now

    def rerank(
        self,
        model: ModelRecord,
        claim: frozenset[ModelId] | None,
        priority: int | None = None,
    ) -> None:
        """Give a model another claim or priority, and its tickets their places."""
        before = model.rank
        model.claim = claim
        if priority is not None:
            model.priority = priority
        if model.queue and model.rank != before:
            self._places.remove(before, model.queue)
            self._places.add(model.rank, model.queue)

    def refuse(self, tickets: Mapping[TicketId, Ticket], error: RequestError) -> None:
        """Answer *tickets* with *error*."""
        for ticket in tickets.values():
            del self.model_of[ticket.id]
            self._effects.append(Refuse(ticket, error))

    def refuse_waiting(self, model: ModelRecord, error: RequestError) -> None:
        """Refuse everybody who waits for the model and forget its swap."""
        if model.id in self.swaps:
            self.refuse(self.end_swap(model).waiters, error)
        self.refuse(self.take_queue(model), error)

    def _not_waiting(self, model: ModelRecord) -> None:
        self.waiting.pop(model.id, None)
        model.claim = model.not_before = None  # nobody is filed under the rank

    # -- swaps and runs --------------------------------------------------------

    def begin_swap(self, target: ModelRecord, evict: Iterable[ModelId]) -> Swap:
        """Begin to make room for *target*; its queue waits for the swap now."""
        gone = frozenset(evict)
        stopping = set(gone)
        if target.state is _STOPPING:
            stopping.add(target.id)
        swap = Swap(target, gone, stopping, self.take_queue(target))
        self.swaps[target.id] = swap
        self._live = None
        return swap

    def end_swap(self, target: ModelRecord) -> Swap:
        """Forget the swap to *target* and return it."""
        self._live = None
        return self.swaps.pop(target.id)

    def start(self, model: ModelRecord, now: float) -> None:
        """Start a new run."""
        self._runs += 1
        model.run = RunId(self._runs)
        model.running = model.config
        model.state, model.began_s = _STARTING, now  # STOPPED -> STARTING
        model.doubted_until = 0.0
        self.running[model.id] = model
        self.changed()
        self._effects.append(StartModel(model.id, model.run))

    def ready(self, model: ModelRecord, now: float) -> None:
        """Note that the run is ready."""
        known = self.times.get(model.id)
        self.times.put(model.id, known.loaded_in(now - model.began_s))
        model.failures.forget()
        model.state, model.idle_since = _READY, now  # STARTING -> READY
        self._states = None

    def ended(self, model: ModelRecord, now: float) -> None:
        """Note that the run has ended by itself; what is left of it is cleaned up."""
        model.state, model.began_s = _STOPPING, now  # STARTING, READY -> STOPPING
        self._states = None

    def stop(
        self,
        model: ModelRecord,
        reason: StopReason,
        now: float,
        target: ModelId | None = None,
    ) -> None:
        """Stop what runs or starts; nothing else."""
        if model.state in {_STARTING, _READY}:
            model.is_measured = model.state is _READY
            self.ended(model, now)
            self._effects.append(StopModel(model.id, model.run, reason, target))

    def gone(self, model: ModelRecord, now: float) -> None:
        """Note that nothing is left of the run."""
        if model.is_measured:  # others end in their own way
            known = self.times.get(model.id)
            self.times.put(model.id, known.stopped_in(now - model.began_s))
        model.state, model.retires_at = _STOPPED, None  # STOPPING -> STOPPED
        model.is_measured = False
        self.running.pop(model.id, None)
        self.changed()

    def forget_if_gone(self, model: ModelRecord) -> None:
        """Forget a removed model once nothing of it is left."""
        if model.is_removed and model.state is _STOPPED and not model.leases:
            del self.models[model.id]
            self.changed()
            self._effects.append(ForgetModel(model.id))

    # -- effects ---------------------------------------------------------------

    def say(self, effect: Effect) -> None:
        """Have the router carry out *effect*."""
        self._effects.append(effect)

    def take_effects(self) -> list[Effect]:
        """Return what is to be carried out, once."""
        effects, self._effects = self._effects, []
        return effects
