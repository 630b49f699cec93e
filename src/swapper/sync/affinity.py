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
    """

    def __init__(self) -> None:
        self.all_cpus: frozenset[int] = frozenset()
        if sys.platform == "linux":
            self.all_cpus = frozenset(os.sched_getaffinity(0))
        self._lock = threading.Lock()  # guards _exempt, and masks while they change
        self._exempt: set[int] = set()

    def restrict(self, cpus: frozenset[int]) -> None:
        """Let all threads but the exempt run on these CPUs only.

        Threads made later inherit the mask of the one that makes them.
        """
        if sys.platform != "linux":
            return
        with self._lock:
            for thread in _threads():
                if thread not in self._exempt:
                    with contextlib.suppress(OSError):  # it has ended
                        os.sched_setaffinity(thread, cpus)

    @contextlib.contextmanager
    def unrestricted(self) -> Iterator[None]:
        """Start a program in this block: it gets every CPU we were given.

        The calling thread stays exempt as long as it runs.
        """
        if self.all_cpus:
            thread = threading.get_native_id()
            with self._lock:
                self._exempt &= _threads()  # ids come again
                self._exempt.add(thread)
                os.sched_setaffinity(thread, self.all_cpus)
        yield


def _threads() -> set[int]:
    """Return the system's ids of all our threads."""
    return {int(entry.name) for entry in _TASKS.iterdir()}


AFFINITY: Final = ThreadAffinity()
"""There is one process, so there is one."""
