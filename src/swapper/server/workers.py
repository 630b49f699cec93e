"""The threads that accept connections and serve them.

Every worker waits in ``accept`` itself and serves what it got, so a new connection
costs no hand-over between threads. Whoever leaves the last free place calls for
another worker first; with all of them busy and their number at the limit nobody
accepts, and connections wait in the kernel.
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from swapper.sync import OwnerThread

logger = logging.getLogger(__name__)

T = TypeVar("T")

_MAX_FREE: Final = 8
"""Workers beyond so many free ones end."""


class Workers(Generic[T]):
    """Threads ``http:<n>``. All methods: any thread."""

    def __init__(
        self,
        accept: Callable[[], T | None],
        serve: Callable[[T], None],
        limit: int,
    ) -> None:
        """Prepare; no thread is started yet.

        Args:
            accept: blocks for the next connection; None ends the worker.
            serve: serves it to its end; does not raise.
            limit: most threads at a time.
        """
        self._accept = accept
        self._serve = serve
        self._limit = limit
        self._numbers = itertools.count(1)
        self._changed = threading.Condition(threading.Lock())  # guards all below
        self._threads: dict[int, OwnerThread] = {}
        self._ended: list[OwnerThread] = []  # gone from _threads, perhaps not quite
        self._free = 0  # in accept, or on the way there

    def start(self) -> None:
        """Start the first worker.

        Raises:
            RuntimeError: the system has no thread left.
        """
        with self._changed:
            number = self._hire()
        self._start(number)

    def wait_none_free(self) -> None:
        """Wait until no worker is in ``accept``."""
        with self._changed:
            self._changed.wait_for(lambda: not self._free)

    def join(self, timeout_s: float) -> bool:
        """Return whether all workers have ended within *timeout_s*.

        Only after ``accept`` has begun to return None.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            with self._changed:
                threads = [*self._threads.values(), *self._ended]
                self._ended.clear()
            threads = [thread for thread in threads if not thread.is_current()]
            if not threads:
                return True
            for thread in threads:
                if not thread.join(max(0.0, deadline - time.monotonic())):
                    return False

    def _work(self, number: int) -> None:
        try:
            while (accepted := self._next()) is not None:
                self._serve(accepted)
                with self._changed:
                    if self._free >= _MAX_FREE:
                        return
                    self._free += 1
        finally:
            with self._changed:
                self._ended.append(self._threads.pop(number))

    def _next(self) -> T | None:
        """Return a connection; called, and counted, as a free worker."""
        accepted = None
        try:
            accepted = self._accept()
        finally:
            with self._changed:
                self._free -= 1
                number = None
                if accepted is None:
                    self._changed.notify_all()
                elif not self._free and len(self._threads) < self._limit:
                    number = self._hire()
        if number is not None:
            self._start_or_do_without(number)
        return accepted

    def _hire(self) -> int:
        """Add one more worker, counted as free; to be started without the lock."""
        number = next(self._numbers)
        self._threads[number] = OwnerThread(
            f"http:{number}", lambda: self._work(number)
        )
        self._free += 1
        self._ended.clear()
        return number

    def _start(self, number: int) -> None:
        try:
            self._threads[number].start()
        except RuntimeError:
            with self._changed:
                del self._threads[number]
                self._free -= 1
            raise

    def _start_or_do_without(self, number: int) -> None:
        try:
            self._start(number)
        except RuntimeError as exc:
            logger.warning("no thread for more connections: %s", exc)
