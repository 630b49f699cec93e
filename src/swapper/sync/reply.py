"""One answer from an owner thread to one waiting thread.

Stands for an unbuffered Go channel used once: a send succeeds only if the receiver
is still there. In-flight counting rests on it (router.md section 3): the router
counts up if and only if the caller took the grant, because only then will the end
of its response count down. ``queue.Queue(1)`` has no such property.
"""

import threading
from enum import Enum
from typing import Generic, TypeVar

from swapper.core.errors import ClientGoneError

T = TypeVar("T")


class _State(Enum):
    PENDING = 0
    ANSWERED = 1
    ABANDONED = 2


class Reply(Generic[T]):
    """A one-shot rendezvous: ``offer`` against ``abandon``, exactly one wins."""

    __slots__ = ("_latch", "_lock", "_state", "_value")

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _state and _value
        self._latch = threading.Lock()  # held while pending; a released one wakes
        self._latch.acquire()
        self._state = _State.PENDING
        self._value: T | None = None

    def offer(self, value: T) -> bool:
        """Answer; return False if the waiter has left or was answered already.

        Any thread; never blocks.
        """
        with self._lock:
            if self._state is not _State.PENDING:
                return False
            self._state, self._value = _State.ANSWERED, value
        self._latch.release()
        return True

    def abandon(self) -> bool:
        """Leave; return False if an answer came first, which then must be used.

        Any thread, several times; a thread blocked in ``wait`` wakes up.
        """
        with self._lock:
            if self._state is _State.ANSWERED:
                return False
            first = self._state is _State.PENDING
            self._state = _State.ABANDONED
        if first:
            self._latch.release()
        return True

    def wait(self, timeout_s: float | None = None) -> T:
        """Return the answer; the waiting thread only.

        Raises:
            ClientGoneError: the reply was abandoned.
            TimeoutError: no answer within *timeout_s*; the reply is still pending.
        """
        if not self._latch.acquire(timeout=-1 if timeout_s is None else timeout_s):
            raise TimeoutError
        self._latch.release()
        if self._state is _State.ABANDONED:
            raise ClientGoneError
        return self._value  # type: ignore[return-value]  # ANSWERED: offer set it
