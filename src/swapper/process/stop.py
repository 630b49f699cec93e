"""One stop, in a thread of its own: ask, wait, kill, and see that nothing is left.

1. ``cmdStop``, or one SIGTERM for everybody in the tree (in what order: ``tree.py``).
2. Wait for the process itself, at most the grace.
3. It has ended: the rest of the tree gets SIGTERM, if it has not had it, and half a
   second, within the grace. It has not: no more waiting.
4. SIGKILL until the tree is empty.
5. The local address no longer accepts connections.
"""

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from swapper.config.schema import ModelConfig
from swapper.core.errors import InboxClosedError, SpawnError
from swapper.hardware import MemoryReturns
from swapper.process.port import accepts
from swapper.process.proctable import Entry
from swapper.process.spawn import Child, Spawner
from swapper.sync import Inbox, OwnerThread

logger = logging.getLogger(__name__)

_REST_S: Final = 0.5
_KILL_S: Final = 10.0
_PORT_S: Final = 2.0
_SHORTEST_PAUSE_S: Final = 0.001
_LONGEST_PAUSE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class _LeaderGone:
    pass


@dataclass(frozen=True, slots=True)
class _Shorten:
    deadline: float


@dataclass(frozen=True, slots=True)
class _CommandEnded:
    returncode: int


_Message: TypeAlias = _LeaderGone | _Shorten | _CommandEnded


class TreeStop:
    """Helper of a supervisor; thread ``process:<model>:stop``."""

    __slots__ = (
        "_child",
        "_command",
        "_command_runs",
        "_complained",
        "_config",
        "_deadline",
        "_done",
        "_inbox",
        "_leader_gone",
        "_memory",
        "_spawner",
    )

    def __init__(
        self,
        child: Child,
        config: ModelConfig,
        spawner: Spawner,
        *,
        memory: MemoryReturns,
        deadline: float,
        done: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            child: what to stop.
            config: for ``cmdStop``.
            spawner: made *child*; runs ``cmdStop``.
            memory: is told what is to come back.
            deadline: end of the grace on ``time.monotonic``.
            done: told once when nothing is left, from the helper's thread.
        """
        self._child = child
        self._config = config
        self._spawner = spawner
        self._memory = memory
        self._deadline = deadline
        self._done = done
        self._inbox: Inbox[_Message] = Inbox()
        self._leader_gone = False
        self._command: Child | None = None
        self._command_runs = False
        self._complained = False

    def begin(self) -> None:
        """Start the thread. Once."""
        OwnerThread(
            f"process:{self._config.id}:stop",
            self._run,
            on_failure=self._crashed,
        ).start()

    def leader_gone(self) -> None:
        """Say that the process itself has ended. Any thread."""
        self._post(_LeaderGone())

    def shorten(self, deadline: float) -> None:
        """Bring the end of the grace forward; a later one changes nothing."""
        self._post(_Shorten(deadline))

    def _post(self, message: _Message) -> None:
        try:
            self._inbox.put(message)
        except InboxClosedError:
            return  # the stop is over

    # --- the thread -----------------------------------------------------------

    def _run(self) -> None:
        while (message := self._inbox.get(0.0)) is not None:
            self._take(message)
        debt = self._memory.before_stop(self._child.pid)
        if not self._leader_gone:
            self._ask()
            while not self._leader_gone and self._wait(self._deadline):
                pass
        if self._clear():
            for child in filter(None, (self._command, self._child)):
                self._spawner.bury(child)
        self._await_free_port()
        self._memory.after_stop(self._config.id, debt)
        self._inbox.close()
        self._done()

    def _take(self, message: _Message) -> None:
        match message:
            case _LeaderGone():
                self._leader_gone = True
            case _Shorten(deadline):
                self._deadline = min(self._deadline, deadline)
            case _CommandEnded(returncode):
                self._on_command_ended(returncode)

    def _wait(self, until: float) -> bool:
        """Take one message; return False if none came until then."""
        message = self._inbox.get(until)
        if message is not None:
            self._take(message)
        return message is not None

    def _ask(self) -> None:
        text = self._config.cmd_stop.replace("${PID}", str(self._child.pid))
        if not text.strip():
            self._child.tree.ask_everybody()
            return
        try:
            command = self._spawner.spawn(text)
        except SpawnError as exc:
            self._complain(exc.cause)
            self._child.tree.ask_everybody()
            return
        self._command, self._command_runs = command, True
        OwnerThread(
            f"process:{self._config.id}:cmdstop",
            lambda: self._post(_CommandEnded(self._spawner.wait(command))),
        ).start()

    def _on_command_ended(self, returncode: int) -> None:
        self._command_runs = False
        if returncode != 0:
            self._complain(f"returncode={returncode}")
            if not self._leader_gone:  # nobody else has asked the process to end
                self._terminate(self._child.tree.members())

    def _complain(self, why: str) -> None:
        if not self._complained:
            logger.error("stop command failed model=%s %s", self._config.id, why)
        self._complained = True

    def _terminate(self, members: Sequence[Entry]) -> None:
        command_pid = self._command.pid if self._command is not None else 0
        self._child.tree.terminate(
            [entry for entry in members if entry.pgid != command_pid]
        )

    def _kill(self, members: Sequence[Entry]) -> None:
        if self._command is not None and self._command_runs:
            self._complain("it does not end")
            with contextlib.suppress(OSError):  # it ends at this moment
                os.killpg(self._command.pid, signal.SIGKILL)
        self._child.tree.kill(members)

    def _clear(self) -> bool:
        """End what is left of the tree; return False if something cannot be killed."""
        now = began_at = time.monotonic()
        kill_at = min(now + _REST_S, self._deadline) if self._leader_gone else now
        give_up_at = max(kill_at, now) + _KILL_S
        while True:
            members = self._child.tree.members()
            if not members and self._leader_gone and not self._command_runs:
                return True
            now = time.monotonic()
            if now >= give_up_at:
                pids = [entry.pid for entry in members] or [self._child.pid]
                logger.error(
                    "processes do not end model=%s pids=%s", self._config.id, pids
                )
                return False
            if now < kill_at:
                self._terminate(members)
            else:
                self._kill(members)
            # Looking is cheap: what ends is missed for a tenth of the time it took.
            pause_s = max((now - began_at) / 10, _SHORTEST_PAUSE_S)
            self._wait(now + min(pause_s, _LONGEST_PAUSE_S))

    def _await_free_port(self) -> None:
        address = self._child.address
        until = time.monotonic() + _PORT_S
        while address is not None and accepts(address):
            if time.monotonic() >= until:
                logger.warning(
                    "address still in use after stop model=%s address=%s",
                    self._config.id,
                    address,
                )
                return
            self._wait(time.monotonic() + _LONGEST_PAUSE_S)

    def _crashed(self, _: BaseException) -> None:
        with contextlib.suppress(OSError):  # nobody is left
            os.killpg(self._child.pid, signal.SIGKILL)
        self._done()
