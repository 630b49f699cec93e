"""The one way into an owner thread: what a ``select`` over channels is in Go.

A message's class plays the part of the channel. ``queue.Queue`` would do but for
the end: it cannot be closed, so a message put after the owner left would wait for
ever. Here a message is either taken or refused, never lost.
"""

import threading
import time
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

from swapper.core.errors import InboxClosedError

M = TypeVar("M")


class Inbox(Generic[M]):
    """An unbounded first-in-first-out of messages with one reader at a time.

    ``put`` and ``wake`` may be called from any thread; the rest by the owner, or by
    whoever acts for it. Not for signal handlers: ``put`` takes a lock.

    Attributes:
        unread: the messages, the oldest first. Any thread may see whether there are
            any, which is true for a moment only; the reader may take the first.
    """

    __slots__ = ("_bell", "_closed", "_lock", "unread")

    def __init__(self) -> None:
        self.unread: deque[M] = deque()
        self._lock = threading.Lock()  # orders put against close; guards _closed
        self._closed = False
        self._bell = threading.Lock()  # released to wake a reader; held otherwise
        self._bell.acquire()

    def __len__(self) -> int:
        """Return how many messages wait; any thread, true for a moment only."""
        return len(self.unread)

    def put(self, message: M, *, wakes: bool = True) -> None:
        """Deliver *message*. Any thread; never blocks.

        Args:
            message: for the reader; not None, which is what it gets if there is none.
            wakes: False leaves a sleeping reader asleep; somebody else will read.

        Raises:
            InboxClosedError: the owner has ended; *message* was not taken.
        """
        with self._lock:
            if self._closed:
                raise InboxClosedError
            self.unread.append(message)
        if wakes:
            self.wake()

    def wake(self) -> None:
        """Have a sleeping reader look around. Any thread; never blocks."""
        if self._bell.locked():  # else rung already
            with suppress(RuntimeError):  # by somebody else just now
                self._bell.release()

    def get(self, deadline: float | None = None) -> M | None:
        """Return the next message, or None once *deadline* has passed.

        Args:
            deadline: on ``time.monotonic``; None waits for as long as it takes.
        """
        while (message := self.poll()) is None:
            if not self.wait(deadline):
                return self.poll()
        return message

    def poll(self) -> M | None:
        """Return the next message, None if there is none."""
        return self.unread.popleft() if self.unread else None

    def wait(self, deadline: float | None) -> bool:
        """Sleep until there may be a message or somebody wakes us.

        Returns:
            False if *deadline* passed first.
        """
        if self.unread:
            return True
        if deadline is None:
            return self._bell.acquire()
        return self._bell.acquire(timeout=max(0.0, deadline - time.monotonic()))

    def close(self) -> tuple[M, ...]:
        """Refuse further messages and return those not yet read, oldest first."""
        with self._lock:
            self._closed = True
            left = tuple(self.unread)
            self.unread.clear()
        return left
