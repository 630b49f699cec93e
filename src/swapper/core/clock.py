"""Time. Durations are measured on a monotonic clock; the wall clock is for display."""

import time
from typing import Protocol


class Clock(Protocol):
    """What a decider's host needs to know about time; tests use a fake."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""
        ...


class SystemClock:
    """The machine's clock. Any thread."""

    __slots__ = ()

    monotonic = staticmethod(time.monotonic)
    """See ``Clock``."""


def unix_time() -> float:
    """Return the wall clock as seconds since 1970 (UTC); for display only."""
    return time.time()  # noqa: TID251 - the one place that reads the wall clock
