"""Who holds how much memory on which GPU, asked for when somebody wants to know.

NVIDIA's library or ``nvidia-smi``; other makers' tools do not tell by process.
"""

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from swapper.hardware.sources import SourceError, run_tool

Holders: TypeAlias = Mapping[int, Mapping[int, int | None]]
"""GPU number -> pid -> bytes; None if the tool sees the process and not its memory."""

_FORMAT: Final = "--format=csv,noheader,nounits"
_GPUS: Final = "--query-gpu=index,uuid"
_PROCESSES: Final = "--query-compute-apps=gpu_uuid,pid,used_memory"
_MB: Final = 1 << 20


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
    """Return what some processes hold together, by GPU; None if it is not known. Pure."""
    if holders is None:
        return None
    found: dict[int, int] = {}
    for gpu, of_gpu in holders.items():
        held = [of_gpu[pid] for pid in pids & of_gpu.keys()]
        known = [n for n in held if n is not None]
        if len(known) < len(held):
            return None
        if known:
            found[gpu] = sum(known)
    return found


def parse_holders(gpus: str, processes: str) -> dict[int, dict[int, int | None]]:
    """Read ``nvidia-smi``'s tables of GPUs and of processes that compute. Pure."""
    numbers = {uuid: int(index) for index, uuid in _rows(gpus, 2) if index.isdigit()}
    found: dict[int, dict[int, int | None]] = {gpu: {} for gpu in numbers.values()}
    for uuid, pid, megabytes in _rows(processes, 3):
        if uuid in numbers and pid.isdigit():
            held = int(megabytes) * _MB if megabytes.isdigit() else None
            found[numbers[uuid]][int(pid)] = held
    return found


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


def _on_device(lib: Any, device: object) -> dict[int, int | None]:
    """Return pid -> bytes; of both kinds, for one that draws may compute by Vulkan."""
    found: dict[int, int | None] = {}
    for processes in (
        lib.nvmlDeviceGetComputeRunningProcesses(device),
        lib.nvmlDeviceGetGraphicsRunningProcesses(device),
    ):
        for process in processes:
            found.setdefault(process.pid, process.usedGpuMemory)
    return found
