"""One run of a model: the start, the process, the stop, as one thing."""

import contextlib
import os
import signal
import time
from collections.abc import Callable

from swapper.config.schema import ModelConfig
from swapper.core.errors import ExitedError
from swapper.core.ids import RunId
from swapper.logs import Monitor
from swapper.process.host import ProcessHost
from swapper.process.messages import ChildEnded, SupervisorMessage, TreeGone
from swapper.process.oom import oom_killed, oom_kills
from swapper.process.spawn import Child
from swapper.process.start import Start
from swapper.process.stop import TreeStop
from swapper.sync import OwnerThread


class Run:
    """What the supervisor's thread has in hand; no other thread calls it.

    No method blocks: start, wait and stop are threads that report by messages.

    Attributes:
        id: its number.
        config: the model as it was when the run began.
        child: the process; None before there is one.
    """

    __slots__ = (
        "_leader_gone",
        "_memory",
        "_ooms",
        "_report",
        "_spawner",
        "_start",
        "_stop",
        "_stop_deadline",
        "child",
        "config",
        "id",
    )

    def __init__(
        self,
        run: RunId,
        config: ModelConfig,
        *,
        monitor: Monitor,
        host: ProcessHost,
        report: Callable[[SupervisorMessage], None],
    ) -> None:
        """Prepare.

        Args:
            run: its number.
            config: the model.
            monitor: gets the output.
            host: makes the process.
            report: takes the helpers' messages; any thread, never blocks.
        """
        self.id = run
        self.child: Child | None = None
        self.config = config
        self._report = report
        self._spawner = host.spawner(config, monitor)
        self._memory = host.memory
        self._start = Start(
            run, config, self._spawner, monitor, report, memory=host.memory
        )
        self._stop: TreeStop | None = None
        self._stop_deadline: float | None = None
        self._leader_gone = False
        self._ooms = oom_kills()

    @property
    def age_s(self) -> float:
        """Return seconds since the process was made; 0 before."""
        return time.monotonic() - self.child.started_at if self.child else 0.0

    def begin(self) -> None:
        """Start; ``Spawned`` or ``StartFailed`` follows."""
        self._start.begin()

    def adopt(self, child: Child) -> None:
        """Take the process that was made; ``ChildEnded`` follows some day.

        If the run was told to stop meanwhile, the stop begins now.
        """
        self.child = child
        OwnerThread(f"process:{self.config.id}:wait", self._wait).start()
        if self._stop_deadline is not None:
            self._begin_stop(child, self._stop_deadline)

    def child_ended(self) -> None:
        """Note that the process itself has ended."""
        self._leader_gone = True
        if self._stop is not None:
            self._stop.leader_gone()

    def stop(self, grace_s: float) -> None:
        """Stop, or shorten the grace of the stop; ``TreeGone`` follows.

        Without a process yet, ``StartFailed`` may follow instead.
        """
        deadline = time.monotonic() + grace_s
        if self._stop_deadline is None:
            self._start.cancel()
            self._stop_deadline = deadline
            if self.child is not None:
                self._begin_stop(self.child, deadline)
        elif deadline < self._stop_deadline:
            self._stop_deadline = deadline
            if self._stop is not None:
                self._stop.shorten(deadline)

    def exited(self, returncode: int, *, while_starting: bool) -> ExitedError:
        """Return the error for a process that has ended by itself."""
        return ExitedError(
            self.config.id,
            returncode,
            while_starting=while_starting,
            log_tail=self._spawner.log_tail(self.child) if self.child else (),
            duration_s=self.age_s,
            oom_killed=oom_killed(returncode, self._ooms, oom_kills()),
        )

    def abandon(self) -> None:
        """Kill what can be killed at once; for a supervisor that has failed."""
        self._start.cancel()
        if self.child is not None:
            with contextlib.suppress(OSError):
                os.killpg(self.child.pid, signal.SIGKILL)

    def _begin_stop(self, child: Child, deadline: float) -> None:
        self._stop = TreeStop(
            child,
            self.config,
            self._spawner,
            memory=self._memory,
            deadline=deadline,
            done=lambda: self._report(TreeGone(self.id)),
        )
        if self._leader_gone:
            self._stop.leader_gone()
        self._stop.begin()

    def _wait(self) -> None:
        if self.child is not None:
            returncode = self._spawner.wait(self.child)
            self._report(ChildEnded(self.id, returncode))
