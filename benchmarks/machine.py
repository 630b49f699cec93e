"""Who else uses the machine, and what machine it is."""

import os
import platform
import time
from dataclasses import dataclass
from typing import Final, Self

import psutil

QUIET_CORES: Final = 0.15
"""A measurement with more foreign CPU than this is marked as noisy."""
_LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Meter:
    """CPU time used up to a moment: by everybody, and by this process's tree."""

    at_s: float
    everybody_s: float
    ours_s: float

    @classmethod
    def now(cls) -> Self:
        """Read the clocks."""
        times = psutil.cpu_times()._asdict()
        idle = times["idle"] + times.get("iowait", 0.0)
        guests = times.get("guest", 0.0) + times.get("guest_nice", 0.0)
        everybody_s = sum(times.values()) - idle - guests  # user has the guests in it
        return cls(time.monotonic(), everybody_s, _tree_s(psutil.Process()))

    def foreign_cores(self) -> float:
        """Return how many cores others used since then; what was stolen counts too."""
        now = Meter.now()
        foreign_s = now.everybody_s - self.everybody_s - (now.ours_s - self.ours_s)
        return max(0.0, foreign_s / (now.at_s - self.at_s))


def wait_until_quiet(deadline_s: float) -> None:
    """Return when hardly anybody else is busy, at the latest at the deadline."""
    while time.monotonic() < deadline_s:
        meter = Meter.now()
        time.sleep(_LOOK_S)
        if meter.foreign_cores() <= QUIET_CORES:
            return


def description() -> dict[str, object]:
    """Return what a reader of the figures has to know about the machine."""
    return {
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _tree_s(root: psutil.Process) -> float:
    """Return the CPU time of a process and all that ever was below it."""
    total_s = 0.0
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total_s += times.user + times.system
        total_s += times.children_user + times.children_system
    return total_s
