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

_AT_ONCE: Final = frozenset({Admission.IF_READY, Admission.UNCOUNTED})


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
    if ticket.admission in _AT_ONCE and model.shown_state is not ProcessState.READY:
        raise ModelNotLoadedError(model.id)
    if ticket.admission is Admission.UNCOUNTED:
        return model
    if ticket.admission is Admission.IF_READY and claims.is_claimed(model):
        raise ModelNotLoadedError(model.id, "it is about to make room")  # (7)
    swap = board.swaps.get(model.id)
    waiting = model.queued + (len(swap.waiters) if swap else 0)
    if waiting + model.served >= model.config.max_requests:
        raise ConcurrencyLimitError
    return model
