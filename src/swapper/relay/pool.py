"""Idle connections to one upstream, kept for the next request."""

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final

from swapper.net.hangup import HangupWatcher
from swapper.relay.connection import Connection

_MAX_IDLE: Final = 64


class ConnectionPool:
    """Keeps connections between requests, the newest on top. Any thread.

    Attributes:
        is_closed: nothing is kept any more.
    """

    __slots__ = (
        "_clock",
        "_idle",
        "_idle_s",
        "_lock",
        "_max_idle",
        "_watcher",
        "is_closed",
    )

    def __init__(
        self,
        idle_s: float,
        *,
        max_idle: int = _MAX_IDLE,
        watcher: HangupWatcher | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make an empty pool.

        Args:
            idle_s: how long a connection is kept.
            max_idle: how many are kept.
            watcher: has connections dropped as soon as the upstream closes them,
                which it does when its model stops.
            clock: seconds that never go back.
        """
        self._lock = threading.Lock()  # guards _idle and is_closed
        self._idle: deque[Connection] = deque()  # oldest first
        self._idle_s = idle_s
        self._max_idle = max_idle
        self._watcher = watcher
        self._clock = clock
        self.is_closed = False

    def __len__(self) -> int:
        """Return how many connections are idle."""
        return len(self._idle)

    def take(self) -> Connection | None:
        """Return the most recently used connection that still stands, else None."""
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return None
            age_s = self._clock() - connection.idle_since_s
            if age_s < self._idle_s and connection.is_quiet():
                return connection
            connection.close()

    def give(self, connection: Connection) -> None:
        """Keep an unbound connection, or close it if there is no room or no use."""
        now = self._clock()
        connection.is_reused = True
        connection.idle_since_s = now
        if connection.watch is None and self._watcher is not None:
            # once for all requests to come
            lose = partial(self._lose, connection)
            connection.watch = self._watcher.watch(connection.sock, lose)
        with self._lock:
            self._idle.append(connection)
            surplus = self._surplus(now)
            if connection.is_lost and connection in self._idle:
                self._idle.remove(connection)
                surplus.append(connection)
        for unwanted in surplus:
            unwanted.close()

    def close(self) -> None:
        """Close what is idle; what is given from now on is closed at once."""
        with self._lock:
            self.is_closed = True
            surplus = self._surplus(0.0)
        for unwanted in surplus:
            unwanted.close()

    def _lose(self, connection: Connection) -> None:
        """Drop a connection that the upstream has closed; watcher's thread."""
        with self._lock:
            connection.is_lost = True  # in use, it is for ``give`` to see
            is_idle = connection in self._idle
            if is_idle:
                self._idle.remove(connection)
        if is_idle:
            connection.close()

    def _surplus(self, now: float) -> list[Connection]:
        """Take out what is too old, too many or given too late; the lock is held."""
        room = 0 if self.is_closed else self._max_idle
        oldest_kept = now - self._idle_s
        surplus = []
        while self._idle and (
            len(self._idle) > room or self._idle[0].idle_since_s <= oldest_kept
        ):
            surplus.append(self._idle.popleft())
        return surplus
