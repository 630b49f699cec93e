"""An upstream's body on its way to the client."""

import logging
from collections.abc import Callable, Iterable

from swapper.core.errors import UpstreamError
from swapper.relay import UpstreamResponse

logger = logging.getLogger(__name__)

_PIECE_BYTES = 65536


def relayed(answer: UpstreamResponse, on_end: Callable[[], None]) -> Iterable[bytes]:
    """Return the body: a list if all of it came with the head, for a single send."""
    ready = answer.read_ready()
    if answer.is_complete:
        answer.close()
        on_end()
        return [ready]
    return RelayedBody(answer, on_end, ready)


class RelayedBody:
    """An iterator over the pieces as they come.

    Ends the lease when the last byte has been read, not when the server gets round
    to closing the iterator; ``close`` is the second chance. An iterator class, because
    a generator that was never started skips its ``finally``.
    """

    def __init__(
        self, answer: UpstreamResponse, on_end: Callable[[], None], ready: bytes
    ) -> None:
        self._answer = answer
        self._on_end = on_end
        # Read already, so handed on first; even if it is empty, because an empty piece
        # has gunicorn send the head, as our server does without being asked.
        self._ready: bytes | None = ready

    def __iter__(self) -> "RelayedBody":
        """Return itself."""
        return self

    def __next__(self) -> bytes:
        """Return what the upstream has sent, as soon as there is anything.

        Raises:
            UpstreamError: the upstream broke off; the server then closes the
                connection so that the client sees it too.
        """
        if self._ready is not None:
            ready, self._ready = self._ready, None
            return ready
        try:
            piece = self._answer.read1(_PIECE_BYTES)
        except UpstreamError as exc:
            logger.warning("response truncated: %s", exc)
            self.close()
            raise
        if not piece:
            self.close()
            raise StopIteration
        return piece

    def close(self) -> None:
        """Give the connection back or cut it, and end the lease. Idempotent."""
        self._answer.close()
        self._on_end()
