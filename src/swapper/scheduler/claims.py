"""Bounded waiting: whose turn is owed, and what nobody may do meanwhile (rule 7).

A model whose oldest ticket has waited for ``max_wait_s`` is *overdue*. It gets a
claim: the models that its start is going to stop. For whoever came later, a claim
counts like a swap in flight, though nothing stops yet:

* a claimed model is granted to nobody, and nobody joins its load;
* no swap stops a claimed model;
* no model starts beside which the claim would not do any more.

So the leases on claimed models run out, and the swap starts. A claim is kept, even if
the planner would now choose others, because those chosen first have begun to run out.
It is made anew only when an older claim has taken what was to stay.

Claims are ordered by the age of their oldest ticket, whatever the priorities. The
oldest waits for nobody, so there is no deadlock; and whoever has had its turn is
younger than all who still wait. docs/design/router.md has the bound and its proof.
"""

from collections.abc import Iterator, Sequence

from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.planner.base import Planner, Standing
from swapper.scheduler.board import Board
from swapper.scheduler.records import ModelRecord

_READY = ProcessState.READY
_STOPPING = ProcessState.STOPPING


class Claims:
    """Knows who is overdue. Router thread only.

    Attributes:
        max_wait_s: 0 switches it off.
        planner: may be replaced by one that knows more; a claim that will not do any
            more by the new one is made anew.
    """

    def __init__(self, board: Board, planner: Planner, max_wait_s: float) -> None:
        self.max_wait_s = max_wait_s
        self._board = board
        self.planner = planner
        self._owed: list[ModelRecord] = []
        self._now = 0.0

    def change(self, planner: Planner, max_wait_s: float) -> None:
        """Take over another configuration; claims are made anew."""
        self.planner, self.max_wait_s = planner, max_wait_s
        for model in self._owed:
            self._board.rerank(model, None)
        self._owed = []

    def refresh(self, now: float) -> Sequence[ModelRecord]:
        """Note who has become overdue; return all who are, the oldest first."""
        self._now = now
        if not (self._owed or self._board.waiting):
            return ()
        waiting, wait_s = self._board.waiting.values(), self.max_wait_s
        if wait_s > 0:
            owed = [m for m in waiting if m.oldest.arrived_s + wait_s <= now]
            owed.sort(key=_age)
        else:
            owed = []
        if owed != self._owed:
            for model in self._owed:
                if model not in owed:
                    self._board.rerank(model, None)
            self._owed = owed
        for model in owed:
            if model.claim is None:
                evict = self._ask(model, self._board.beside(model))
                self._board.rerank(model, frozenset(evict))
        return owed

    def eviction_for(self, model: ModelRecord) -> tuple[ModelId, ...]:
        """Return whom a start of *model* stops now, one that waits."""
        beside = self._board.beside(model)
        if model.claim is None:
            return self._ask(model, beside)
        staying = [id_ for id_ in beside if id_ not in model.claim]
        if self._ask(model, staying):  # an older claim has changed what runs
            model.claim = frozenset(self._ask(model, beside))
        return tuple(id_ for id_ in beside if id_ in model.claim)

    def holds(self, model: ModelRecord) -> bool:
        """Tell whether the room of a running or loading model is owed to another.

        Only to one that waits longer than the first of *model*'s own queue.
        """
        return any(model.id in claim for _, claim in self._before(model))

    def forbids(self, model: ModelRecord, evict: Sequence[ModelId]) -> bool:
        """Tell whether a start that stops *evict* would put off an older claim."""
        for owed, claim in self._before(model):
            if model.id in claim or not claim.isdisjoint(evict):
                return True
            staying = {id_ for id_ in self._board.beside(owed) if id_ not in claim}
            if self._ask(owed, sorted(staying | {model.id})):
                return True
        return False

    def first_before(
        self, model: ModelRecord, evict: Sequence[ModelId]
    ) -> ModelId | None:
        """Return the oldest model whose claim keeps *model* waiting, if any does."""
        for owed, claim in self._before(model):
            if model.id in claim or not claim.isdisjoint(evict):
                return owed.id
        return None

    def is_claimed(self, model: ModelRecord) -> bool:
        """Tell whether the room of *model* is owed to anybody."""
        return any(model.id in (owed.claim or ()) for owed in self._owed)

    def next_deadline(self) -> float | None:
        """Return when the next model becomes overdue, None for never."""
        if self.max_wait_s <= 0 or not self._board.waiting:
            return None
        waiting = self._board.waiting.values()
        arrived_s = [m.oldest.arrived_s for m in waiting if m.claim is None]
        return min(arrived_s) + self.max_wait_s if arrived_s else None

    def _before(
        self, model: ModelRecord
    ) -> Iterator[tuple[ModelRecord, frozenset[ModelId]]]:
        """Yield the claims that are older than *model*'s queue, the oldest first."""
        age = _age(model)
        for owed in self._owed:
            if not owed.queue or owed.claim is None:
                continue  # it has had its turn a moment ago
            if _age(owed) >= age:
                return
            yield owed, owed.claim

    def _ask(
        self, model: ModelRecord, running: Sequence[ModelId]
    ) -> tuple[ModelId, ...]:
        if not running:
            return ()
        is_ready = model.shown_state is _READY
        return self.planner.eviction_for(
            model.id, running, target_is_running=is_ready, standing=self._standing
        )

    def _standing(self, id_: ModelId) -> Standing:
        """Return what a planner may weigh of a model that runs or is to run."""
        board = self._board
        model, swap = board.models[id_], board.swaps.get(id_)
        is_idle = model.state is _READY and not model.leases
        return Standing(
            load_s=board.times.get(id_).load_s,
            idle_s=max(0.0, self._now - model.idle_since) if is_idle else 0.0,
            is_busy=bool(model.leases) or (swap is not None and bool(swap.waiters)),
            # A load that nobody waits for is called off as soon as it is in the way.
            is_leaving=not swap.waiters if swap else model.state is _STOPPING,
        )


def _age(model: ModelRecord) -> int:
    return model.oldest.id
