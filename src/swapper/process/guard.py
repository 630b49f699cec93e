"""Nothing is left behind when swapper dies without a chance to clean up.

A small process of our own, in its own session, holds the reading end of a pipe; when
the pipe ends, swapper is dead, however it died, and the guard stops what it left
(``proctable.py`` is its program). It starts with the first model, is started again
if somebody kills it, and is told ``bye`` at an orderly end.
"""

import contextlib
import logging
import os
import subprocess
import sys
import threading
from typing import Final

from swapper.process import proctable

logger = logging.getLogger(__name__)

_END_S: Final = 2.0


class Guard:
    """Our side of the pipe. Any thread; no method blocks but ``close``."""

    __slots__ = ("_closed", "_groups", "_lock", "_mark_prefix", "_process")

    def __init__(self, mark_prefix: str) -> None:
        """Prepare; nothing is started yet.

        Args:
            mark_prefix: beginning of the mark of every process of this swapper.
        """
        self._mark_prefix = mark_prefix
        # Guards all below. Held while the guard is started, once, by start helpers,
        # which have nothing better to do; writes to its pipe never block.
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._groups: set[int] = set()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """Return the guard's process id; None while there is none."""
        process = self._process
        return process.pid if process is not None else None

    def add(self, pgid: int) -> None:
        """Watch over the session and process group *pgid*."""
        with self._lock:
            self._groups.add(pgid)
            if not self._closed and not self._tell(f"add {pgid}\n"):
                self._restart()

    def remove(self, pgid: int) -> None:
        """Forget *pgid*: nothing of it is left."""
        with self._lock:
            self._groups.discard(pgid)
            self._tell(f"del {pgid}\n")

    def close(self) -> None:
        """Dismiss the guard, which first stops what is still registered, if any."""
        with self._lock:
            self._closed = True
            if not self._groups:
                self._tell("bye\n")
            process, self._process = self._process, None
        if process is not None:
            _dismiss(process)

    def _restart(self) -> None:
        if self._process is not None:
            logger.warning("guard process has died pid=%d", self._process.pid)
            _dismiss(self._process)
        self._process = _start_guard(self._mark_prefix)
        for pgid in self._groups:
            self._tell(f"add {pgid}\n")

    def _tell(self, order: str) -> bool:
        """Write one order; return False if there is no guard to read it."""
        if self._process is None or self._process.stdin is None:
            return False
        try:
            os.write(self._process.stdin.fileno(), order.encode())
        except BlockingIOError:
            return True  # it is stopped; marks tell it as much once it goes on
        except OSError:
            return False
        return True


def _start_guard(mark_prefix: str) -> "subprocess.Popen[bytes] | None":
    """Start the guard; None, with a warning, where that is impossible."""
    environ = dict(os.environ)
    environ.pop(proctable.MARK_NAME, None)  # it is not a model of an outer swapper
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", proctable.__file__, mark_prefix],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd="/",
            env=environ,
            start_new_session=True,  # Ctrl-C in our terminal is not for it
        )
    except (OSError, ValueError) as exc:
        logger.warning("guard process cannot be started error=%s", exc)
        return None
    if process.stdin is not None:
        os.set_blocking(process.stdin.fileno(), False)
    return process


def _dismiss(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(_END_S + proctable.GUARD_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
