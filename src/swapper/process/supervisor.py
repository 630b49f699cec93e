"""The owner of one model's process.

One thread owns the state; everything that takes time is done by helpers (start, wait,
stop) that report back as messages stamped with the number of the run. Which moves are
legal and what waits in which state is in ``states.py``; what is told to whom in
``messages.py``.
"""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from swapper.config.schema import ModelConfig
from swapper.core.errors import (
    InboxClosedError,
    ProcessError,
    StartAbortedError,
)
from swapper.core.ids import ModelId, RunId
from swapper.core.states import ProcessState
from swapper.logs import Monitor
from swapper.process.host import ProcessHost
from swapper.process.messages import (
    ChildEnded,
    EnsureReady,
    Exited,
    HealthPassed,
    ProcessFact,
    Shutdown,
    Spawned,
    Started,
    StartFailed,
    Stop,
    Stopped,
    SupervisorMessage,
    TreeGone,
)
from swapper.process.run import Run
from swapper.process.spawn import Child
from swapper.process.states import DEFERRED, move
from swapper.sync import Inbox, OwnerThread

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ProcessSnapshot:
    """What the supervisor last published.

    Attributes:
        run: the run the state is about; None while stopped.
        pid: process id; None while there is none.
    """

    state: ProcessState
    run: RunId | None
    pid: int | None


class ProcessSupervisor:
    """Runs one model, one process at a time; thread ``process:<model>``.

    Methods: any thread; none blocks but ``join``. The listener is called from the
    owner thread (after the end of that, from the caller's) and must not block. It is told
    before the log: whoever has read a line finds the router informed.

    Attributes:
        model: its id.
    """

    __slots__ = (
        "_deferred",
        "_ending",
        "_host",
        "_inbox",
        "_is_started",
        "_monitor",
        "_notify",
        "_run",
        "_snapshot",
        "_start_lock",
        "_state",
        "_thread",
        "model",
    )

    def __init__(
        self,
        model: ModelId,
        *,
        notify: Callable[[ProcessFact], None],
        monitor: Monitor,
        host: ProcessHost,
    ) -> None:
        """Prepare; neither thread nor process is started yet.

        Args:
            model: its id.
            notify: told what happens; see ``messages.py`` for what is guaranteed.
            monitor: gets the output of the process.
            host: shared by all supervisors; closed after them.
        """
        self.model = model
        self._notify = notify
        self._monitor = monitor
        self._host = host
        self._inbox: Inbox[SupervisorMessage] = Inbox()
        self._thread = OwnerThread(f"process:{model}", self._loop)
        self._start_lock = threading.Lock()  # guards _is_started
        self._is_started = False
        self._state = ProcessState.STOPPED
        self._run: Run | None = None
        self._deferred: list[SupervisorMessage] = []
        self._ending = False
        self._snapshot = ProcessSnapshot(self._state, None, None)

    @property
    def snapshot(self) -> ProcessSnapshot:
        """Return what the owner last published, always before the fact is told."""
        return self._snapshot

    def ensure_ready(self, run: RunId, config: ModelConfig) -> None:
        """Start the process as *run*; ``Started`` and ``Stopped`` follow.

        Waits for a stop in progress. While another run is starting or ready, and
        after a shutdown, *run* is refused with a ``StartAbortedError``.
        """
        if not self._post(EnsureReady(run, config)):
            self._refuse(run, "swapper is shutting down")

    def stop(self, run: RunId, grace_s: float) -> None:
        """Stop *run*: ask it, kill it after *grace_s*; ``Stopped`` follows.

        A second stop can only shorten the grace. Ignored for a run that has ended.
        """
        self._post(Stop(run, grace_s))

    def shutdown(self, grace_s: float) -> None:
        """Stop whatever runs, refuse whatever comes, and end the thread."""
        self._post(Shutdown(grace_s))

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end after ``shutdown``; return whether it came in time."""
        return self._thread.join(timeout_s)

    def _post(self, message: SupervisorMessage) -> bool:
        try:
            self._inbox.put(message)
        except InboxClosedError:
            return False
        with self._start_lock:
            is_first, self._is_started = not self._is_started, True
        if is_first:
            self._thread.start()
        return True

    def _report(self, message: SupervisorMessage) -> None:
        """Take a helper's result; one that comes after the end is worth nothing."""
        with contextlib.suppress(InboxClosedError):
            self._inbox.put(message)

    # --- the owner thread -------------------------------------------------------

    def _loop(self) -> None:
        try:
            while self._state is not ProcessState.SHUTDOWN:
                self._receive(self._inbox.get())
        finally:
            self._abandon()
            for left in (*self._deferred, *self._inbox.close()):
                if isinstance(left, EnsureReady):
                    self._refuse(left.run, "swapper is shutting down")

    def _receive(self, message: SupervisorMessage | None) -> None:
        if message is None:
            return
        if type(message) in DEFERRED[self._state] and not self._ending:
            self._deferred.append(message)
            return
        before = self._state
        self._handle(message)
        if self._state is not before and self._deferred:
            waiting, self._deferred = self._deferred, []
            for deferred in waiting:
                self._receive(deferred)

    def _handle(self, message: SupervisorMessage) -> None:
        match message:
            case EnsureReady(run, config):
                self._ensure_ready(run, config)
            case Stop(run, grace_s):
                self._stop(run, grace_s)
            case Shutdown(grace_s):
                self._shut_down(grace_s)
            case _:
                if self._run is not None and message.run == self._run.id:
                    self._handle_report(message, self._run)

    def _handle_report(
        self,
        message: Spawned | HealthPassed | StartFailed | ChildEnded | TreeGone,
        run: Run,
    ) -> None:
        match message:
            case Spawned(_, child):
                self._spawned(run, child)
            case HealthPassed():
                self._health_passed(run)
            case StartFailed(_, error):
                self._start_failed(run, error)
            case ChildEnded(_, returncode):
                self._child_ended(run, returncode)
            case TreeGone():
                self._run_over(run)
            case _:
                assert_never(message)

    def _ensure_ready(self, run: RunId, config: ModelConfig) -> None:
        if self._ending:
            self._refuse(run, "swapper is shutting down")
        elif self._run is None:
            self._run = Run(
                run,
                config,
                monitor=self._monitor,
                host=self._host,
                report=self._report,
            )
            self._move(ProcessState.STARTING)  # stopped -> starting
            self._run.begin()
        elif run != self._run.id:
            self._refuse(run, f"run {self._run.id} is in progress")

    def _stop(self, run: RunId, grace_s: float) -> None:
        if self._run is not None and run == self._run.id:
            self._stop_current(self._run, grace_s)
            return
        for waiting in self._deferred:
            if isinstance(waiting, EnsureReady) and waiting.run == run:
                self._deferred.remove(waiting)
                self._refuse(run, "it was called off")
                return

    def _shut_down(self, grace_s: float) -> None:
        self._ending = True
        waiting, self._deferred = self._deferred, []
        for message in waiting:
            self._handle(message)
        if self._run is not None:
            self._stop_current(self._run, grace_s)
        else:
            self._move(ProcessState.SHUTDOWN)  # stopped -> shutdown

    def _stop_current(self, run: Run, grace_s: float) -> None:
        before = self._state
        self._begin_stop(run, grace_s)
        if before is ProcessState.STARTING:
            self._tell(Started(self.model, run.id, self._aborted("it was called off")))

    def _begin_stop(self, run: Run, grace_s: float) -> None:
        run.stop(grace_s)
        if self._state is not ProcessState.STOPPING:
            self._move(ProcessState.STOPPING)  # starting, ready -> stopping

    def _spawned(self, run: Run, child: Child) -> None:
        run.adopt(child)
        self._publish()
        logger.debug("process started model=%s pid=%d", self.model, child.pid)

    def _health_passed(self, run: Run) -> None:
        if self._state is not ProcessState.STARTING:
            return  # called off at the last moment
        self._move(ProcessState.READY)  # starting -> ready
        self._tell(Started(self.model, run.id, None))
        logger.info("model ready model=%s after=%.3fs", self.model, run.age_s)

    def _start_failed(self, run: Run, error: ProcessError | None) -> None:
        if self._state is ProcessState.STARTING:
            self._fail_start(run, error or self._aborted("it was called off"))
        elif run.child is None:  # called off before there was a process
            self._run_over(run)

    def _child_ended(self, run: Run, returncode: int) -> None:
        run.child_ended()
        if self._state is ProcessState.STARTING:
            self._fail_start(run, run.exited(returncode, while_starting=True))
        elif self._state is ProcessState.READY:
            error = run.exited(returncode, while_starting=False)
            self._begin_stop(run, run.config.unload_timeout_s)  # ready -> stopping
            self._tell(Exited(self.model, run.id, error))
            logger.warning("process ended model=%s %s", self.model, error.cause)

    def _fail_start(self, run: Run, error: ProcessError) -> None:
        if run.child is not None:
            self._begin_stop(run, run.config.unload_timeout_s)
        self._tell(Started(self.model, run.id, error))
        logger.warning("start failed model=%s %s", self.model, error.cause)
        if run.child is None:
            self._run_over(run)

    def _run_over(self, run: Run) -> None:
        self._run = None
        self._move(ProcessState.STOPPED)  # starting, stopping -> stopped
        if self._ending:
            self._move(ProcessState.SHUTDOWN)  # stopped -> shutdown
        self._tell(Stopped(self.model, run.id))
        logger.info("model stopped model=%s", self.model)

    def _abandon(self) -> None:
        """Answer for a run that is left because this thread has failed."""
        run, self._run = self._run, None
        if run is None:
            return
        run.abandon()
        if self._state is ProcessState.STARTING:
            error = self._aborted("its supervisor has failed")
            self._tell(Started(self.model, run.id, error))
        self._tell(Stopped(self.model, run.id))

    def _refuse(self, run: RunId, why: str) -> None:
        self._tell(Started(self.model, run, self._aborted(why)))
        self._tell(Stopped(self.model, run))

    def _aborted(self, why: str) -> StartAbortedError:
        return StartAbortedError(
            self.model, f"start of model {self.model} aborted: {why}"
        )

    def _move(self, state: ProcessState) -> None:
        self._state = move(self._state, state)
        self._publish()

    def _publish(self) -> None:
        run = self._run
        child = run.child if run is not None else None
        self._snapshot = ProcessSnapshot(
            self._state,
            run.id if run is not None else None,
            child.pid if child is not None else None,
        )

    def _tell(self, fact: ProcessFact) -> None:
        with contextlib.suppress(InboxClosedError):  # the listener has ended
            self._notify(fact)
