"""Making processes and learning of their end; the seam where ``OSError`` is named.

A process is made in its own session, reads nothing, and writes both of its outputs
into one pipe. ``preexec_fn`` is never used: it forces a fork that copies our page
tables (78 ms at 2 GB) where otherwise vfork does (0.1 ms).
"""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Final

from swapper.config.commands import split_command
from swapper.config.schema import ModelConfig
from swapper.core.errors import InboxClosedError, SpawnError
from swapper.logs import Sink
from swapper.process.mark import Mark
from swapper.process.output import Channel, OutputPump
from swapper.process.proctable import MARK_NAME
from swapper.process.tree import Tree

_CAN_PEEK: Final = hasattr(os, "waitid")


class Child:
    """A process we made. ``wait`` belongs to one thread, ``reap`` to another.

    Attributes:
        pid: also the id of its session and process group.
        started_at: on ``time.monotonic``.
        tree: the process with all descendants; for the thread that stops it.
        channel: its output.
    """

    __slots__ = ("_popen", "channel", "pid", "started_at", "tree")

    def __init__(
        self, popen: "subprocess.Popen[bytes]", tree: Tree, channel: Channel
    ) -> None:
        self._popen = popen
        self.pid = popen.pid
        self.started_at = time.monotonic()
        self.tree = tree
        self.channel = channel

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
    """Makes the processes of one model. Any thread; may block on a slow disk."""

    __slots__ = ("_config", "_mark", "_pump", "_sink")

    def __init__(
        self, config: ModelConfig, mark: Mark, pump: OutputPump, sink: Sink
    ) -> None:
        """Prepare.

        Args:
            config: whose ``cmd`` and ``env`` to use.
            mark: put into the environment.
            pump: reads the output.
            sink: gets the output.
        """
        self._config = config
        self._mark = mark
        self._pump = pump
        self._sink = sink

    def spawn(self, command: str) -> Child:
        """Start *command* with the model's environment.

        Raises:
            SpawnError: it cannot be split, found or executed.
        """
        try:
            return self._spawn(split_command(command))
        except (OSError, ValueError, InboxClosedError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else None
            raise SpawnError(
                self._config.id,
                f"failed to start command '{command.strip()}': "
                f"{reason or exc or type(exc).__name__}",
            ) from exc

    def _spawn(self, argv: Sequence[str]) -> Child:
        program = _find_program(argv[0])
        environ = environment(os.environ, self._config.env)
        environ[MARK_NAME] = str(self._mark)
        channel, writing = self._pump.open_channel(self._sink)
        try:
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
            os.close(writing)
            self._pump.finish(channel)
            raise
        os.close(writing)
        return Child(popen, Tree(popen.pid, str(self._mark)), channel)


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


def end_hard(child: Child) -> None:
    """Kill a process group without further ceremony, in an emergency."""
    with contextlib.suppress(OSError):
        os.killpg(child.pid, 9)
