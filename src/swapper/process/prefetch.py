"""Reads the files of the model that will load next while its load has to wait.

What was read lies in the kernel's page cache, so the model's own reading does not wait
for a disk. Plain reads into one buffer: ``posix_fadvise`` reads ahead a few hundred
kilobytes per call, whatever it is asked for.
"""

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from swapper.config.schema import ModelConfig
from swapper.core.errors import InboxClosedError
from swapper.core.ids import ModelId
from swapper.hardware import cache_room_bytes
from swapper.process.weights import missing_files, weight_files
from swapper.sync import Inbox, OwnerThread

logger = logging.getLogger(__name__)

_PIECE_BYTES: Final = 4 << 20
_END_S: Final = 3.0
_IS_ABLE: Final = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class _End:
    pass


@dataclass(slots=True)
class _Progress:
    """What was done for one wish; *left_bytes* counts what is cached already too."""

    buffer: bytearray = field(default_factory=partial(bytearray, _PIECE_BYTES))
    read_bytes: int = 0
    left_bytes: int = 0


class Prefetcher:
    """Reads for one model at a time, the last one asked for. Thread ``prefetch``.

    The thread begins with the first wish. A read blocks as long as the disk takes, so
    nobody waits for this thread but ``close``, and that not for ever.
    """

    def __init__(self, room: Callable[[], int] = cache_room_bytes) -> None:
        """Prepare; *room* tells how many bytes may be read, asked at each piece."""
        self._room = room
        self._inbox: Inbox[ModelConfig | _End] = Inbox()
        self._thread = OwnerThread("prefetch", self._run)
        self._is_started = False
        self._missed: set[tuple[ModelId, str]] = set()  # the thread's own

    def want(self, model: ModelConfig) -> None:
        """Have the files of *model* read, and no others. Router thread; never blocks."""
        if not _IS_ABLE or (model.prefetch == () and not self._is_started):
            return
        with suppress(InboxClosedError):
            self._inbox.put(model)
            if not self._is_started:
                self._is_started = True
                self._thread.start()

    def close(self) -> None:
        """End the thread; what is being read is given up. Not the router thread."""
        with suppress(InboxClosedError):
            self._inbox.put(_End())
        if not self._thread.join(_END_S):
            logger.warning(
                "reading ahead did not end in time: the disk does not answer"
            )

    # --- thread prefetch ------------------------------------------------------------

    def _run(self) -> None:
        while isinstance(wish := self._latest(), ModelConfig):
            self._read(wish)
        self._inbox.close()

    def _latest(self) -> ModelConfig | _End | None:
        wish = self._inbox.get()
        while isinstance(wish, ModelConfig) and self._inbox.unread:
            wish = self._inbox.poll()
        return wish

    def _read(self, model: ModelConfig) -> None:
        for text in missing_files(model):
            if (model.id, text) not in self._missed:
                self._missed.add((model.id, text))
                logger.warning("prefetch model=%s: there is no %s", model.id, text)
        progress, began_s = _Progress(), time.monotonic()
        try:
            why = self._read_all(weight_files(model), progress)
        except OSError as exc:
            logger.warning("prefetch model=%s: %s", model.id, exc)
            return
        if progress.read_bytes or why:
            logger.info(
                "read ahead model=%s mib=%d seconds=%.1f%s",
                model.id,
                progress.read_bytes >> 20,
                time.monotonic() - began_s,
                f' stopped="{why}"' if why else "",
            )

    def _read_all(self, files: list[Path], progress: _Progress) -> str:
        """Read what is not cached; return why not all of it, "" if it was all."""
        progress.left_bytes = sum(path.stat().st_size for path in files)
        for path in files:
            with path.open("rb", buffering=0) as file:
                why = self._read_file(file.fileno(), progress)
            if why:
                return why
        return ""

    def _read_file(self, fd: int, progress: _Progress) -> str:
        size = os.fstat(fd).st_size
        for begin in range(0, size, _PIECE_BYTES):
            end = min(begin + _PIECE_BYTES, size)
            if self._inbox.unread:
                return "something else goes first"
            if not _is_cached(fd, end - 1):
                if self._room() < progress.left_bytes:
                    return "memory is short"
                progress.read_bytes += os.preadv(fd, [progress.buffer], begin)
            progress.left_bytes -= end - begin
        return ""


def _is_cached(fd: int, offset: int) -> bool:
    """Return whether the page at *offset* is in memory; False if nobody can tell.

    The last page of a piece stands for it: asking makes the kernel read on from there,
    which must not count as an answer for what is asked next.
    """
    with suppress(OSError):  # it would block, or this file system does not say
        return os.preadv(fd, [bytearray(1)], offset, os.RWF_NOWAIT) > 0
    return False
