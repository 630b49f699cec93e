"""Ports for the tests; none is given out twice, so that no two of them meet.

They lie below the ephemeral ones, where the kernel could give them to a connection
before their test comes to use them.
"""

import os
import secrets
import socket
import threading
from typing import Final

_FIRST: Final = 12_000
_END: Final = 32_000


class _Ports:
    """The share of one process of the test run, given out in turn."""

    def __init__(self) -> None:
        self._count = (_END - _FIRST) // int(
            os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
        )
        number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        self._first = _FIRST + number * self._count
        self._lock = threading.Lock()  # guards _next
        self._next = secrets.randbelow(self._count)  # another run may go on beside us

    def take(self, count: int) -> int:
        """Return the first of *count* ports in a row that nobody listens on."""
        while True:
            with self._lock:
                if self._next + count > self._count:
                    self._next = 0
                first = self._first + self._next
                self._next += count
            if all(map(_is_free, range(first, first + count))):
                return first


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


free_ports: Final = _Ports().take


def free_port() -> int:
    """Return a port that nobody listens on."""
    return free_ports(1)
