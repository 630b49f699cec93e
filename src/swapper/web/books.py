"""The books of requests that have ended, kept by one thread for many at a time.

Token counts, counters, the row of the activity log, the capture and the line of the
access log cost as much as relaying a small answer, and more when they are made for one
request after the other, in whatever thread ended it: its code is cold each time. So that
thread only notes the end and appends it here. The thread of the books looks away for a
moment after each look, so that a busy swapper seldom wakes it; a first request after a
pause is booked at once.
"""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol, TypeAlias

from swapper.core.errors import InboxClosedError
from swapper.sync import Inbox, OwnerThread, Reply

logger = logging.getLogger(__name__)

_PAUSE_S: Final = 0.02
_SETTLE_S: Final = 1.0
_END_S: Final = 3.0

MAX_WAITING: Final = 512
"""Requests that may wait for their books; whoever ends one more waits for the thread."""

MAX_HELD_BYTES: Final = 1 << 24
"""Of bodies that all of them may hold meanwhile; beyond that it is the same."""

_SMALL_BYTES: Final = 1 << 13
"""Held by one request, this is not worth counting: their number is limited."""


class Ended(Protocol):
    """A request that is over."""

    @property
    def held_bytes(self) -> int:
        """Return how much of its bodies is in memory until its books are kept."""
        ...

    def keep(self) -> None:
        """Keep its books; called once. Does not wait for anything."""
        ...


_Message: TypeAlias = Ended | Reply[None]


class Books:
    """Thread ``books``. Other methods: any other thread.

    The order of books is that of the ends.
    """

    def __init__(
        self, around: Callable[[], AbstractContextManager[object]] = nullcontext
    ) -> None:
        """Prepare; *around* is entered for each look, by the thread."""
        self._around = around
        self._inbox: Inbox[_Message] = Inbox()
        self._lock = threading.Lock()  # guards _held_bytes
        self._held_bytes = 0
        self._hurry = threading.Event()  # set to end a pause
        self._is_asleep = False  # written by the thread
        self._is_ending = False
        self._thread = OwnerThread("books", self._run)

    def start(self) -> None:
        """Start the thread. Once."""
        self._thread.start()

    def add(self, ended: Ended) -> None:
        """Have the books of a request kept soon.

        Blocks only if too much waits already, for a second at most.
        """
        inbox = self._inbox
        held_bytes = ended.held_bytes
        if held_bytes > _SMALL_BYTES:
            self._hold(held_bytes)
        try:
            inbox.put(ended, wakes=False)
        except InboxClosedError:  # swapper ends
            _keep(ended)
            return
        if self._is_asleep:  # asked after the put: see ``_run``
            inbox.wake()
        if len(inbox) > MAX_WAITING or self._held_bytes > MAX_HELD_BYTES:
            self.settle()

    def settle(self) -> bool:
        """Wait until the books of all that has ended so far are kept.

        For those who are about to read them. Blocks, for a second at most.

        Returns:
            False if that was not enough.
        """
        done: Reply[None] = Reply()
        try:
            self._inbox.put(done)
        except InboxClosedError:
            return True
        self._hurry.set()
        try:
            done.wait(_SETTLE_S)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        """Keep what waits and end the thread; also if it was never started."""
        self._is_ending = True
        if not self._thread.is_alive:
            self._end()
            return
        self._inbox.wake()
        self._hurry.set()
        if not self._thread.join(_END_S):
            logger.warning("the books of the last requests were not kept in time")

    # --- the thread -----------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._is_ending:
                # Said before looking: what is put after the look rings the bell.
                self._is_asleep = True
                self._inbox.wait(None)
                self._is_asleep = False
                # one by one: what has been taken is to be forgotten
                self._take(self._inbox.poll() for _ in range(len(self._inbox)))
                self._hurry.wait(_PAUSE_S)
                self._hurry.clear()
        finally:
            self._end()

    def _end(self) -> None:
        self._take(self._inbox.close())

    def _take(self, messages: Iterable[_Message | None]) -> None:
        replies = []
        with self._around():
            for message in messages:
                if isinstance(message, Reply):
                    replies.append(message)
                elif message is not None:
                    held_bytes = message.held_bytes
                    _keep(message)
                    if held_bytes > _SMALL_BYTES:
                        self._hold(-held_bytes)
        for reply in replies:
            reply.offer(None)

    def _hold(self, count: int) -> None:
        with self._lock:
            self._held_bytes += count


def _keep(ended: Ended) -> None:
    try:
        ended.keep()
    except Exception:
        logger.exception("the books of a request were not kept")
