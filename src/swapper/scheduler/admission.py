"""Who is let in (rule 1)."""

from typing import Final

from swapper.core.errors import (
    ConcurrencyLimitError,
    ModelNotLoadedError,
    NotFoundError,
)
from swapper.core.states import ProcessState
from swapper.scheduler.base import Admission, Ticket
from swapper.scheduler.board import Board
from swapper.scheduler.claims import Claims
from swapper.scheduler.records import ModelRecord

_AT_ONCE: Final = (Admission.IF_READY, Admission.UNCOUNTED)  # hashing takes longer
_UNCOUNTED: Final = Admission.UNCOUNTED
_READY: Final = ProcessState.READY


def admitted(board: Board, claims: Claims, ticket: Ticket) -> ModelRecord:
    """Return the ticket's model if it may have one more request.

    Raises:
        NotFoundError: there is no such model.
        ModelNotLoadedError: only a ready one would do, and it is not, or not for long.
        ConcurrencyLimitError: it has as many as it allows.
    """
    model = board.models.get(ticket.model)
    if model is None or model.is_removed:
        raise NotFoundError("no local server found for requested model")
    if ticket.admission in _AT_ONCE:
        if model.shown_state is not _READY:
            raise ModelNotLoadedError(model.id)
        if ticket.admission is _UNCOUNTED:
            return model
        if claims.is_claimed(model):
            raise ModelNotLoadedError(model.id, "it is about to make room")  # (7)
    swap = board.swaps.get(ticket.model)
    waiting = len(model.queue) + (len(swap.waiters) if swap else 0)
    if waiting + len(model.leases) >= model.config.max_requests:
        raise ConcurrencyLimitError
    return model


def is_free(board: Board, claims: Claims, model: ModelRecord, now: float) -> bool:
    """Tell whether a ticket that comes now can do without a queue: rule 3.

    Only while nobody waits and nothing loads, so that there is no claim (7) and no
    collision (4) to look at. For all else there is the tree, which would say the same.
    """
    return (
        not board.waiting
        and not board.swaps
        and model.shown_state is _READY
        and model.doubted_until <= now
        and not claims.eviction_for(model)
    )
