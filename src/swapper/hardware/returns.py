"""Memory that stopped models have not given back yet, and waiting for it.

The memory of its own a process gives back as it ends; nobody hears that a model has
stopped before that. Two kinds may take longer: shared memory (``/dev/shm``), which
outlives a process until somebody removes it, and memory of GPUs, which the driver
frees in its own time. Each has a level that falls as it comes back: all shared memory
of the machine, and what is in use of a GPU and no process has.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from swapper.config.learnt import RAM
from swapper.core.ids import ModelId
from swapper.hardware.holders import Holders, gpu_holders
from swapper.hardware.processes import tree_of
from swapper.sync import CancelToken

logger = logging.getLogger(__name__)

WAIT_S: Final = 10.0
"""So long after its stop a model's memory is waited for."""

_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.25
_MB: Final = 1 << 20
_UNNOTICED: Final = 32 * _MB
"""Others come and go, so less than that is not waited for."""


@dataclass(frozen=True, slots=True)
class Debt:
    """What a model that stops is to give back.

    Attributes:
        shared: level of shared memory at which it has; None if it held none.
        gpus: likewise, by GPU.
    """

    shared: int | None = None
    gpus: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Owed:
    model: ModelId
    debt: Debt
    until_s: float


def shared_bytes() -> int | None:
    """Return the machine's shared memory; None where it is not told (not Linux)."""
    return _kilobytes("/proc/meminfo", "Shmem:")


def shared_bytes_of(pids: Collection[int]) -> int:
    """Return the shared memory of a process tree: it is the same for all of it."""
    held = (_kilobytes(f"/proc/{pid}/status", "RssShmem:") for pid in pids)
    return max((n for n in held if n is not None), default=0)


def _kilobytes(path: str, name: str) -> int | None:
    try:
        text = Path(path).read_text("utf-8", "replace")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) << 10
    return None


class MemoryReturns:
    """Knows what is owed. Any thread; nothing but ``wait`` waits."""

    def __init__(
        self,
        measured: Callable[[], Collection[str]],
        *,
        holders: Callable[[], Holders | None] = gpu_holders,
        shared: Callable[[], int | None] = shared_bytes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare.

        Args:
            measured: the resources of the budget that are measured; of no others
                anything is owed.
            holders: asks the GPUs' tool; may block for seconds.
            shared: the machine's shared memory in bytes; None if it does not tell.
            monotonic: the clock.
        """
        self._measured = measured
        self._holders = holders
        self._shared = shared
        self._monotonic = monotonic
        self._lock = threading.Lock()  # guards what follows
        self._on_gpus: dict[int, Mapping[int, int]] = {}  # by pid, as Debt.gpus
        self._owed: list[_Owed] = []

    def ready(self, pid: int, held: Mapping[int, int], holders: Holders) -> None:
        """Note what the first process of a tree and the rest hold on GPUs.

        Args:
            pid: of the first.
            held: by GPU.
            holders: the whole, asked for at the same moment.
        """
        levels = {
            gpu: nobodys + _slack(held[gpu])
            for gpu, memory in holders.items()
            if held.get(gpu, 0) >= _UNNOTICED
            and (nobodys := memory.nobodys) is not None
        }
        with self._lock:
            self._on_gpus[pid] = levels

    def before_stop(self, pid: int) -> Debt:
        """Return what a process and its descendants will owe. Takes a millisecond."""
        with self._lock:
            gpus = self._on_gpus.pop(pid, {})
        measured = self._measured()
        if all(name == RAM for name in measured):
            gpus = {}
        shared = self._shared() if RAM in measured else None
        held = shared_bytes_of(tree_of(pid)) if shared is not None else 0
        if shared is None or held < _UNNOTICED:
            return Debt(gpus=gpus)
        return Debt(shared=shared - held + _slack(held), gpus=gpus)

    def after_stop(self, model: ModelId, debt: Debt) -> None:
        """Have what is owed waited for from now on."""
        if debt != Debt():
            owed = _Owed(model, debt, self._monotonic() + WAIT_S)
            with self._lock:
                self._owed.append(owed)

    def wait(self, model: ModelId, cancel: CancelToken) -> None:
        """Return when nothing is owed, at the latest ``WAIT_S`` after the last stop.

        Args:
            model: that is to be loaded.
            cancel: ends the wait.
        """
        woken, pause_s, is_told = threading.Event(), _FIRST_PAUSE_S, False
        binding = cancel.bind(woken.set)
        try:
            while (owed := self._left(model)) and not cancel.cancelled:
                if not is_told:
                    names = ", ".join(dict.fromkeys(entry.model for entry in owed))
                    logger.info(
                        "load waits until memory is back model=%s of=%s", model, names
                    )
                    is_told = True
                woken.wait(pause_s)
                pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
        finally:
            binding.release()

    def _left(self, model: ModelId) -> list[_Owed]:
        """Return what is still owed; forget what is not, or is due no more."""
        with self._lock:
            owed = list(self._owed)
        if not owed:
            return []
        needs_tool = any(entry.debt.gpus for entry in owed)
        shared, holders = self._shared(), self._holders() if needs_tool else None
        left = []
        for entry in owed:
            late = dict(_late(entry.debt, shared, holders or {}))
            if late and self._monotonic() < entry.until_s:
                left.append(entry)
            elif self._forget(entry) and late:
                listed = ", ".join(
                    f"{n >> 20} MiB of {name}" for name, n in late.items()
                )
                logger.warning(
                    "memory is not back %.0f s after a stop, the load goes on "
                    "model=%s of=%s lacking=%s",
                    *(WAIT_S, model, entry.model, listed),
                )
        return left

    def _forget(self, entry: _Owed) -> bool:
        """Forget an entry; return False if somebody else has."""
        with self._lock, suppress(ValueError):
            self._owed.remove(entry)
            return True
        return False


def _slack(held: int) -> int:
    """Return by how much a level may be higher than it was: others come and go."""
    return max(held // 10, _UNNOTICED // 2)


def _late(
    debt: Debt, shared: int | None, holders: Holders
) -> Collection[tuple[str, int]]:
    """Return what is lacking, by name of the level."""
    levels = {gpu: memory.nobodys for gpu, memory in holders.items()}
    lacking = [
        (f"gpu{gpu}", level - most)
        for gpu, most in debt.gpus.items()
        if (level := levels.get(gpu)) is not None
    ]
    if debt.shared is not None and shared is not None:
        lacking.append((RAM, shared - debt.shared))
    return [(name, n) for name, n in lacking if n > 0]
