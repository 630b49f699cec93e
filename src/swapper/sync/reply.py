"""One answer from an owner thread to one waiting thread.

Stands for an unbuffered Go channel used once: a send succeeds only if the receiver
is still there. In-flight counting rests on it (router.md section 3): the router
counts up if and only if the caller took the grant, because only then will the end
of its response count down. ``queue.Queue(1)`` has no such property.
"""

import threading
from enum import Enum
from typing import Final, Generic, TypeVar

from swapper.core.errors import ClientGoneError

T = TypeVar("T")


class _State(Enum):
    PENDING = 0
    ANSWERED = 1
    ABANDONED = 2


_PENDING: Final = _State.PENDING
_ANSWERED: Final = _State.ANSWERED
_ABANDONED: Final = _State.ABANDONED


class Reply(Generic[T]):
    """A one-shot rendezvous: ``offer`` against ``abandon``, exactly one wins.

    A state that is not PENDING is the last one, so it may be looked at without the
    lock; and an answer that comes before anybody waits costs no second lock.
    """

    __slots__ = ("_latch", "_lock", "_state", "_value")

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards changes of the rest
        self._latch: threading.Lock | None = None  # a sleeper's; a released one wakes
        self._state = _PENDING
        self._value: T | None = None

    @property
    def is_pending(self) -> bool:
        """Return whether ``offer`` and ``abandon`` are still open. Any thread.

        True for a moment only; False for good.
        """
        return self._state is _PENDING

    def offer(self, value: T) -> bool:
        """Answer; return False if the waiter has left or was answered already.

        Any thread; never blocks.
        """
        with self._lock:
            if self._state is not _PENDING:
                return False
            self._value = value
            self._state = _ANSWERED  # whoever sees it finds the value
            latch = self._latch
        if latch is not None:
            latch.release()
        return True

    def abandon(self) -> bool:
        """Leave; return False if an answer came first, which then must be used.

        Any thread, several times; a thread blocked in ``wait`` wakes up.
        """
        if self._state is _ANSWERED:
            return False
        with self._lock:
            if self._state is not _PENDING:
                return self._state is _ABANDONED
            self._state = _ABANDONED
            latch = self._latch
        if latch is not None:
            latch.release()
        return True

    def wait(self, timeout_s: float | None = None) -> T:
        """Return the answer; the waiting thread only.

        Raises:
            ClientGoneError: the reply was abandoned.
            TimeoutError: no answer within *timeout_s*; the reply is still pending.
        """
        if self._state is _PENDING and not self._sleep(timeout_s):
            raise TimeoutError
        if self._state is _ABANDONED:
            raise ClientGoneError
        return self._value  # type: ignore[return-value]  # ANSWERED: offer set it

    def _sleep(self, timeout_s: float | None) -> bool:
        """Sleep until it is over; return False if *timeout_s* is over first."""
        with self._lock:
            if self._state is not _PENDING:
                return True
            latch = self._latch
            if latch is None:
                latch = self._latch = threading.Lock()
                latch.acquire()
        if not latch.acquire(timeout=-1 if timeout_s is None else timeout_s):
            return False
        latch.release()
        return True
