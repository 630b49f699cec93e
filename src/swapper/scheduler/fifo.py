"""First come, first served, with loads shared by everybody who waits for them.

The decision tree (router.md section 4; the numbers are repeated in the code), for a
model that has waiting tickets:

1. Unknown model, or one with as many requests as it allows: refuse.
2. A swap to it is in flight: join. One load serves all callers.
3. Ready, nothing to evict, no swap is evicting it: grant.
4. It would collide with an operation in flight: wait. A swap collides if its target
   is in our evict set, if we are in its evict set, or if it is stopping a model of
   our evict set; a model that a reload retires collides with every start. A swap that
   nobody waits for any more is called off instead.
5. It would evict a model that is still serving: wait.
6. Otherwise start a swap; disjoint swaps run in parallel. What is being stopped
   already, the target's last run included, is waited for like what the swap stops.

Rules 2, 3 and 6 are restrained by two more:

7. Once the oldest ticket of a model has waited for ``max_wait_s``, its swap counts for
   later tickets as if it were in flight: whom it will evict takes no more requests,
   and nothing starts that it would have to evict (``claims.py``).
8. A policy may put the start off for a while, but not beyond that time.

All tickets of one model get the same decision, so the queue is kept per model and
decided once per model. The order of models: overdue ones first, by age; then as the
policy has it, which is usually by priority, then by the first ticket. Arrivals
A B C A B C are served A A B B C C with three loads.

A ticket that asks only for what is ready (``Admission``) is not part of the tree: it
makes no room and waits for nobody.

Every start of a process has a run number; what is reported about another run than
the present one is stale and dropped.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

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
    Grant,
    Queued,
    QueueRules,
    Refuse,
    StopReason,
    SwapPolicy,
    Ticket,
)
from swapper.scheduler.board import Board
from swapper.scheduler.claims import Claims
from swapper.scheduler.policy import FirstCome
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
        rules: QueueRules | None = None,
        policy: SwapPolicy | None = None,
    ) -> None:
        """Know the models; all of them are stopped.

        Args:
            models: every model that may be asked for.
            planner: says what must stop for a target.
            rules: who goes first; None takes the defaults.
            policy: chooses within these rules; None is first come, first served.
        """
        given = rules or QueueRules()
        self._board = Board(models, given.priority)
        self._planner = planner
        self._claims = Claims(self._board, planner, given.max_wait_s)
        self._policy: SwapPolicy = policy or FirstCome()
        self._unloads: dict[UnloadId, set[ModelId]] = {}
        self._is_shutting_down = False

    # -- facts from callers ----------------------------------------------------

    def submit(self, ticket: Ticket, now: float) -> list[Effect]:
        """Take a new ticket; see ``Scheduler.submit``."""
        self._claims.refresh(now)
        try:
            model = self._admit(ticket)
        except RequestError as error:  # (1)
            return [Refuse(ticket, error)]
        self._policy.arrived(ticket, now)
        if ticket.admission is Admission.UNCOUNTED:
            return [Grant(ticket, model.run)]
        if ticket.admission is Admission.IF_READY:
            self._board.model_of[ticket.id] = model.id
            self._board.grant(model, {ticket.id: ticket})
        else:
            self._board.enqueue(model, ticket)
            self._advance(model, now)
        return self._board.take_effects()

    def cancel(self, ticket: TicketId, now: float) -> list[Effect]:
        """Forget a waiting ticket; see ``Scheduler.cancel``."""
        model = self._board.model_with(ticket)
        if model is None or ticket in model.leases:
            return []  # granted: its lease ends by serve_done
        self._board.forget(model, ticket)
        self._drain(now)  # a load nobody waits for may now be called off
        return self._board.take_effects()

    def serve_done(self, ticket: TicketId, now: float) -> list[Effect]:
        """End a lease; see ``Scheduler.serve_done``."""
        model = self._board.model_with(ticket)
        if model is None or ticket not in model.leases:
            return []
        del self._board.model_of[ticket]
        model.leases.remove(ticket)
        if not model.leases:
            model.idle_since = now
            if model.retires_at is not None:
                self._board.stop(model, StopReason.RELOAD)
            self._board.forget_if_gone(model)
            self._drain(now)
        return self._board.take_effects()

    def unload(
        self, unload: UnloadId, models: Collection[ModelId] | None, now: float
    ) -> list[Effect]:
        """Stop models; see ``Scheduler.unload``."""
        left: set[ModelId] = set()
        for model in self._board.models.values():
            if models is not None and model.id not in models:
                continue
            error = ModelUnloadedError(self._planner.name)
            self._board.refuse_waiting(model, error)
            self._board.stop(model, StopReason.UNLOAD)
            if model.state is not _STOPPED:
                left.add(model.id)
        self._unloads[unload] = left
        self._answer_unloads()
        self._drain(now)
        return self._board.take_effects()

    def reload(
        self,
        models: Mapping[ModelId, ModelConfig],
        planner: Planner,
        rules: QueueRules,
        now: float,
    ) -> list[Effect]:
        """Take over another configuration; see ``Scheduler.reload``."""
        board = self._board
        self._planner = planner
        self._claims.change(planner, rules.max_wait_s)
        for swap in list(board.swaps.values()):
            if swap.target.state is not _STARTING:
                self._dissolve(swap)  # the new planner decides whom it evicts
        for id_, config in models.items():
            model = board.models.setdefault(id_, ModelRecord(config, 0))
            model.config, model.is_removed = config, False
            model.priority = rules.priority.get(id_, 0)
            self._retire(model, now, keep=model.running.process == config.process)
        for model in [m for m in board.models.values() if m.id not in models]:
            model.is_removed = True
            board.refuse_waiting(model, ModelRemovedError(model.id))
            self._retire(model, now, keep=False)
            board.forget_if_gone(model)
        board.models = dict(sorted(board.models.items()))
        board.changed()
        self._drain(now)
        return board.take_effects()

    def shutdown(self, now: float) -> list[Effect]:  # noqa: ARG002 - the Protocol's shape
        """Refuse everything from here on and stop all models."""
        self._is_shutting_down = True
        for model in self._board.models.values():
            error = ShuttingDownError(self._planner.name)
            self._board.refuse_waiting(model, error)
            self._board.stop(model, StopReason.SHUTDOWN)
        return self._board.take_effects()

    # -- facts from processes --------------------------------------------------

    def started(
        self, model: ModelId, run: RunId, error: ProcessError | None, now: float
    ) -> list[Effect]:
        """Note the end of a start; see ``Scheduler.started``."""
        target = self._board.models.get(model)
        if target is None or target.run != run or target.state is not _STARTING:
            return []  # stale: this start was called off
        swap = self._board.end_swap(target)
        if error is None:
            target.state, target.idle_since = _READY, now  # STARTING -> READY
            self._board.grant(target, swap.waiters)
        else:
            target.state = _STOPPING  # STARTING -> STOPPING: the rest is cleaned up
            self._board.refuse(swap.waiters, error)
        self._drain(now)
        return self._board.take_effects()

    def exited(self, model: ModelId, run: RunId, now: float) -> list[Effect]:  # noqa: ARG002 - the Protocol's shape
        """Note that a ready process ended by itself; see ``Scheduler.exited``."""
        target = self._board.models.get(model)
        if target is None or target.run != run or target.state is not _READY:
            return []
        target.state = _STOPPING  # READY -> STOPPING
        swap = self._board.swaps.get(model)
        if swap is not None:  # ready, but its room was still being made
            swap.stopping.add(model)
        return self._board.take_effects()

    def stopped(self, model: ModelId, run: RunId, now: float) -> list[Effect]:
        """Note that nothing is left of a run; see ``Scheduler.stopped``."""
        gone = self._board.models.get(model)
        if gone is None or gone.run != run or gone.state is not _STOPPING:
            return []
        self._board.gone(gone)
        for left in self._unloads.values():
            left.discard(model)
        self._answer_unloads()
        for swap in list(self._board.swaps.values()):
            if model in swap.stopping:
                swap.stopping.remove(model)
                self._load_when_clear(swap, now)
        self._board.forget_if_gone(gone)
        self._drain(now)
        return self._board.take_effects()

    # -- time ------------------------------------------------------------------

    def tick(self, now: float) -> list[Effect]:
        """Do what is due: idle stops, turns that are owed; see ``Scheduler.tick``."""
        for model in list(self._board.running.values()):
            if model.retires_at is not None and model.retires_at <= now:
                self._board.stop(model, StopReason.RELOAD)
            expiry = self._idle_expiry(model)
            if expiry is not None and expiry <= now:
                self._board.stop(model, StopReason.IDLE)
        self._drain(now)
        return self._board.take_effects()

    def next_deadline(self) -> float | None:
        """Return when the next thing is due, None for never."""
        times = [self._claims.next_deadline()]
        times += [model.not_before for model in self._board.waiting.values()]
        for model in self._board.running.values():
            times += [self._idle_expiry(model), self._retirement(model)]
        return min((at for at in times if at is not None), default=None)

    # -- what others may see ---------------------------------------------------

    def states(self) -> dict[ModelId, ProcessState]:
        """Return a copy of every model's state, in order of ids."""
        return {id_: model.shown_state for id_, model in self._board.models.items()}

    def queue(self) -> list[Queued]:
        """Return the waiting tickets, those waiting for room in queue order."""
        loading = [
            Queued(ticket, 0)
            for swap in self._board.swaps.values()
            for ticket in swap.waiters.values()
        ]
        blocked = [
            (-model.priority, ticket.id, ticket)
            for model in self._board.waiting.values()
            for ticket in model.queue.values()
        ]
        return loading + [
            Queued(ticket, place)
            for place, (_, _, ticket) in enumerate(sorted(blocked), 1)
        ]

    @property
    def is_at_rest(self) -> bool:
        """Return whether every model is stopped."""
        return not self._board.running

    # -- the decision tree -----------------------------------------------------

    def _drain(self, now: float) -> None:
        """Decide anew for every model with waiting tickets, in queue order."""
        owed = self._claims.refresh(now)
        others = [m for m in self._board.waiting.values() if m.claim is None]
        for model in (*owed, *self._policy.order(others, now)):
            waiting = self._board.waiting.get(model.id)
            if waiting is not None:
                self._advance(waiting, now)

    def _advance(self, model: ModelRecord, now: float) -> None:
        """Take the waiting tickets of one model as far as they can go now."""
        board = self._board
        model.not_before = None
        joined = board.swaps.get(model.id)
        if joined is not None:  # (2)
            if not self._claims.holds(model):  # (7)
                joined.waiters |= board.take_queue(model)
            return
        evict = self._claims.eviction_for(model)
        colliding = self._colliding_swaps(model, evict)
        # What a reload retires may hold the memory or the port we need.
        is_in_the_way = any(m.is_leaving for m in board.running.values())
        is_up = model.shown_state is _READY
        if is_up and self._claims.holds(model):  # (7)
            return
        if is_up and not evict and not colliding:  # (3)
            board.grant(model, board.take_queue(model))
        elif colliding or is_in_the_way:  # (4)
            if self._call_off(swap for swap in colliding if not swap.waiters):
                self._advance(model, now)
        elif not board.is_leased(evict) and self._may_start(model, evict, now):  # (5)
            self._start_swap(model, evict, now)  # (6)

    def _may_start(
        self, model: ModelRecord, evict: Sequence[ModelId], now: float
    ) -> bool:
        if self._claims.forbids(model, evict):  # (7)
            return False
        if model.claim is None:
            evicted = [self._board.models[id_] for id_ in evict]
            begins_at = self._policy.not_before(model, evicted, now)
            if begins_at > now:  # (8)
                model.not_before = begins_at
        return model.not_before is None

    def _colliding_swaps(
        self, model: ModelRecord, evict: Collection[ModelId]
    ) -> list[Swap]:
        return [
            swap
            for swap in self._board.swaps.values()
            if swap.target.id in evict
            or model.id in swap.evict
            or not swap.stopping.isdisjoint(evict)
        ]

    def _start_swap(
        self, target: ModelRecord, evict: Collection[ModelId], now: float
    ) -> None:
        swap = self._board.begin_swap(target, evict)
        for id_ in evict:
            self._board.stop(self._board.models[id_], StopReason.SWAP, target.id)
        self._load_when_clear(swap, now)

    def _load_when_clear(self, swap: Swap, now: float) -> None:
        target = swap.target
        if swap.stopping:
            return
        if target.state is _READY:  # it only needed the others to go
            self._board.end_swap(target)
            target.idle_since = now
            self._board.grant(target, swap.waiters)
            return
        self._board.start(target)

    def _call_off(self, swaps: Iterable[Swap]) -> bool:
        """Abort loads that nobody waits for; return whether there was one."""
        called_off = list(swaps)
        for swap in called_off:
            self._board.end_swap(swap.target)
            if swap.target.state is _STARTING:
                self._board.stop(swap.target, StopReason.ABORT)
        return bool(called_off)

    # -- reload --------------------------------------------------------------------

    def _dissolve(self, swap: Swap) -> None:
        """Have the waiters of *swap* decided anew; what it stops goes on stopping."""
        self._board.end_swap(swap.target)
        self._board.requeue(swap.target, swap.waiters)

    def _retire(self, model: ModelRecord, now: float, *, keep: bool) -> None:
        """Let a run end that the newest configuration would not make, or keep it."""
        if keep or model.state is _STOPPED:
            model.retires_at = None
            return
        swap = self._board.swaps.get(model.id)
        if swap is not None:
            self._dissolve(swap)
        if model.retires_at is None:
            model.retires_at = now + model.running.unload_timeout_s
        if model.state is _STARTING or not model.leases:  # leases of an earlier run
            self._board.stop(model, StopReason.RELOAD)

    # -- small moves -----------------------------------------------------------

    def _admit(self, ticket: Ticket) -> ModelRecord:
        """Return the model if it may have one more request, else raise why not."""
        if self._is_shutting_down:
            raise ShuttingDownError(self._planner.name)
        model = self._board.models.get(ticket.model)
        if model is None or model.is_removed:
            raise NotFoundError("no local server found for requested model")
        if ticket.admission is not Admission.SERVE and model.shown_state is not _READY:
            raise ModelNotLoadedError(model.id)
        if ticket.admission is Admission.UNCOUNTED:
            return model
        if ticket.admission is Admission.IF_READY and self._claims.is_claimed(model):
            raise ModelNotLoadedError(model.id, "it is about to make room")  # (7)
        swap = self._board.swaps.get(model.id)
        waiting = model.queued + (len(swap.waiters) if swap else 0)
        if waiting + model.served >= model.config.max_requests:
            raise ConcurrencyLimitError
        return model

    def _idle_expiry(self, model: ModelRecord) -> float | None:
        is_idle = not (model.leases or model.queue or model.id in self._board.swaps)
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
            self._board.say(AnswerUnload(unload))
