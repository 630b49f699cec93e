"""The one way into an owner thread: what a ``select`` over channels is in Go.

A message's class plays the part of the channel. ``queue.Queue`` would do but for
the end: it cannot be closed, so a message put after the owner left would wait for
ever. Here a message is either taken or refused, never lost.
"""

import queue
import threading
import time
from typing import Generic, TypeVar

from swapper.core.errors import InboxClosedError

M = TypeVar("M")


class Inbox(Generic[M]):
    """An unbounded first-in-first-out of messages with one reader.

    ``put`` may be called from any thread; ``get`` and ``close`` from the owner.
    Not for signal handlers: ``put`` takes a lock.
    """

    __slots__ = ("_closed", "_lock", "_messages")

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[M] = queue.SimpleQueue()
        self._lock = threading.Lock()  # orders put against close; guards _closed
        self._closed = False

    def __len__(self) -> int:
        """Return how many messages wait, at about this moment. Any thread."""
        return self._messages.qsize()

    def put(self, message: M) -> None:
        """Deliver *message*. Any thread; never blocks.

        Raises:
            InboxClosedError: the owner has ended; *message* was not taken.
        """
        with self._lock:
            if self._closed:
                raise InboxClosedError
            self._messages.put(message)

    def get(self, deadline: float | None = None) -> M | None:
        """Return the next message, or None once *deadline* has passed.

        Args:
            deadline: on ``time.monotonic``; None waits for as long as it takes.
        """
        try:
            if deadline is None:
                return self._messages.get()
            return self._messages.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None

    def close(self) -> tuple[M, ...]:
        """Refuse further messages and return those not yet read, oldest first."""
        with self._lock:
            self._closed = True
        left = []
        while True:
            try:
                left.append(self._messages.get_nowait())
            except queue.Empty:
                return tuple(left)
