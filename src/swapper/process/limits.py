"""How many files may be open: many for us, for a model what we were given.

Each client needs two descriptors while its answer is relayed. A program that was
made for fewer (one that calls ``select``) breaks when it gets a number above 1023, so
models start under the limit that swapper was started under.
"""

import contextlib
import resource
import sys
from typing import Final

_AT_START: Final = resource.getrlimit(resource.RLIMIT_NOFILE)


def raise_open_files() -> int:
    """Let this process open as many files as it may; return how many. Linux only.

    Elsewhere the limits of a child cannot be changed from outside.
    """
    soft, hard = _AT_START
    if sys.platform == "linux" and soft != hard:
        with contextlib.suppress(OSError, ValueError):  # a sandbox that forbids it
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def restore_open_files(pid: int) -> None:
    """Give a child that has just started the limit that we were given."""
    if sys.platform != "linux":
        return
    if resource.getrlimit(resource.RLIMIT_NOFILE) != _AT_START:
        with contextlib.suppress(OSError):  # it has ended
            resource.prlimit(pid, resource.RLIMIT_NOFILE, _AT_START)
