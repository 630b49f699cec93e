"""Every test of the relay leaves neither a thread nor a descriptor behind."""

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_DEADLINE_S = 15.0


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
    deadline = time.monotonic() + _DEADLINE_S
    for thread in set(threading.enumerate()) - threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    assert set(threading.enumerate()) <= threads
    gc.collect()
    assert _open_sockets() <= sockets
