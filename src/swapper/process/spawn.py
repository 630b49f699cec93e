"""Making processes and learning of their end; the seam where ``OSError`` is named.

A process is made in its own session, reads nothing, and writes both of its outputs
into one pipe. ``preexec_fn`` is never used: it forces a fork that copies our page
tables (78 ms at 2 GB) where otherwise vfork does (0.1 ms).
"""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Final

from swapper.config.commands import split_command
from swapper.config.schema import ModelConfig
from swapper.core.errors import InboxClosedError, SpawnError
from swapper.logs import Monitor
from swapper.process.guard import Guard
from swapper.process.limits import restore_open_files
from swapper.process.logtail import tail_lines
from swapper.process.mark import Mark
from swapper.process.output import Channel, OutputPump
from swapper.process.port import Address
from swapper.process.proctable import MARK_NAME
from swapper.process.tree import Tree
from swapper.sync.affinity import AFFINITY

_CAN_PEEK: Final = hasattr(os, "waitid")


class Child:
    """A process we made. ``wait`` belongs to one thread, ``reap`` to another.

    Attributes:
        pid: also the id of its session and process group.
        tree: the process with all descendants; for the thread that stops it.
        channel: its output.
        log_mark: where its output begins in its monitor.
        address: where on this machine it is to listen; None if elsewhere.
        started_at: on ``time.monotonic``.
    """

    __slots__ = (
        "_popen",
        "address",
        "channel",
        "log_mark",
        "pid",
        "started_at",
        "tree",
    )

    def __init__(
        self,
        popen: "subprocess.Popen[bytes]",
        tree: Tree,
        channel: Channel,
        log_mark: int,
    ) -> None:
        self._popen = popen
        self.pid = popen.pid
        self.tree = tree
        self.channel = channel
        self.log_mark = log_mark
        self.address: Address | None = None
        self.started_at = time.monotonic()

    def wait(self) -> int:
        """Block until it ends; return its exit code, or minus the signal's number.

        The zombie stays, where the system allows that, until ``reap``: as long as it
        is there, neither its pid nor its process group can become somebody else's.
        """
        if not _CAN_PEEK:
            return self._popen.wait()
        try:
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        except ChildProcessError:  # SIGCHLD is ignored by whoever embeds us
            return self._popen.wait()
        if ended is None or ended.si_code == os.CLD_EXITED:
            return ended.si_status if ended is not None else 0
        return -ended.si_status

    def reap(self) -> None:
        """Remove the zombie. Only after ``wait`` has returned; does not block then."""
        self._popen.wait()


class Spawner:
    """Makes the processes of one run, and buries them. Any thread."""

    __slots__ = ("_config", "_guard", "_mark", "_monitor", "_pump")

    def __init__(
        self,
        config: ModelConfig,
        monitor: Monitor,
        *,
        mark: Mark,
        pump: OutputPump,
        guard: Guard,
    ) -> None:
        """Prepare.

        Args:
            config: whose ``cmd``, ``cmdStop`` and ``env`` to use.
            monitor: gets the output.
            mark: put into the environment; of this run alone.
            pump: reads the output.
            guard: told of every process.
        """
        self._config = config
        self._monitor = monitor
        self._mark = mark
        self._pump = pump
        self._guard = guard

    def spawn(self, command: str, address: Address | None = None) -> Child:
        """Start *command* with the model's environment; may block on a slow disk.

        Args:
            command: text, not yet split.
            address: where on this machine it is to listen; None if elsewhere.

        Raises:
            SpawnError: it cannot be split, found or executed.
        """
        try:
            child = self._spawn(split_command(command))
        except (OSError, ValueError, InboxClosedError) as exc:
            raise SpawnError(
                self._config.id,
                f"failed to start command '{command.strip()}': {_reason(exc)}",
            ) from exc
        child.address = address
        self._guard.add(child.pid)
        return child

    def wait(self, child: Child) -> int:
        """Block until *child* ends and all it wrote is in the log; see its ``wait``."""
        returncode = child.wait()
        self._pump.drain(child.channel)
        return returncode

    def log_tail(self, child: Child) -> tuple[str, ...]:
        """Return the last lines *child* wrote."""
        return tail_lines(self._monitor.since(child.log_mark))

    def bury(self, child: Child) -> None:
        """Let go of a process whose whole tree has ended."""
        self._pump.finish(child.channel)
        child.reap()
        self._guard.remove(child.pid)

    def _spawn(self, argv: Sequence[str]) -> Child:
        program = _find_program(argv[0])
        environ = environment(os.environ, self._config.env)
        environ[MARK_NAME] = str(self._mark)
        log_mark = self._monitor.mark()
        channel, writing = self._pump.open_channel(self._monitor)
        try:
            with AFFINITY.unrestricted():
                popen = subprocess.Popen(
                    argv,
                    executable=program,
                    stdin=subprocess.DEVNULL,
                    stdout=writing,
                    stderr=writing,
                    env=environ,
                    start_new_session=True,
                )
        except BaseException:
            self._pump.finish(channel)
            raise
        finally:
            os.close(writing)
        restore_open_files(popen.pid)
        return Child(popen, Tree(popen.pid, str(self._mark)), channel, log_mark)


def environment(ours: Mapping[str, str], items: Sequence[str]) -> dict[str, str]:
    """Return *ours* with ``NAME=value`` items on top; the last one of a name wins.

    What is not of that form is left out, as by the reference (config.md 9, MOD-17).
    """
    result = dict(ours)
    for item in items:
        name, has_value, value = item.partition("=")
        if name and has_value:
            result[name] = value
    return result


def _find_program(name: str) -> str:
    """Return what to execute for *name*, searched in our own ``PATH``.

    Raises:
        FileNotFoundError: nothing executable of that name.
    """
    if "/" in name:
        return name
    found = shutil.which(name) if name else None
    if found is None:
        raise FileNotFoundError(2, "executable file not found in PATH")
    return found


def _reason(exc: Exception) -> str:
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    if isinstance(exc, InboxClosedError):
        return "swapper is shutting down"
    return str(exc)
