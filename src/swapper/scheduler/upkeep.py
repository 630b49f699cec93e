"""Which runs end though nobody needs their room: idle ones, and those a reload made old."""

from collections.abc import Iterator

from swapper.core.states import ProcessState
from swapper.scheduler.base import StopReason
from swapper.scheduler.board import Board
from swapper.scheduler.records import ModelRecord, Swap

_STOPPED = ProcessState.STOPPED
_STARTING = ProcessState.STARTING
_READY = ProcessState.READY


def stop_what_is_due(board: Board, now: float) -> None:
    """Stop what has been idle for its ``ttl``, and retired runs whose time is over."""
    for model in list(board.running.values()):
        if model.retires_at is not None and model.retires_at <= now:
            board.stop(model, StopReason.RELOAD, now)
        expiry = _idle_expiry(board, model)
        if expiry is not None and expiry <= now:
            board.stop(model, StopReason.IDLE, now)


def deadlines(board: Board) -> Iterator[float | None]:
    """Yield when something is to be stopped, None for never."""
    for model in board.running.values():
        yield _idle_expiry(board, model)
        yield model.retires_at if model.state in {_STARTING, _READY} else None


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


def dissolve(board: Board, swap: Swap) -> None:
    """Have the waiters of *swap* decided anew; what it stops goes on stopping."""
    board.end_swap(swap.target)
    board.requeue(swap.target, swap.waiters)


def _idle_expiry(board: Board, model: ModelRecord) -> float | None:
    is_idle = not (model.leases or model.queue or model.id in board.swaps)
    if model.state is _READY and model.config.ttl_s > 0 and is_idle:
        return model.idle_since + model.config.ttl_s
    return None
