"""What a model holds, measured once it is ready."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

import psutil

from swapper.config.learnt import Footprint
from swapper.core.errors import InboxClosedError
from swapper.hardware.holders import Holders, gpu_holders, held_by
from swapper.hardware.processes import resident_bytes, tree_of
from swapper.sync import Inbox, OwnerThread

logger = logging.getLogger(__name__)

_END_S: Final = 3.0

Tell: TypeAlias = Callable[[Footprint], None]
"""Takes what was measured, in the gauge's thread; must neither block nor raise."""


OnGpus: TypeAlias = Callable[[int, Mapping[int, int], Holders], None]
"""Takes the pid, what its tree holds by GPU, and the whole; as ``Tell``."""


@dataclass(frozen=True, slots=True)
class _Measure:
    pid: int
    tell: Tell


@dataclass(frozen=True, slots=True)
class _End:
    pass


class Gauge:
    """Measures one process tree after the other, in thread ``gauge``. Any thread.

    The thread begins with the first that is to be measured: a tool for GPUs may take
    seconds, and nobody else shall wait for it.
    """

    def __init__(
        self,
        holders: Callable[[], Holders | None] = gpu_holders,
        *,
        on_gpus: OnGpus = lambda _pid, _held, _holders: None,
    ) -> None:
        """Prepare.

        Args:
            holders: asks the GPUs' tool; may block for seconds.
            on_gpus: told of those on GPUs too.
        """
        self._holders = holders
        self._on_gpus = on_gpus
        self._inbox: Inbox[_Measure | _End] = Inbox()
        self._thread = OwnerThread("gauge", self._run)
        self._lock = threading.Lock()  # guards _is_started
        self._is_started = False

    def measure(self, pid: int, tell: Tell) -> None:
        """Have a process and its descendants measured; *tell* is not called if it ends."""
        try:
            self._inbox.put(_Measure(pid, tell))
        except InboxClosedError:
            return
        with self._lock:
            is_first, self._is_started = not self._is_started, True
        if is_first:
            self._thread.start()

    def close(self) -> None:
        """End the thread; what was not measured yet will not be."""
        with suppress(InboxClosedError):
            self._inbox.put(_End())
        if not self._thread.join(_END_S):
            logger.warning("the measuring of memory did not end in time")

    # --- thread gauge -------------------------------------------------------------

    def _run(self) -> None:
        while isinstance(message := self._inbox.get(), _Measure):
            try:
                footprint = self._measured(message.pid)
            except (OSError, psutil.Error) as exc:
                logger.debug("pid=%d was not measured: %s", message.pid, exc)
                continue
            if footprint is not None:
                message.tell(footprint)
        self._inbox.close()

    def _measured(self, pid: int) -> Footprint | None:
        holders = self._holders()
        tree = tree_of(pid)
        ram_bytes = resident_bytes(tree)
        if not ram_bytes:
            return None  # it has ended
        held = held_by(tree, holders)
        if held and holders:
            self._on_gpus(pid, held, holders)
        return Footprint(ram_bytes=ram_bytes, gpu_bytes=held)
