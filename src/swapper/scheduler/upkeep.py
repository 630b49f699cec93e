"""Which runs end though nobody needs their room: idle ones, and those a reload made old.

And what becomes of loads that still make room when the rules change.
"""

from collections.abc import Mapping

from swapper.config.schema import ModelConfig
from swapper.core.errors import ModelRemovedError
from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.planner.base import Planner
from swapper.scheduler.base import StopReason
from swapper.scheduler.board import Board
from swapper.scheduler.records import ModelRecord, Swap

_STOPPED = ProcessState.STOPPED
_STARTING = ProcessState.STARTING
_READY = ProcessState.READY
_LIVE = (_STARTING, _READY)


def stop_what_is_due(board: Board, now: float) -> None:
    """Stop what has been idle for its ``ttl``, and retired runs whose time is over."""
    for model in list(board.running.values()):
        if model.retires_at is not None and model.retires_at <= now:
            board.stop(model, StopReason.RELOAD, now)
        expiry = _idle_expiry(board, model)
        if expiry is not None and expiry <= now:
            board.stop(model, StopReason.IDLE, now)


def next_due(board: Board) -> float | None:
    """Return when the next stop is due, or what only time put off; None for never."""
    times = []
    for model in board.running.values():
        expiry = None if model.leases else _idle_expiry(board, model)
        if expiry is not None:
            times.append(expiry)
        if model.retires_at is not None and model.state in _LIVE:
            times.append(model.retires_at)
    for model in board.waiting.values():
        if model.not_before is not None:
            times.append(model.not_before)
        if model.doubted_until:
            times.append(model.doubted_until)
    return min(times) if times else None


def retire(board: Board, model: ModelRecord, now: float, *, keep: bool) -> None:
    """Let a run end that the newest configuration would not make, or keep it."""
    if keep or model.state is _STOPPED:
        model.retires_at = None
        return
    swap = board.swaps.get(model.id)
    if swap is not None:
        dissolve(board, swap)
    if model.retires_at is None:
        model.retires_at = now + model.running.unload_timeout_s
    if model.state is _STARTING or not model.leases:  # leases of an earlier run
        board.stop(model, StopReason.RELOAD, now)


def take_over(
    board: Board,
    models: Mapping[ModelId, ModelConfig],
    priority: Mapping[ModelId, int],
    now: float,
) -> None:
    """Take over the definitions of a reload; retire what runs by another one."""
    for id_, config in models.items():
        model = board.models.setdefault(id_, ModelRecord(config, 0))
        model.config, model.is_removed = config, False
        model.failures.forget()
        board.rerank(model, None, priority.get(id_, 0))
        retire(board, model, now, keep=model.running.process == config.process)
    for model in [m for m in board.models.values() if m.id not in models]:
        model.is_removed = True
        board.refuse_waiting(model, ModelRemovedError(model.id))
        retire(board, model, now, keep=False)
        board.forget_if_gone(model)
    board.models = dict(sorted(board.models.items()))
    board.changed()


def has_served(board: Board, model: ModelRecord, now: float) -> None:
    """Do what waits for a model's last lease to end."""
    if model.retires_at is not None:
        board.stop(model, StopReason.RELOAD, now)
    board.forget_if_gone(model)


def dissolve_all(board: Board, planner: Planner | None = None) -> None:
    """Have loads decided anew that still make room.

    Args:
        board: of the scheduler.
        planner: only those that by this one do not make enough; None for all.
    """
    for swap in list(board.swaps.values()):
        if swap.target.state is _STARTING:
            continue
        is_ready = swap.target.state is _READY
        staying = [id_ for id_ in board.beside(swap.target) if id_ not in swap.evict]
        if planner is None or planner.eviction_for(
            swap.target.id, staying, target_is_running=is_ready
        ):
            dissolve(board, swap)


def dissolve(board: Board, swap: Swap) -> None:
    """Have the waiters of *swap* decided anew; what it stops goes on stopping."""
    board.end_swap(swap.target)
    board.requeue(swap.target, swap.waiters)


def _idle_expiry(board: Board, model: ModelRecord) -> float | None:
    is_idle = not (model.leases or model.queue or model.id in board.swaps)
    if model.state is _READY and model.config.ttl_s > 0 and is_idle:
        return model.idle_since + model.config.ttl_s
    return None
