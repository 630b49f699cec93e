"""One CPU for our threads while many requests keep them busy: ``--cpu-affinity``.

The interpreter runs one thread at a time. With several cores every hand-over of it
wakes a thread on another core; the more cores, the dearer. On one core the next thread
just goes on. With few requests, or beside programs that need that core, all cores are
better, as they are for threads that copy much, which are left alone
(``ThreadAffinity.spread``). Linux only.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from swapper.sync import OwnerThread
from swapper.sync.affinity import AFFINITY

logger = logging.getLogger(__name__)

_INTERVAL_S: Final = 0.25
_BUSY_CORES: Final = 0.7
_CALM_CORES: Final = 0.35
_LASTING_S: Final = 1.0
"""How long a reason to have all CPUs again must last: programs that wake each other are
often put on one CPU for a moment."""
_FOREIGN_CORES: Final = 0.4
_HOLD_OFF_S: Final = 10.0
_SEVERAL: Final = 3
"""With fewer requests at once there is nobody to hand the interpreter to."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Core seconds used so far.

    Attributes:
        at_s: on the monotonic clock.
        own_s: by this process.
        busy_s: by everybody, per CPU that we may use.
        in_flight: requests at that moment.
    """

    at_s: float
    own_s: float
    busy_s: Mapping[int, float]
    in_flight: int


class Decider:
    """Says which CPU all threads should be on. Pure.

    Attributes:
        cpu: the one chosen; None for all.
    """

    def __init__(self) -> None:
        self.cpu: int | None = None
        self._spare_since_s: float | None = None
        self._hold_off_until_s = 0.0

    def decide(self, before: Usage, after: Usage) -> int | None:
        """Return the CPU for the time to come, None for all of them.

        1. Busy on all CPUs with several requests: choose the one that is used least.
        2. Calm, or with few requests, for a while: all again.
        3. Somebody else needs the chosen one for as long, and so do we: likewise, and
           not so soon another.
        """
        passed_s = max(1e-6, after.at_s - before.at_s)
        own = (after.own_s - before.own_s) / passed_s
        busy = {
            cpu: (after.busy_s[cpu] - before.busy_s.get(cpu, 0.0)) / passed_s
            for cpu in after.busy_s
        }
        has_several = after.in_flight >= _SEVERAL
        if self.cpu is None:
            is_free = after.at_s >= self._hold_off_until_s
            if has_several and own > _BUSY_CORES and is_free and busy:
                self.cpu = min(busy, key=lambda cpu: (busy[cpu], cpu))
                self._spare_since_s = None
            return self.cpu
        is_needed = busy.get(self.cpu, 0.0) - own > _FOREIGN_CORES
        is_calm = own < _CALM_CORES or not has_several
        if not is_calm and not is_needed:
            self._spare_since_s = None
        elif self._spare_since_s is None:
            self._spare_since_s = after.at_s
        elif after.at_s - self._spare_since_s >= _LASTING_S:
            self.cpu = None
            if not is_calm:
                self._hold_off_until_s = after.at_s + _HOLD_OFF_S
        return self.cpu


class CpuGovernor:
    """Looks four times a second and moves our threads. Thread ``cpu-governor``."""

    def __init__(
        self,
        in_flight: Callable[[], int],
        *,
        read: Callable[[int], Usage] | None = None,
        interval_s: float = _INTERVAL_S,
    ) -> None:
        """Prepare.

        Args:
            in_flight: tells how many requests there are; called by the thread.
            read: what is used, with so many requests; None asks the system.
            interval_s: between two looks.
        """
        self._in_flight = in_flight
        self._read = read or _read_usage
        self._interval_s = interval_s
        self._is_ending = threading.Event()
        self._thread = OwnerThread("cpu-governor", self._run)

    def start(self) -> None:
        """Start looking. Once."""
        self._thread.start()

    def close(self) -> None:
        """Stop looking; all threads have all CPUs again."""
        self._is_ending.set()
        self._thread.join()

    def _run(self) -> None:
        decider = Decider()
        before: Usage | None = None
        chosen: int | None = None
        try:
            while not self._is_ending.wait(self._interval_s):
                in_flight = self._in_flight()
                if chosen is None and in_flight < _SEVERAL:
                    before = None  # nothing to decide, so nothing is read
                    continue
                after = self._read(in_flight)
                if before is not None:
                    chosen = self._move(decider.decide(before, after), chosen)
                before = after
        finally:
            if chosen is not None:
                AFFINITY.restrict(AFFINITY.all_cpus)

    def _move(self, cpu: int | None, chosen: int | None) -> int | None:
        """Go to *cpu* from the one *chosen* before; return it."""
        if cpu != chosen:
            logger.debug("cpu affinity changes cpu=%s", cpu)
            cpus = AFFINITY.all_cpus if cpu is None else frozenset({cpu})
            AFFINITY.restrict(cpus)
        return cpu


def parse_cpu_affinity(text: str) -> frozenset[int] | None:
    """Return what ``--cpu-affinity`` says: CPUs to stay on, or None for ``auto``.

    ``off`` is all there are. A list has numbers and ranges: ``0,2-3``.

    Raises:
        ValueError: none of these, or not on this machine; says what is wrong.
    """
    if text == "auto":
        return None
    if text == "off":
        return AFFINITY.all_cpus
    cpus: set[int] = set()
    for item in text.split(","):
        first, dash, last = item.strip().partition("-")
        if not (
            text.isascii() and first.isdecimal() and (last.isdecimal() or not dash)
        ):
            raise ValueError(f"{text!r} is neither auto, off nor a list like 0,2-3")
        cpus.update(range(int(first), int(last or first) + 1))
    if not cpus <= AFFINITY.all_cpus:
        missing = min(cpus - AFFINITY.all_cpus)
        raise ValueError(f"{text!r}: this program may not use a CPU {missing} here")
    if not cpus:
        raise ValueError(f"{text!r} names no CPU")
    return frozenset(cpus)


def _read_usage(in_flight: int) -> Usage:
    ticks = os.sysconf("SC_CLK_TCK")
    busy: dict[int, float] = {}
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name[3:].isdecimal():
            cpu = int(name[3:])
            if cpu in AFFINITY.all_cpus:
                user, nice, system, _idle, _wait, *interrupts = map(int, fields[:8])
                busy[cpu] = (user + nice + system + sum(interrupts)) / ticks
    return Usage(time.monotonic(), time.process_time(), busy, in_flight)
