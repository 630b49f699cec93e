"""Which CPUs our threads may run on. Does nothing but on Linux.

There a mask belongs to a thread and is inherited by the threads and processes that it
makes. So whoever starts programs is exempt, and they get every CPU there is.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TASKS: Final = Path("/proc/self/task")


class ThreadAffinity:
    """The masks of all our threads. Any thread.

    Attributes:
        all_cpus: what we were given at the start; empty where nothing can be chosen.
        own_cpus: those of them that our threads may use; programs get all.
    """

    def __init__(self) -> None:
        self.all_cpus: frozenset[int] = frozenset()
        if sys.platform == "linux":
            self.all_cpus = frozenset(os.sched_getaffinity(0))
        self.own_cpus = self.all_cpus
        self._lock = threading.Lock()  # guards the rest, and masks while they change
        self._cpus = self.all_cpus  # of all threads that are not apart
        self._apart: set[int] = set()

    def confine(self, cpus: frozenset[int]) -> None:
        """Use no other CPUs from now on. Before threads have gone apart."""
        self.own_cpus = cpus
        self.restrict(cpus)

    def restrict(self, cpus: frozenset[int]) -> None:
        """Let all threads but those apart run on these CPUs only.

        Threads made later inherit the mask of the one that makes them.
        """
        if sys.platform != "linux":
            return
        with self._lock:
            self._cpus = cpus
            for thread in _threads() - self._apart:
                _set_mask(thread, cpus)

    def unrestricted(self) -> contextlib.AbstractContextManager[None]:
        """Start a program in this block: it gets every CPU we were given."""
        return self._apart_on(self.all_cpus)

    def spread(self) -> contextlib.AbstractContextManager[None]:
        """Copy much in this block, which needs no interpreter, on any of our CPUs."""
        return self._apart_on(self.own_cpus)

    @contextlib.contextmanager
    def _apart_on(self, cpus: frozenset[int]) -> Iterator[None]:
        thread = threading.get_native_id()
        with self._lock:
            self._apart.add(thread)
            if cpus != self._cpus:
                _set_mask(thread, cpus)
        try:
            yield
        finally:
            with self._lock:
                self._apart.discard(thread)
                if cpus != self._cpus:
                    _set_mask(thread, self._cpus)


def _set_mask(thread: int, cpus: frozenset[int]) -> None:
    """Move a thread, unless it has ended or the CPUs have been taken from us."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setaffinity(thread, cpus)


def _threads() -> set[int]:
    """Return the system's ids of all our threads."""
    return {int(entry.name) for entry in _TASKS.iterdir()}


AFFINITY: Final = ThreadAffinity()
"""There is one process, so there is one."""
