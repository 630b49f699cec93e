"""Servers around tiny applications; every test leaves no thread and no socket."""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from swapper.server import ServerLimits, SwapperServer
from swapper.sync import OwnerThread

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

DEADLINE_S = 10.0

Serve: TypeAlias = Callable[..., SwapperServer]


def _open_sockets() -> int:
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            count += str(entry.readlink()).startswith("socket:")
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return count


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    threads, sockets = set(threading.enumerate()), _open_sockets()
    yield
    deadline = time.monotonic() + DEADLINE_S
    for thread in set(threading.enumerate()) - threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert set(threading.enumerate()) <= threads
    gc.collect()
    assert _open_sockets() <= sockets


@pytest.fixture
def serve(nothing_is_left: None) -> Iterator[Serve]:
    """Return a function that serves an application on a port of its own."""
    started: list[tuple[SwapperServer, OwnerThread]] = []

    def start(
        app: "WSGIApplication",
        *,
        address: str = "127.0.0.1:0",
        tls_cert_file: str = "",
        limits: ServerLimits | None = None,
    ) -> SwapperServer:
        server = SwapperServer.bind(address, tls_cert_file=tls_cert_file, limits=limits)
        thread = OwnerThread("accept", lambda: server.serve_forever(app))
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.close()
        assert thread.join(DEADLINE_S)
        assert thread.failure is None
