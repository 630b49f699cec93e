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

Three more restrain rules 2, 3 and 6:

7. Once the oldest ticket of a model has waited for ``max_wait_s``, its swap counts for
   later tickets as if it were in flight: whom it will evict takes no more requests,
   and nothing starts that it would have to evict (``claims.py``).
8. A policy may put the start off for a while, but not beyond that time.
9. A model that has failed to start three times in a row is refused for a while
   (``failures.py``). A run that did not take a request is granted to nobody until it
   is known to have ended, or for a second.

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
from typing import Final

from swapper.config.learnt import Footprint
from swapper.config.schema import ModelConfig
from swapper.core.errors import (
    ModelUnloadedError,
    ProcessError,
    RequestError,
    ShuttingDownError,
)
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.core.states import ProcessState
from swapper.planner.base import Planner
from swapper.scheduler.admission import admitted, is_free
from swapper.scheduler.base import (
    Admission,
    AnswerUnload,
    Effect,
    Grant,
    QueueRules,
    Refuse,
    Remark,
    Standing,
    StopReason,
    SwapPolicy,
    Ticket,
    WaitingModel,
)
from swapper.scheduler.board import Board
from swapper.scheduler.claims import Claims
from swapper.scheduler.lack import answer_to
from swapper.scheduler.lessons import LearntNeeds, Lessons, MemoryNeeds
from swapper.scheduler.outlook import Outlooks
from swapper.scheduler.policy import FirstCome
from swapper.scheduler.records import ModelRecord, Swap
from swapper.scheduler.swap_times import MemorySwapTimes, SwapTimes
from swapper.scheduler.upkeep import (
    dissolve_all,
    has_served,
    next_due,
    stop_what_is_due,
    take_over,
)

DOUBT_S: Final = 1.0
"""How long a run that did not take a request has to end until it is trusted again."""

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
        times: SwapTimes | None = None,
        needs: LearntNeeds | None = None,
    ) -> None:
        """Know the models; all of them are stopped.

        Args:
            models: every model that may be asked for.
            planner: says what must stop for a target.
            rules: who goes first; None takes the defaults.
            policy: chooses within these rules; None is first come, first served.
            times: keeps how long loads and stops take; None forgets it in the end.
            needs: keeps what is learnt of their needs; likewise.
        """
        given = rules or QueueRules()
        self._board = Board(models, given.priority, times or MemorySwapTimes())
        self._lessons = Lessons(planner, models, needs or MemoryNeeds())
        self._planner = self._lessons.planner  # which knows what was learnt
        self._claims = Claims(self._board, self._planner, given.max_wait_s)
        self._policy: SwapPolicy = policy or FirstCome()
        self._unloads: dict[UnloadId, set[ModelId]] = {}
        self._is_shutting_down = False
        self._next_load: ModelId | None = None
        self._outlooks: Outlooks | None = None  # made when asked for

    # -- facts from callers ----------------------------------------------------

    def submit(self, ticket: Ticket, now: float) -> list[Effect]:
        """Take a new ticket; see ``Scheduler.submit``."""
        self._claims.refresh(now)
        try:
            model = self._admit(ticket)
        except RequestError as error:  # (1)
            return [Refuse(ticket, error)]
        if ticket.admission is Admission.LOAD:
            model.failures.forget()
        self._policy.arrived(ticket, now)
        if ticket.admission is Admission.UNCOUNTED:
            return [Grant(ticket, model.run)]
        is_at_once = ticket.admission is Admission.IF_READY
        if is_at_once or is_free(self._board, self._claims, model, now):
            self._board.serve(model, ticket, now)
        else:
            self._board.enqueue(model, ticket)
            self._advance(model, now)
            if self._next_load != model.id and len(model.queue) < 2:
                self._next_load = self._board.next_load(self._order(now))
        return self._effects()

    def cancel(self, ticket: TicketId, now: float) -> list[Effect]:
        """Forget a waiting ticket; see ``Scheduler.cancel``."""
        model = self._board.model_with(ticket)
        if model is None or ticket in model.leases:
            return []  # granted: its lease ends by serve_done
        self._board.forget(model, ticket)
        self._drain(now)  # a load nobody waits for may now be called off
        return self._effects()

    def serve_done(self, ticket: TicketId, now: float) -> list[Effect]:
        """End a lease; see ``Scheduler.serve_done``."""
        model = self._board.model_with(ticket)
        if model is None or ticket not in model.leases:
            return []
        self._board.end_lease(model, ticket, now)
        if not model.leases:
            has_served(self._board, model, now)
            self._drain(now)
        return self._effects()

    def requeue(self, ticket: Ticket, run: RunId, now: float) -> list[Effect]:
        """Queue a granted ticket again; see ``Scheduler.requeue``."""
        model = self._board.model_with(ticket.id)
        if model is None or ticket.id not in model.leases:
            return [Refuse(ticket, ShuttingDownError(self._planner.name))]
        self._board.end_lease(model, ticket.id, now, is_usual=False)
        if model.run == run:
            model.doubted_until = now + DOUBT_S
        try:
            self._admit(ticket)
        except RequestError as error:
            self._board.say(Refuse(ticket, error))
        else:
            self._board.enqueue(model, ticket)
        if not model.leases:
            has_served(self._board, model, now)
        self._drain(now)
        return self._effects()

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
            self._board.stop(model, StopReason.UNLOAD, now)
            if model.state is not _STOPPED:
                left.add(model.id)
        self._unloads[unload] = left
        self._answer_unloads()
        self._drain(now)
        return self._effects()

    def reload(
        self,
        models: Mapping[ModelId, ModelConfig],
        planner: Planner,
        rules: QueueRules,
        now: float,
    ) -> list[Effect]:
        """Take over another configuration; see ``Scheduler.reload``."""
        self._planner = self._lessons.change(planner, models)
        self._claims.change(self._planner, rules.max_wait_s)
        dissolve_all(self._board)  # the new planner decides whom they evict
        take_over(self._board, models, rules.priority, now)
        self._drain(now)
        return self._effects()

    def shutdown(self, now: float) -> list[Effect]:
        """Refuse everything from here on and stop all models."""
        self._is_shutting_down = True
        for model in self._board.models.values():
            error = ShuttingDownError(self._planner.name)
            self._board.refuse_waiting(model, error)
            self._board.stop(model, StopReason.SHUTDOWN, now)
        return self._effects()

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
            self._board.ready(target, now)
            self._board.grant(target, swap.waiters, now)
        else:
            self._board.ended(target, now)
            answer = answer_to(self._board, self._lessons, swap, error)
            self._use_lessons()
            if answer is not None:
                target.failures.add(answer, now)
                self._board.refuse(swap.waiters, answer)
        self._drain(now)
        return self._effects()

    def measured(
        self, model: ModelId, run: RunId, footprint: Footprint, now: float
    ) -> list[Effect]:
        """Note what a run held; see ``Scheduler.measured``."""
        target = self._board.models.get(model)
        if target is None or target.run != run or target.state is not _READY:
            return []
        lesson = self._lessons.measured(target.running, footprint)
        if lesson:
            self._board.say(Remark(model, lesson))
        self._use_lessons()
        self._drain(now)
        return self._effects()

    def exited(self, model: ModelId, run: RunId, now: float) -> list[Effect]:
        """Note that a ready process ended by itself; see ``Scheduler.exited``."""
        target = self._board.models.get(model)
        if target is None or target.run != run or target.state is not _READY:
            return []
        self._board.ended(target, now)
        swap = self._board.swaps.get(model)
        if swap is not None:  # ready, but its room was still being made
            swap.stopping.add(model)
        self._drain(now)  # what starts next need not wait until this is cleaned up
        return self._effects()

    def stopped(self, model: ModelId, run: RunId, now: float) -> list[Effect]:
        """Note that nothing is left of a run; see ``Scheduler.stopped``."""
        gone = self._board.models.get(model)
        if gone is None or gone.run != run or gone.state is not _STOPPING:
            return []
        self._board.gone(gone, now)
        for left in self._unloads.values():
            left.discard(model)
        self._answer_unloads()
        for swap in list(self._board.swaps.values()):
            if model in swap.stopping:
                swap.stopping.remove(model)
                self._load_when_clear(swap, now)
        self._board.forget_if_gone(gone)
        self._drain(now)
        return self._effects()

    # -- time ------------------------------------------------------------------

    def tick(self, now: float) -> list[Effect]:
        """Do what is due: idle stops, turns that are owed; see ``Scheduler.tick``."""
        stop_what_is_due(self._board, now)
        self._drain(now)
        return self._effects()

    def next_deadline(self) -> float | None:
        """Return when the next thing is due, None for never."""
        due, owed = next_due(self._board), self._claims.next_deadline()
        return owed if owed is not None and (due is None or owed < due) else due

    # -- what others may see ---------------------------------------------------

    def next_load(self) -> ModelId | None:
        """Return who will probably load next; see ``Scheduler.next_load``."""
        return self._next_load

    def states(self) -> Mapping[ModelId, ProcessState]:
        """Return every model's state; see ``Scheduler.states``."""
        return self._board.states()

    def place(self, ticket: TicketId) -> int | None:
        """Return the place of a ticket; see ``Scheduler.place``."""
        return self._board.place_of(ticket)

    def standing(self, ticket: TicketId, now: float) -> Standing | None:
        """Return where a ticket stands; see ``Scheduler.standing``."""
        position = self._board.place_of(ticket)
        if position is None:
            return None
        looks, model = self._look_ahead(now), self._board.model_of[ticket]
        estimate_s = looks.estimate_s(model, now, is_loading=position == 0)
        return Standing(position, estimate_s)

    def waiting(self, now: float) -> list[WaitingModel]:
        """Return who waits; see ``Scheduler.waiting``."""
        self._outlooks = None  # what is to be told is to be true now
        return self._look_ahead(now).waiting()

    @property
    def is_at_rest(self) -> bool:
        """Return whether every model is stopped."""
        return not self._board.running

    # -- the decision tree -----------------------------------------------------

    def _order(self, now: float) -> list[ModelId]:
        """Return the models with waiting tickets, those first that go first."""
        owed = self._claims.refresh(now)
        waiting = self._board.waiting
        if not waiting:
            self._policy.order((), now)  # which may remember that nobody waits
            return []
        others = [m for m in waiting.values() if m.claim is None]
        return [m.id for m in (*owed, *self._policy.order(others, now))]

    def _drain(self, now: float) -> None:
        """Decide anew for every model with waiting tickets, in queue order."""
        order = self._order(now)
        for id_ in order:
            waiting = self._board.waiting.get(id_)
            if waiting is not None:
                self._advance(waiting, now)
        self._next_load = self._board.next_load(order)

    def _advance(self, model: ModelRecord, now: float) -> None:
        """Take the waiting tickets of one model as far as they can go now."""
        board = self._board
        model.not_before = None
        if model.doubted_until <= now:
            model.doubted_until = 0.0
        joined = board.swaps.get(model.id)
        if joined is not None:  # (2)
            if not self._claims.holds(model):  # (7)
                joined.waiters |= board.take_queue(model)
            return
        is_up = model.shown_state is _READY
        refusal = None if is_up else model.failures.refusal(model.id, now)
        if refusal is not None:  # (9)
            board.refuse(board.take_queue(model), refusal)
            return
        evict = self._claims.eviction_for(model)
        colliding = board.colliding_swaps(model, evict)
        # What a reload retires may hold the memory or the port we need.
        is_in_the_way = any(m.is_leaving for m in board.running.values())
        if is_up and (model.doubted_until > now or self._claims.holds(model)):  # (7)
            return
        if is_up and not evict and not colliding:  # (3)
            board.grant(model, board.take_queue(model), now)
        elif colliding or is_in_the_way:  # (4)
            if self._call_off((s for s in colliding if not s.waiters), now):
                self._advance(model, now)
        elif not board.is_leased(evict) and self._may_start(model, evict, now):  # (5)
            self._start_swap(model, evict, now)  # (6)

    def _may_start(
        self, model: ModelRecord, evict: Sequence[ModelId], now: float
    ) -> bool:
        evicted = [self._board.models[id_] for id_ in evict]
        if self._claims.forbids(model, evict):  # (7)
            return False
        if any(_is_missed(other, model, now) for other in evicted):  # (9)
            return False
        if model.claim is None:
            begins_at = self._policy.not_before(model, evicted, now)
            if begins_at > now:  # (8)
                model.not_before = begins_at
        return model.not_before is None

    def _start_swap(
        self, target: ModelRecord, evict: Collection[ModelId], now: float
    ) -> None:
        alone = self._lessons.alone(target.id)
        if alone:
            self._board.say(Remark(target.id, alone))
        swap = self._board.begin_swap(target, evict)
        for id_ in evict:
            self._board.stop(self._board.models[id_], StopReason.SWAP, now, target.id)
        self._load_when_clear(swap, now)

    def _use_lessons(self) -> None:
        """Decide by what was learnt last, also on loads that still make room."""
        if self._lessons.planner is self._planner:
            return
        self._planner = self._claims.planner = self._lessons.planner
        dissolve_all(self._board, self._planner)

    def _load_when_clear(self, swap: Swap, now: float) -> None:
        target = swap.target
        if swap.stopping:
            return
        if target.state is _READY:  # it only needed the others to go
            self._board.end_swap(target)
            target.idle_since = now
            self._board.grant(target, swap.waiters, now)
            return
        self._board.start(target, now)

    def _call_off(self, swaps: Iterable[Swap], now: float) -> bool:
        """Abort loads that nobody waits for; return whether there was one."""
        called_off = list(swaps)
        for swap in called_off:
            self._board.end_swap(swap.target)
            if swap.target.state is _STARTING:
                self._board.stop(swap.target, StopReason.ABORT, now)
        return bool(called_off)

    # -- small moves -----------------------------------------------------------

    def _effects(self) -> list[Effect]:
        self._outlooks = None
        return self._board.take_effects()

    def _look_ahead(self, now: float) -> Outlooks:
        """Return what the waiting wait for, as it was after the last fact."""
        if self._outlooks is None:
            models = self._board.models
            order = [models[id_] for id_ in self._order(now)]
            self._outlooks = Outlooks(
                self._board, self._claims, self._policy, order, now
            )
        return self._outlooks

    def _admit(self, ticket: Ticket) -> ModelRecord:
        """Return the model if it may have one more request, else raise why not."""
        if self._is_shutting_down:
            raise ShuttingDownError(self._planner.name)
        return admitted(self._board, self._claims, ticket)

    def _answer_unloads(self) -> None:
        for unload in [id_ for id_, left in self._unloads.items() if not left]:
            del self._unloads[unload]
            self._board.say(AnswerUnload(unload))


def _is_missed(doubted: ModelRecord, target: ModelRecord, now: float) -> bool:
    """Tell whether a doubted run has tickets that are older than the target's."""
    is_doubted = doubted.doubted_until > now and doubted.queue
    return bool(is_doubted) and doubted.oldest.id < target.oldest.id
