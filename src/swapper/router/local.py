"""The router's handle for everybody else: acquire, unload, look, shut down."""

import itertools
from collections.abc import Collection, Mapping, Sequence

from swapper.config.learnt import Footprint
from swapper.config.schema import ModelConfig
from swapper.core.clock import Clock, SystemClock
from swapper.core.errors import InboxClosedError, RequestError, ShuttingDownError
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.core.states import ProcessState
from swapper.planner import Planner
from swapper.router.counts import RouterCounts
from swapper.router.lease import Lease
from swapper.router.loop import OnNextLoad, OnStates, ProcessSpawner, RouterLoop
from swapper.router.messages import Inspect, Measured, Reload, Shutdown, Unload
from swapper.router.pending import PendingLease
from swapper.scheduler import (
    Admission,
    Queued,
    QueueRules,
    Scheduler,
    Ticket,
    WaitingModel,
    in_queue_order,
)
from swapper.sync import CancelToken, Reply


class LocalRouter:
    """Routes to models on this machine. Any thread may call any method."""

    def __init__(
        self,
        models: Mapping[ModelId, ModelConfig],
        scheduler: Scheduler,
        spawn: ProcessSpawner,
        *,
        clock: Clock | None = None,
        on_states: OnStates = lambda _: None,
        on_next_load: OnNextLoad = lambda _: None,
    ) -> None:
        """Prepare a router that starts nothing until ``start``.

        Args:
            models: every model it handles.
            scheduler: decides; belongs to the router thread from now on.
            spawn: makes the supervisor of one model; must not start the model.
            clock: for tickets and idle times.
            on_states: see ``OnStates``.
            on_next_load: see ``OnNextLoad``.
        """
        self._clock = clock or SystemClock()
        self._loop = RouterLoop(
            models, scheduler, spawn, self._clock, on_states, on_next_load
        )
        self._numbers = itertools.count(1)  # next() is atomic

    def start(self) -> None:
        """Start the router thread. Once."""
        self._loop.start()

    def submit(
        self,
        model: ModelId,
        token: CancelToken,
        admission: Admission = Admission.SERVE,
    ) -> PendingLease:
        """Ask for permission to send *model* a request; never blocks.

        A cancelled *token* ends the wait and takes the request out of the queue.
        What is returned must be closed. Terms other than SERVE start nothing: the
        answer is there as soon as the router thread has seen the request.

        Raises:
            ShuttingDownError: the router has ended.
        """
        number, now = TicketId(next(self._numbers)), self._clock.monotonic()
        ticket = Ticket(number, model, now, admission)
        return PendingLease(ticket, self._loop.post, token, self._clock)

    def acquire(
        self,
        model: ModelId,
        token: CancelToken,
        admission: Admission = Admission.SERVE,
    ) -> Lease:
        """Wait until *model* may serve a request and return the permission.

        Blocks as long as loads and other requests take.

        Raises:
            ClientGoneError: *token* was cancelled first.
            RequestError: the model cannot serve; see ``PendingLease.wait``.
        """
        return self.submit(model, token, admission).wait()

    def unload(self, models: Collection[ModelId] | None = None) -> None:
        """Stop these models (None: all); return when they have stopped.

        Requests they are serving are not waited for.

        Raises:
            RequestError: swapper is ending.
        """
        chosen = None if models is None else frozenset(models)
        reply: Reply[RequestError | None] = Reply()
        try:
            self._loop.inbox.put(Unload(UnloadId(next(self._numbers)), chosen, reply))
        except InboxClosedError:
            return  # nothing runs any more
        error = reply.wait()
        if error is not None:
            raise error.with_traceback(None)

    def reload(
        self,
        models: Mapping[ModelId, ModelConfig],
        planner: Planner,
        rules: QueueRules,
    ) -> None:
        """Put another configuration in force; return when it is.

        Models whose process need not be started anew go on undisturbed; see
        ``Scheduler.reload`` for the others.

        Raises:
            ShuttingDownError: swapper is ending.
        """
        reply: Reply[RequestError | None] = Reply()
        try:
            self._loop.inbox.put(Reload(models, planner, rules, reply))
        except InboxClosedError:
            raise ShuttingDownError("router") from None
        error = reply.wait()
        if error is not None:
            raise error.with_traceback(None)

    def measured(self, model: ModelId, run: RunId, footprint: Footprint) -> None:
        """Tell what a run held when it had just become ready; never blocks."""
        self._loop.notify(Measured(model, run, footprint))

    def states(self) -> Mapping[ModelId, ProcessState]:
        """Return every model's state as last published, in order of ids."""
        return self._loop.states

    def runs(self) -> Mapping[ModelId, ModelConfig]:
        """Return what each run that has not ended was made of, in order of ids.

        After a reload that may be a model which is not configured any more, or is
        configured in another way.
        """
        return self._loop.runs

    def local_ports(self) -> frozenset[int]:
        """Return the ``${PORT}`` numbers of all runs that have not ended, as published."""
        runs = self._loop.runs.values()
        return frozenset(config.port for config in runs if config.port is not None)

    @property
    def counts(self) -> RouterCounts:
        """Return what was done with each model."""
        return self._loop.counts

    def queue(self) -> Sequence[Queued]:
        """Return the waiting tickets: those whose model is being loaded, then the queue.

        Asks the router thread.
        """
        reply: Reply[Sequence[WaitingModel]] = Reply()
        try:
            self._loop.inbox.put(Inspect(reply))
        except InboxClosedError:
            return ()
        return in_queue_order(reply.wait())

    def now(self) -> float:
        """Return the time on the clock that ``Ticket.arrived_s`` is of."""
        return self._clock.monotonic()

    def shutdown(self, budget_s: float) -> bool:
        """Refuse new requests, stop all models and end the router thread.

        Args:
            budget_s: the longest grace any model gets.

        Returns:
            Whether every model has stopped; False also if this is a second call.
        """
        reply: Reply[bool] = Reply()
        try:
            self._loop.inbox.put(Shutdown(budget_s, reply))
            all_stopped = reply.wait()
        except InboxClosedError:
            all_stopped = False
        self._loop.join(None)
        for process in self._loop.processes.values():
            process.join(budget_s)
        return all_stopped
