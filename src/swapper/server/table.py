"""The connections that are open and the requests that are being served."""

import threading

from swapper.server.connection import Connection


class ConnectionTable:
    """Who is connected, and who of them is being served. Any thread.

    Requests on a socket that was taken over are not counted: a tunnel has no end one
    could wait for.
    """

    def __init__(self) -> None:
        # Guards all below. Sockets are shut down while it is held, so that none of
        # them can be closed, and its descriptor used again, in between; shutting
        # down does not block.
        self._changed = threading.Condition(threading.Lock())
        self._idle: set[Connection] = set()
        self._busy: set[Connection] = set()
        self._taken: set[Connection] = set()
        self._is_draining = False

    @property
    def is_draining(self) -> bool:
        """Return whether connections end with their present response."""
        return self._is_draining

    @property
    def busy_count(self) -> int:
        """Return how many requests are being served, relayed ones included."""
        with self._changed:
            return len(self._busy)

    def add(self, connection: Connection) -> bool:
        """Take a new connection in; False if it must be closed instead."""
        with self._changed:
            if not self._is_draining:
                self._idle.add(connection)
            return not self._is_draining

    def start_request(self, connection: Connection) -> bool:
        """Count a request; False if draining has closed its connection already."""
        with self._changed:
            if self._is_draining:
                return False
            self._idle.discard(connection)
            self._busy.add(connection)
            return True

    def end_request(self, connection: Connection) -> bool:
        """Count a request off; return whether its connection may serve another."""
        with self._changed:
            if connection in self._busy:
                self._busy.remove(connection)
                self._idle.add(connection)
                self._tell_if_idle()
            return not self._is_draining

    def hand_over(self, connection: Connection) -> None:
        """Count a request off whose socket was taken over."""
        with self._changed:
            self._busy.discard(connection)
            self._taken.add(connection)
            self._tell_if_idle()

    def close(self, connection: Connection) -> None:
        """Close a connection and forget it."""
        with self._changed:
            for connections in (self._idle, self._busy, self._taken):
                connections.discard(connection)
            connection.close()
            self._tell_if_idle()

    def drain(self) -> None:
        """End connections that wait for a request, the others after their response."""
        with self._changed:
            self._is_draining = True
            for connection in self._idle:
                connection.hang_up_reading()

    def abort(self) -> None:
        """Cancel all requests and break their connections."""
        with self._changed:
            self._is_draining = True
            connections = self._open()
        for connection in connections:
            connection.cancel()
        with self._changed:
            for connection in self._open():
                connection.hang_up()

    def wait_idle(self, timeout_s: float) -> bool:
        """Return whether no request is left within *timeout_s*."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, timeout_s)

    def _open(self) -> list[Connection]:
        return [*self._idle, *self._busy, *self._taken]

    def _tell_if_idle(self) -> None:
        if not self._busy:
            self._changed.notify_all()
