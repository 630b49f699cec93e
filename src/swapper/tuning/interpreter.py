"""Settings of the interpreter and the C library; docs/design/performance.md has why."""

import ctypes
import gc
import logging
import sys
from typing import Final

_SWITCH_INTERVAL_S: Final = 0.0005
_M_MMAP_THRESHOLD: Final = -3
_M_TRIM_THRESHOLD: Final = -1
_LARGE_BYTES: Final = 1 << 20


def tune() -> None:
    """Change what has to be changed before the work begins. Main thread, once."""
    # A thread that computes gives the interpreter up after this time, not after 5 ms:
    # the longest a token waits for somebody else's JSON, several times over.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    # No line tells which thread or source line it comes from, so nobody looks it up;
    # as the standard library's own "Optimization" of logging has it.
    logging.logThreads = logging.logProcesses = False
    logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - documented there
    if sys.platform == "linux":
        _give_large_blocks_back()


def settle() -> None:
    """Keep what is there once everything is built out of all garbage collections."""
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # as below
            trim(0)


def _give_large_blocks_back() -> None:
    """Have buffers of a megabyte and more mapped, and unmapped when they are freed.

    glibc raises its threshold to the largest block it has seen freed, up to 32 MB, and
    what lies below it stays in the heap for good.
    """
    # AttributeError: another C library
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)
