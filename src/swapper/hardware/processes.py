"""How much memory a process and its descendants hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """Memory of a process tree.

    Attributes:
        resident: bytes in RAM; pages that several share count for each.
        gpu: bytes on all GPUs, 0 if no tool tells.
    """

    resident: int
    gpu: int


def memory_of(
    pids: Mapping[str, int], gpu_bytes: Mapping[int, int]
) -> dict[str, ProcessMemory]:
    """Return the memory of each process tree that is still there.

    Reads the process table once. Any thread.

    Args:
        pids: name -> its first process.
        gpu_bytes: pid -> what it holds on GPUs.
    """
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found = {}
    for name, pid in pids.items():
        tree = list(_tree(pid, children))
        resident = sum(map(_resident, tree))
        if resident:
            gpu = sum(gpu_bytes.get(member, 0) for member in tree)
            found[name] = ProcessMemory(resident, gpu)
    return found


def tree_of(pid: int) -> frozenset[int]:
    """Return a process and all that descends from it. Reads the process table."""
    try:
        descendants = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return frozenset({pid})
    return frozenset({pid, *(process.pid for process in descendants)})


def resident_bytes(pids: Iterable[int]) -> int:
    """Return what processes hold in RAM; what several share counts for each."""
    return sum(map(_resident, pids))


def _parents() -> Iterable[tuple[int, int]]:
    for process in psutil.process_iter(["ppid"]):
        yield process.pid, process.info["ppid"] or 0


def _tree(pid: int, children: Mapping[int, list[int]]) -> Iterable[int]:
    left, seen = [pid], set()
    while left:
        member = left.pop()
        if member not in seen:
            seen.add(member)
            yield member
            left += children.get(member, [])


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0
