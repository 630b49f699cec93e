"""Who holds how much memory on which GPU, asked for when somebody wants to know.

NVIDIA's library or ``nvidia-smi``; other makers' tools do not tell by process.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from swapper.hardware.sources import SourceError, nvml_memory, run_tool


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """The memory of one GPU.

    Attributes:
        by_pid: bytes; None if the tool sees the process and not its memory.
        used: bytes in use, whoever has them; None if it is not told.
    """

    by_pid: Mapping[int, int | None] = field(default_factory=dict)
    used: int | None = None

    @property
    def nobodys(self) -> int | None:
        """Return what is in use and no process that is seen has; None if not known.

        That is the driver's own, and what ended processes have not given back yet.
        """
        known = [held for held in self.by_pid.values() if held is not None]
        if self.used is None or len(known) < len(self.by_pid):
            return None
        return max(0, self.used - sum(known))


Holders: TypeAlias = Mapping[int, GpuMemory]
"""By number of the GPU."""

_FORMAT: Final = "--format=csv,noheader,nounits"
_GPUS: Final = "--query-gpu=index,uuid,memory.used"
_PROCESSES: Final = "--query-compute-apps=gpu_uuid,pid,used_memory"
_MB: Final = 1 << 20
_IDLE: Final = 1024 * _MB
"""A driver takes less than that for itself."""


def gpu_holders() -> Holders | None:
    """Return who holds what on every GPU; None if no tool tells. May block for seconds."""
    tools: tuple[Callable[[], Holders], ...] = (_ask_library, _ask_tool)
    for ask in tools:
        try:
            found = ask()
        except SourceError:
            continue
        if found:
            return found
    return None


def held_by(pids: frozenset[int], holders: Holders | None) -> dict[int, int] | None:
    """Return what some processes hold together, by GPU; None if it is not known. Pure.

    A tool that sees memory in use and nobody who uses it is in another pid namespace
    than the processes, as in many containers, and knows nothing of ours.
    """
    if holders is None:
        return None
    is_blind = not any(memory.by_pid for memory in holders.values())
    if is_blind and any((m.used or 0) > _IDLE for m in holders.values()):
        return None
    found: dict[int, int] = {}
    for gpu, memory in holders.items():
        held = [memory.by_pid[pid] for pid in pids & memory.by_pid.keys()]
        known = [n for n in held if n is not None]
        if len(known) < len(held):
            return None
        if known:
            found[gpu] = sum(known)
    return found


def parse_holders(gpus: str, processes: str) -> dict[int, GpuMemory]:
    """Read ``nvidia-smi``'s tables of GPUs and of processes that compute. Pure."""
    held: dict[str, dict[int, int | None]] = {}
    for uuid, pid, megabytes in _rows(processes, 3):
        if pid.isdigit():
            held.setdefault(uuid, {})[int(pid)] = _bytes(megabytes)
    return {
        int(index): GpuMemory(held.get(uuid, {}), _bytes(used))
        for index, uuid, used in _rows(gpus, 3)
        if index.isdigit()
    }


def _bytes(megabytes: str) -> int | None:
    return int(megabytes) * _MB if megabytes.isdigit() else None


def _rows(table: str, columns: int) -> Iterator[list[str]]:
    for line in table.splitlines():
        row = [cell.strip() for cell in line.split(",")]
        if len(row) == columns:
            yield row


def _ask_tool() -> Holders:
    return parse_holders(
        run_tool("nvidia-smi", _GPUS, _FORMAT),
        run_tool("nvidia-smi", _PROCESSES, _FORMAT),
    )


def _ask_library() -> Holders:
    try:
        lib: Any = importlib.import_module("pynvml")  # an extra
    except ImportError as exc:
        raise SourceError("pynvml is not installed") from exc
    try:
        lib.nvmlInit()  # counted: others may have it open
        try:
            return {
                gpu: _on_device(lib, lib.nvmlDeviceGetHandleByIndex(gpu))
                for gpu in range(lib.nvmlDeviceGetCount())
            }
        finally:
            lib.nvmlShutdown()
    except lib.NVMLError as exc:
        raise SourceError(f"NVML: {exc}") from exc


def _on_device(lib: Any, device: object) -> GpuMemory:
    """Ask for processes of both kinds, for one that draws may compute by Vulkan."""
    found: dict[int, int | None] = {}
    for processes in (
        lib.nvmlDeviceGetComputeRunningProcesses(device),
        lib.nvmlDeviceGetGraphicsRunningProcesses(device),
    ):
        for process in processes:
            found.setdefault(process.pid, process.usedGpuMemory)
    return GpuMemory(found, nvml_memory(lib, device).used)
