"""Loads that fail for lack of memory: known by what they say, tried once more."""

import re
from typing import Final

from swapper.config.learnt import Lack
from swapper.core.errors import ExitedError, OutOfMemoryError, ProcessError
from swapper.scheduler.base import Remark
from swapper.scheduler.board import Board
from swapper.scheduler.lessons import Lessons
from swapper.scheduler.records import Swap

_SAYS_SO: Final = re.compile(
    r"out.?of.?memory|failed to allocate|unable to allocate|cannot allocate memory"
    r"|not enough memory|insufficient memory|malloc failed|(?:bad_|bad )alloc|memoryerror"
    r"|alloc_failed|outofdevicememory|outofhostmemory",
    re.IGNORECASE,
)
_OF_GPU: Final = re.compile(
    r"cuda|cublas|\bhip|rocm|gpu|vram|device|vulkan|metal|vk::", re.IGNORECASE
)
_OF_RAM: Final = re.compile(r"bad_?alloc|memoryerror|cannot allocate", re.IGNORECASE)
_KILLED: Final = frozenset({-9, 137})
"""By SIGKILL; the second if a shell, or podman, tells of it."""


def lack_of(error: ProcessError) -> Lack | None:
    """Tell what memory a load has failed for; None if for something else. Pure."""
    for line in reversed(error.log_tail):
        if _SAYS_SO.search(line):
            if _OF_GPU.search(line):
                return Lack.GPU
            return Lack.RAM if _OF_RAM.search(line) else Lack.UNTOLD
    if not isinstance(error, ExitedError) or error.returncode not in _KILLED:
        return None
    return None if error.oom_killed is False else Lack.RAM


def answer_to(
    board: Board, lessons: Lessons, swap: Swap, error: ProcessError
) -> ProcessError | None:
    """Return what to answer those who waited for a load that has failed.

    None if it is tried once more, for others can make room: they are in the queue
    again by then. That is so once for each of them, and not without anybody to wait.
    """
    target, lack = swap.target, lack_of(error)
    if lack is None:
        return error
    more = lessons.failed(target.running, board.beside(target), lack)
    if not target.second_try.isdisjoint(swap.waiters):
        return OutOfMemoryError(error)
    if not more or not swap.waiters:
        return error
    why = f"lacked memory and is tried once more; it needs at least {more}"
    board.say(Remark(target.id, why))
    target.second_try = frozenset(swap.waiters)
    board.requeue(target, swap.waiters)
    return None
