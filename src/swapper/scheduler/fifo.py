"""First come, first served, with loads shared by everybody who waits for them.

The decision tree (router.md section 4; the numbers are repeated in the code), for a
model that has waiting tickets:

1. Unknown model, or one with as many requests as it allows: refuse.
2. A swap to it is in flight: join. One load serves all callers.
3. Ready, nothing to evict, no swap is evicting it: grant.
4. It would collide with an operation in flight: wait. A swap collides if its target
   is in our evict set or we are in its evict set; a model being stopped collides if
   it is the target or in our evict set; a model that a reload retires collides with
   every start. A swap that nobody waits for any more is called off instead.
5. It would evict a model that is still serving: wait.
6. Otherwise start a swap; disjoint swaps run in parallel.

All tickets of one model get the same decision, so the queue is kept per model and
decided once per model. The order of models is that of their first ticket, higher
priority first. Arrivals A B C A B C are served A A B B C C with three loads.

A ticket that asks only for what is ready (``Admission``) is not part of the tree: it
makes no room and waits for nobody.

Every start of a process has a run number; what is reported about another run than
the present one is stale and dropped.
"""

from collections.abc import Collection, Iterable, Mapping

from swapper.config.schema import ModelConfig
from swapper.core.errors import (
    ConcurrencyLimitError,
    ModelNotLoadedError,
    ModelRemovedError,
    ModelUnloadedError,
    NotFoundError,
    ProcessError,
    RequestError,
    ShuttingDownError,
)
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.core.states import ProcessState
from swapper.planner.base import Planner
from swapper.scheduler.base import (
    Admission,
    AnswerUnload,
    Effect,
    ForgetModel,
    Grant,
    Queued,
    Refuse,
    StartModel,
    StopModel,
    StopReason,
    Ticket,
)
from swapper.scheduler.records import ModelRecord, Swap

_STOPPED = ProcessState.STOPPED
_STARTING = ProcessState.STARTING
_READY = ProcessState.READY
_STOPPING = ProcessState.STOPPING


class FifoScheduler:
    """The default strategy. Router thread only; see ``Scheduler`` for the methods."""

    def __init__(
        self,
        models: Mapping[ModelId, ModelConfig],
        planner: Planner,
        *,
        priority: Mapping[ModelId, int] | None = None,
    ) -> None:
        """Know the models; all of them are stopped.

        Args:
            models: every model that may be asked for.
            planner: says what must stop for a target.
            priority: higher goes first among waiting models; default 0.
        """
        given = priority or {}
        self._models = {
            id_: ModelRecord(models[id_], given.get(id_, 0)) for id_ in sorted(models)
        }
        self._planner = planner
        self._swaps: dict[ModelId, Swap] = {}
        self._unloads: dict[UnloadId, set[ModelId]] = {}
        self._model_of: dict[TicketId, ModelId] = {}
        self._runs = 0
        self._is_shutting_down = False
        self._effects: list[Effect] = []

    # -- facts from callers ----------------------------------------------------

    def submit(self, ticket: Ticket, now: float) -> list[Effect]:
        """Take a new ticket; see ``Scheduler.submit``."""
        try:
            model = self._admit(ticket)
        except RequestError as error:  # (1)
            return [Refuse(ticket, error)]
        if ticket.admission is Admission.UNCOUNTED:
            return [Grant(ticket, model.run)]
        self._model_of[ticket.id] = model.id
        if ticket.admission is Admission.IF_READY:
            self._grant(model, {ticket.id: ticket})
        else:
            model.queue[ticket.id] = ticket
            self._advance(model, now)
        return self._take_effects()

    def cancel(self, ticket: TicketId, now: float) -> list[Effect]:
        """Forget a waiting ticket; see ``Scheduler.cancel``."""
        model = self._models.get(self._model_of.get(ticket, ModelId("")))
        if model is None or ticket in model.leases:
            return []  # granted: its lease ends by serve_done
        del self._model_of[ticket]
        model.queue.pop(ticket, None)
        swap = self._swaps.get(model.id)
        if swap is not None:
            swap.waiters.pop(ticket, None)
        self._drain(now)  # a load nobody waits for may now be called off
        return self._take_effects()

    def serve_done(self, ticket: TicketId, now: float) -> list[Effect]:
        """End a lease; see ``Scheduler.serve_done``."""
        model = self._models.get(self._model_of.get(ticket, ModelId("")))
        if model is None or ticket not in model.leases:
            return []
        del self._model_of[ticket]
        model.leases.remove(ticket)
        if not model.leases:
            model.idle_since = now
            if model.retires_at is not None:
                self._stop(model, StopReason.RELOAD)
            self._forget_if_gone(model)
            self._drain(now)
        return self._take_effects()

    def unload(
        self, unload: UnloadId, models: Collection[ModelId] | None, now: float
    ) -> list[Effect]:
        """Stop models; see ``Scheduler.unload``."""
        left: set[ModelId] = set()
        for model in self._models.values():
            if models is not None and model.id not in models:
                continue
            self._refuse_waiting(model, ModelUnloadedError(self._planner.name))
            self._stop(model, StopReason.UNLOAD)
            if model.state is not _STOPPED:
                left.add(model.id)
        self._unloads[unload] = left
        self._answer_unloads()
        self._drain(now)
        return self._take_effects()

    def reload(
        self,
        models: Mapping[ModelId, ModelConfig],
        planner: Planner,
        priority: Mapping[ModelId, int],
        now: float,
    ) -> list[Effect]:
        """Take over another configuration; see ``Scheduler.reload``."""
        self._planner = planner
        for swap in list(self._swaps.values()):
            if swap.target.state is not _STARTING:
                self._dissolve(swap)  # the new planner decides whom it evicts
        for id_, config in models.items():
            model = self._models.setdefault(id_, ModelRecord(config, 0))
            model.config, model.is_removed = config, False
            model.priority = priority.get(id_, 0)
            self._retire(model, now, keep=model.running.process == config.process)
        for model in [m for m in self._models.values() if m.id not in models]:
            model.is_removed = True
            self._refuse_waiting(model, ModelRemovedError(model.id))
            self._retire(model, now, keep=False)
            self._forget_if_gone(model)
        self._models = dict(sorted(self._models.items()))
        self._drain(now)
        return self._take_effects()

    def shutdown(self, now: float) -> list[Effect]:  # noqa: ARG002 - the Protocol's shape
        """Refuse everything from here on and stop all models."""
        self._is_shutting_down = True
        for model in self._models.values():
            self._refuse_waiting(model, ShuttingDownError(self._planner.name))
            self._stop(model, StopReason.SHUTDOWN)
        return self._take_effects()

    # -- facts from processes --------------------------------------------------

    def started(
        self, model: ModelId, run: RunId, error: ProcessError | None, now: float
    ) -> list[Effect]:
        """Note the end of a start; see ``Scheduler.started``."""
        target = self._models.get(model)
        if target is None or target.run != run or target.state is not _STARTING:
            return []  # stale: this start was called off
        swap = self._swaps.pop(model)
        if error is None:
            target.state, target.idle_since = _READY, now  # STARTING -> READY
            self._grant(target, swap.waiters)
        else:
            target.state = _STOPPING  # STARTING -> STOPPING: the rest is cleaned up
            self._refuse(swap.waiters, error)
        self._drain(now)
        return self._take_effects()

    def exited(self, model: ModelId, run: RunId, now: float) -> list[Effect]:  # noqa: ARG002 - the Protocol's shape
        """Note that a ready process ended by itself; see ``Scheduler.exited``."""
        target = self._models.get(model)
        if target is None or target.run != run or target.state is not _READY:
            return []
        target.state = _STOPPING  # READY -> STOPPING
        swap = self._swaps.get(model)
        if swap is not None:  # ready, but its room was still being made
            swap.stopping.add(model)
        return self._take_effects()

    def stopped(self, model: ModelId, run: RunId, now: float) -> list[Effect]:
        """Note that nothing is left of a run; see ``Scheduler.stopped``."""
        gone = self._models.get(model)
        if gone is None or gone.run != run or gone.state is not _STOPPING:
            return []
        gone.state, gone.retires_at = _STOPPED, None  # STOPPING -> STOPPED
        for swap in list(self._swaps.values()):
            if model in swap.stopping:
                swap.stopping.remove(model)
                self._load_when_clear(swap, now)
        for left in self._unloads.values():
            left.discard(model)
        self._answer_unloads()
        self._forget_if_gone(gone)
        self._drain(now)
        return self._take_effects()

    # -- time ------------------------------------------------------------------

    def tick(self, now: float) -> list[Effect]:
        """Unload what has been idle for its ``ttl``; see ``Scheduler.tick``."""
        for model in self._models.values():
            if model.retires_at is not None and model.retires_at <= now:
                self._stop(model, StopReason.RELOAD)
            expiry = self._idle_expiry(model)
            if expiry is not None and expiry <= now:
                self._stop(model, StopReason.IDLE)
        return self._take_effects()

    def next_deadline(self) -> float | None:
        """Return when the first model is to be stopped, None for never."""
        times = [
            at
            for model in self._models.values()
            for at in (self._idle_expiry(model), self._retirement(model))
            if at is not None
        ]
        return min(times, default=None)

    # -- what others may see ---------------------------------------------------

    def states(self) -> dict[ModelId, ProcessState]:
        """Return a copy of every model's state, in order of ids."""
        return {id_: model.shown_state for id_, model in self._models.items()}

    def queue(self) -> list[Queued]:
        """Return the waiting tickets, those waiting for room in queue order."""
        loading = [
            Queued(ticket, 0)
            for swap in self._swaps.values()
            for ticket in swap.waiters.values()
        ]
        blocked = [
            (-model.priority, ticket.id, ticket)
            for model in self._models.values()
            for ticket in model.queue.values()
        ]
        return loading + [
            Queued(ticket, place)
            for place, (_, _, ticket) in enumerate(sorted(blocked), 1)
        ]

    @property
    def is_at_rest(self) -> bool:
        """Return whether every model is stopped."""
        return all(model.state is _STOPPED for model in self._models.values())

    # -- the decision tree -----------------------------------------------------

    def _drain(self, now: float) -> None:
        """Decide anew for every model with waiting tickets, in queue order."""
        waiting = [model for model in self._models.values() if model.queue]
        waiting.sort(key=lambda model: (-model.priority, next(iter(model.queue))))
        for model in waiting:
            self._advance(model, now)

    def _advance(self, model: ModelRecord, now: float) -> None:
        """Take the tickets of one model as far as they can go now."""
        joined = self._swaps.get(model.id)
        if joined is not None:  # (2)
            joined.waiters |= model.queue
            model.queue = {}
            return
        evict = self._planner.eviction_for(
            model.id,
            self._running_beside(model),
            target_is_running=model.shown_state is _READY,
        )
        colliding = self._colliding_swaps(model, evict)
        if model.shown_state is _READY and not evict and not colliding:  # (3)
            self._grant(model, model.queue)
            model.queue = {}
        elif colliding or self._meets_a_stop(model, evict):  # (4)
            if self._call_off(swap for swap in colliding if not swap.waiters):
                self._advance(model, now)
        elif not any(self._models[id_].leases for id_ in evict):  # (5)
            self._start_swap(model, evict, now)  # (6)

    def _running_beside(self, model: ModelRecord) -> list[ModelId]:
        return [
            other.id
            for other in self._models.values()
            if other is not model
            and not other.is_removed
            and (other.state is not _STOPPED or other.id in self._swaps)
        ]

    def _colliding_swaps(
        self, model: ModelRecord, evict: Collection[ModelId]
    ) -> list[Swap]:
        return [
            swap
            for swap in self._swaps.values()
            if swap.target.id in evict or model.id in swap.evict
        ]

    def _meets_a_stop(self, model: ModelRecord, evict: Collection[ModelId]) -> bool:
        return (
            model.state is _STOPPING
            or any(self._models[id_].state is _STOPPING for id_ in evict)
            # What a reload retires may hold the memory or the port we need.
            or any(other.is_leaving for other in self._models.values())
        )

    def _start_swap(
        self, target: ModelRecord, evict: Collection[ModelId], now: float
    ) -> None:
        swap = Swap(target, frozenset(evict), set(evict), target.queue)
        target.queue = {}
        self._swaps[target.id] = swap
        for id_ in evict:
            self._stop(self._models[id_], StopReason.SWAP, target.id)
        self._load_when_clear(swap, now)

    def _load_when_clear(self, swap: Swap, now: float) -> None:
        target = swap.target
        if swap.stopping:
            return
        if target.state is _READY:  # it only needed the others to go
            del self._swaps[target.id]
            target.idle_since = now
            self._grant(target, swap.waiters)
            return
        self._runs += 1
        target.run = RunId(self._runs)
        target.running = target.config
        target.state = _STARTING  # STOPPED -> STARTING
        self._effects.append(StartModel(target.id, target.run))

    def _call_off(self, swaps: Iterable[Swap]) -> bool:
        """Abort loads that nobody waits for; return whether there was one."""
        called_off = list(swaps)
        for swap in called_off:
            del self._swaps[swap.target.id]
            if swap.target.state is _STARTING:
                self._stop(swap.target, StopReason.ABORT)
        return bool(called_off)

    # -- reload --------------------------------------------------------------------

    def _dissolve(self, swap: Swap) -> None:
        """Have the waiters of *swap* decided anew; what it stops goes on stopping."""
        model = swap.target
        del self._swaps[model.id]
        model.queue = swap.waiters | model.queue

    def _retire(self, model: ModelRecord, now: float, *, keep: bool) -> None:
        """Let a run end that the newest configuration would not make, or keep it."""
        if keep or model.state is _STOPPED:
            model.retires_at = None
            return
        swap = self._swaps.get(model.id)
        if swap is not None:
            self._dissolve(swap)
        if model.retires_at is None:
            model.retires_at = now + model.running.unload_timeout_s
        if model.state is _STARTING or not model.leases:  # leases of an earlier run
            self._stop(model, StopReason.RELOAD)

    def _forget_if_gone(self, model: ModelRecord) -> None:
        if model.is_removed and model.state is _STOPPED and not model.leases:
            del self._models[model.id]
            self._effects.append(ForgetModel(model.id))

    # -- small moves -----------------------------------------------------------

    def _stop(
        self, model: ModelRecord, reason: StopReason, target: ModelId | None = None
    ) -> None:
        if model.state in {_STARTING, _READY}:
            model.state = _STOPPING  # STARTING, READY -> STOPPING
            self._effects.append(StopModel(model.id, model.run, reason, target))

    def _grant(self, model: ModelRecord, tickets: Mapping[TicketId, Ticket]) -> None:
        model.leases.update(tickets)
        self._effects.extend(Grant(t, model.run) for t in tickets.values())

    def _refuse(self, tickets: Mapping[TicketId, Ticket], error: RequestError) -> None:
        for ticket in tickets.values():
            del self._model_of[ticket.id]
            self._effects.append(Refuse(ticket, error))

    def _refuse_waiting(self, model: ModelRecord, error: RequestError) -> None:
        """Refuse everybody who waits for the model and forget its swap."""
        swap = self._swaps.pop(model.id, None)
        if swap is not None:
            self._refuse(swap.waiters, error)
        self._refuse(model.queue, error)
        model.queue = {}

    def _admit(self, ticket: Ticket) -> ModelRecord:
        """Return the model if it may have one more request, else raise why not."""
        if self._is_shutting_down:
            raise ShuttingDownError(self._planner.name)
        model = self._models.get(ticket.model)
        if model is None or model.is_removed:
            raise NotFoundError("no local server found for requested model")
        if ticket.admission is not Admission.SERVE and model.shown_state is not _READY:
            raise ModelNotLoadedError(model.id)
        if ticket.admission is Admission.UNCOUNTED:
            return model
        swap = self._swaps.get(model.id)
        waiting = len(model.queue) + (len(swap.waiters) if swap else 0)
        if waiting + len(model.leases) >= model.config.max_requests:
            raise ConcurrencyLimitError
        return model

    def _idle_expiry(self, model: ModelRecord) -> float | None:
        is_idle = not (model.leases or model.queue or model.id in self._swaps)
        if model.state is _READY and model.config.ttl_s > 0 and is_idle:
            return model.idle_since + model.config.ttl_s
        return None

    @staticmethod
    def _retirement(model: ModelRecord) -> float | None:
        is_running = model.state in {_STARTING, _READY}
        return model.retires_at if is_running else None

    def _answer_unloads(self) -> None:
        for unload in [id_ for id_, left in self._unloads.items() if not left]:
            del self._unloads[unload]
            self._effects.append(AnswerUnload(unload))

    def _take_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects
