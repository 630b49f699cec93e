"""What the waiting wait for, in words, and until when, as far as anybody can know.

The estimates add up what was measured: loads, stops, and how long a model's requests
usually take. They are for people; nothing is decided by them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.scheduler.base import SwapPolicy, WaitingModel
from swapper.scheduler.board import Board
from swapper.scheduler.claims import Claims
from swapper.scheduler.records import ModelRecord, Swap

_STARTING = ProcessState.STARTING
_READY = ProcessState.READY


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What a model's queue has ahead of it."""

    evict: Sequence[ModelId]
    colliding: Sequence[Swap]
    ready_at: float | None


class Outlooks:
    """Looks ahead from one moment. Makes no moves."""

    def __init__(
        self,
        board: Board,
        claims: Claims,
        policy: SwapPolicy,
        order: Iterable[ModelRecord],
        now: float,
    ) -> None:
        """Look.

        Args:
            board: of the scheduler.
            claims: likewise.
            policy: likewise.
            order: the models with a queue, those first that go first.
            now: on the router's clock.
        """
        self._board = board
        self._claims = claims
        self._policy = policy
        self._now = now
        self._taken: dict[ModelId, float | None] = {}  # until when by those ahead
        self._leaving = sorted(m.id for m in board.running.values() if m.is_leaving)
        # When each can serve, on the router's clock; None if something on the way
        # there was never measured.
        self._loaded = {id_: self._loaded_at(s) for id_, s in board.swaps.items()}
        self._ahead = {model.id: self._of_queue(model) for model in order}

    def estimate_s(
        self, model: ModelId, now: float, *, is_loading: bool
    ) -> float | None:
        """Return the seconds from *now* on until a model's waiting tickets are served.

        Args:
            model: which.
            now: on the router's clock.
            is_loading: of the tickets that wait for its load, not of the queue.
        """
        at = self._loaded[model] if is_loading else self._ahead[model].ready_at
        return None if at is None else max(0.0, at - now)

    def waiting(self) -> list[WaitingModel]:
        """Return everybody who waits, by model."""
        found = []
        for id_, swap in self._board.swaps.items():
            tickets = tuple(swap.waiters.values())
            estimate_s = self.estimate_s(id_, self._now, is_loading=True)
            why = self._why_loading(swap)
            found.append(WaitingModel(id_, None, tickets, why, estimate_s))
        for id_, ahead in self._ahead.items():
            model = self._board.models[id_]
            tickets = tuple(model.queue.values())
            estimate_s = self.estimate_s(id_, self._now, is_loading=False)
            why = self._why_queued(model, ahead)
            found.append(WaitingModel(id_, model.rank, tickets, why, estimate_s))
        return [entry for entry in found if entry.tickets]

    # -- loads in flight ---------------------------------------------------------

    def _why_loading(self, swap: Swap) -> str:
        if swap.stopping:
            return f"waits for {_names(sorted(swap.stopping))} to stop"
        return f"{swap.target.id} is loading"

    def _loaded_at(self, swap: Swap) -> float | None:
        target = swap.target
        load_s = self._board.times.get(target.id).load_s
        if target.state is _STARTING:
            return _after(target.began_s, load_s, at_least=self._now)
        stopped = [self._stopped_at(self._board.models[id_]) for id_ in swap.stopping]
        return _after(
            _latest(self._now, stopped), 0.0 if target.state is _READY else load_s
        )

    def _stopped_at(self, model: ModelRecord) -> float | None:
        stop_s = self._board.times.get(model.id).stop_s
        return _after(model.began_s, stop_s, at_least=self._now)

    # -- queues ------------------------------------------------------------------

    def _of_queue(self, model: ModelRecord) -> _Ahead:
        board = self._board
        evict = self._claims.eviction_for(model)
        colliding = board.colliding_swaps(model, evict)
        free = [self._free_at(swap, evict) for swap in colliding]
        free += [self._idle_at(board.models[id_]) for id_ in evict]
        taken = self._taken
        free += [taken[id_] for id_ in (*evict, model.id) if id_ in taken]
        began_at = _latest(self._now, free)
        stops = [board.times.get(id_).stop_s for id_ in evict]
        load_s = 0.0 if model.state is _READY else board.times.get(model.id).load_s
        ready_at = _after(_after(began_at, _latest(0.0, stops)), load_s)
        # Whoever also wants this room has to wait until these requests are served.
        taken.update(dict.fromkeys(evict, _after(ready_at, model.usual_s)))
        return _Ahead(evict, colliding, ready_at)

    def _free_at(self, swap: Swap, evict: Sequence[ModelId]) -> float | None:
        """Return when a swap is no longer in the way, nor what it loads for."""
        loaded_at = self._loaded[swap.target.id]
        is_in_the_way = swap.target.id in evict and swap.waiters
        return _after(loaded_at, swap.target.usual_s if is_in_the_way else 0.0)

    def _idle_at(self, model: ModelRecord) -> float | None:
        ends = [
            _after(granted_at, model.usual_s, at_least=self._now)
            for granted_at in model.leases.values()
        ]
        return _latest(self._now, ends)

    def _why_queued(self, model: ModelRecord, ahead: _Ahead) -> str:
        board, evict, colliding = self._board, ahead.evict, ahead.colliding
        first = self._claims.first_before(model, evict)
        if first is not None:
            return f"waits for its turn after {first}, which has waited longer"
        if colliding:
            return f"waits while {_names([s.target.id for s in colliding])} is loading"
        if self._leaving:
            names = _names(self._leaving)
            return f"waits for {names} to end, which a reload has changed"
        serving = [board.models[id_] for id_ in evict if board.models[id_].leases]
        if serving:
            each = [f"{m.id} to finish {_requests(m.served)}" for m in serving]
            return f"waits for {_names(each)}"
        if model.not_before is not None:
            left_s = max(0.0, model.not_before - self._now)
            usual = f"is put off for {left_s:.1f} s, for {_names(evict)} may be wanted"
            return self._policy.why(model.id, self._now) or usual
        is_doubted = model.doubted_until > self._now
        return (
            f"waits to see whether {model.id} still runs"
            if is_doubted
            else "is about to start"
        )


def _after(
    moment: float | None, seconds: float | None, *, at_least: float = 0.0
) -> float | None:
    if moment is None or seconds is None:
        return None
    return max(at_least, moment + seconds)


def _latest(first: float, others: Iterable[float | None]) -> float | None:
    latest = first
    for other in others:
        if other is None:
            return None
        latest = max(latest, other)
    return latest


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"


def _names(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
