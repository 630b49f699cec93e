"""Waiting for what nobody announces."""

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

TIMEOUT_S: Final = 20.0

_PAUSE_S: Final = 0.01


def wait_until(look: Callable[[], T], timeout_s: float = TIMEOUT_S) -> T:
    """Return what *look* returns as soon as it is true; it is asked again and again.

    Raises:
        TimeoutError: it did not come to that.
    """
    deadline, pause = time.monotonic() + timeout_s, threading.Event()
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not come to that, but stayed {found!r}")
        pause.wait(_PAUSE_S)
    return found
