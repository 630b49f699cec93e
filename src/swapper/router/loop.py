"""The run loop: every routing decision happens here, one message at a time.

The loop itself decides nothing. It takes a message, asks the scheduler, carries out
the effects and publishes the states. It never waits for anything but its inbox:
processes are told what to do and report back as messages. docs/design/router.md
explains the whole.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Protocol, TypeAlias, assert_never

from swapper.config.schema import ModelConfig
from swapper.core.clock import Clock
from swapper.core.errors import (
    InboxClosedError,
    RequestError,
    ShuttingDownError,
    StartAbortedError,
)
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.core.states import ProcessState
from swapper.process.messages import Exited, Started, Stopped
from swapper.router.counts import RouterCounts
from swapper.router.endings import Endings
from swapper.router.lease import Lease, Refused, Wait
from swapper.router.messages import (
    Cancel,
    Explain,
    Inspect,
    Locate,
    Measured,
    Reload,
    Requeue,
    RouterMessage,
    ServeDone,
    Shutdown,
    Submit,
    Unload,
)
from swapper.scheduler import (
    AnswerUnload,
    Effect,
    ForgetModel,
    Grant,
    Refuse,
    Remark,
    Scheduler,
    StartModel,
    StopModel,
    Ticket,
)
from swapper.sync import Inbox, OwnerThread, Reply

logger = logging.getLogger(__name__)

_STOP_MARGIN_S = 4.0
"""How long after the grace a killed process tree may take to be gone for sure."""


class ProcessHandle(Protocol):
    """What the router needs of a process supervisor. No method blocks but join."""

    def ensure_ready(self, run: RunId, config: ModelConfig) -> None:
        """Start the process as *run*; ``Started`` follows."""
        ...

    def stop(self, run: RunId, grace_s: float) -> None:
        """Stop this run; ``Stopped`` follows."""
        ...

    def shutdown(self, grace_s: float) -> None:
        """Stop for good and end the supervisor's thread."""
        ...

    def join(self, timeout_s: float | None) -> bool:
        """Wait for the supervisor's thread; return whether it has ended."""
        ...


Notify: TypeAlias = Callable[[Started | Exited | Stopped], None]
OnStates: TypeAlias = Callable[[Mapping[ModelId, ProcessState]], None]
"""Told of every model's state when one has changed. Router thread; must not block."""

OnNextLoad: TypeAlias = Callable[[ModelConfig], None]
"""Told which model will probably load next. Router thread; must not block."""

ProcessSpawner: TypeAlias = Callable[[ModelId, Notify], ProcessHandle]


class RouterLoop:
    """Owner of the scheduler, the pending replies and the process handles.

    Everything but ``inbox``, ``states``, ``start``, ``join``, ``notify`` and ``post``
    belongs to the router thread, or to whoever acts for it: a thread in ``post``, or
    a test that calls ``step``.

    Attributes:
        inbox: where messages go; any thread.
        states: every model's state as last published, replaced and never changed;
            any thread. For showing, not for deciding.
        counts: what was done with each model; any thread may look.
        runs: what each run that has not ended was made of, published likewise.
    """

    def __init__(
        self,
        models: Mapping[ModelId, ModelConfig],
        scheduler: Scheduler,
        spawn: ProcessSpawner,
        clock: Clock,
        on_states: OnStates = lambda _: None,
        on_next_load: OnNextLoad = lambda _: None,
    ) -> None:
        self.inbox: Inbox[RouterMessage] = Inbox()
        self._models = models
        self._started: dict[ModelId, ModelConfig] = {}  # what each run was made of
        self._began_s: dict[ModelId, float] = {}  # when the present run was started
        self._ready_s: dict[ModelId, float] = {}
        self._scheduler = scheduler
        self._spawn = spawn
        self._clock = clock
        self._on_states = on_states
        self._on_next_load = on_next_load
        self._next_load: ModelId | None = None  # as last told
        self._replies: dict[TicketId, Reply[Lease | Refused]] = {}
        self._unloads: dict[UnloadId, Reply[RequestError | None]] = {}
        self._shutdown: Shutdown | None = None
        self._give_up_at: float | None = None
        self._positions: dict[TicketId, int] = {}  # of those waiting, on arrival
        self._endings = Endings()
        self._published: Mapping[ModelId, ProcessState] | None = None
        self.states: Mapping[ModelId, ProcessState] = scheduler.states()
        self.runs: Mapping[ModelId, ModelConfig] = MappingProxyType({})
        self.processes = {id_: spawn(id_, self.notify) for id_ in models}
        self.counts = RouterCounts()
        self._thread = OwnerThread("router", self._run)
        # Who has it may touch what belongs to the router thread; see post. Guards the
        # rest as well.
        self._baton = threading.Lock()
        self._is_running = False
        self._crash: Exception | None = None  # of somebody standing in
        self._wakes_at: float | None = None  # what the sleeping router thread waits for
        self._due_s: float | None = None  # the deadline after the last step

    def start(self) -> None:
        """Start the router thread. Once."""
        self._thread.start()

    def join(self, timeout_s: float | None) -> bool:
        """Wait for the router thread to end; return whether it has."""
        return self._thread.join(timeout_s)

    def notify(self, message: RouterMessage) -> None:
        """Tell the router, or nobody if it has ended. Any thread; never blocks."""
        try:
            self.inbox.put(message)
        except InboxClosedError:
            logger.debug("router ended, dropped message=%r", message)

    def post(self, message: RouterMessage) -> None:
        """Tell the router, in this thread if nobody else is at it. Any thread.

        For what requests say to a model that is ready: two changes of threads would
        cost more than the whole decision. Whoever has the baton is the router's thread
        for that moment, so all that is said about it holds; without the baton the
        message waits for whoever has it. Never blocks.

        Raises:
            InboxClosedError: the router has ended; *message* was not taken.
        """
        self.inbox.put(message, wakes=False)
        # Looked at again after the baton was given back: a message that came in between
        # has found it taken.
        while self.inbox.unread and self._baton.acquire(blocking=False):
            try:
                wakes_thread = not self._stand_in()
            finally:
                self._baton.release()
            if wakes_thread:
                self.inbox.wake()
                return

    def _end_lease(self, ticket: TicketId) -> None:
        try:
            self.post(ServeDone(ticket))
        except InboxClosedError:
            logger.debug("router ended, dropped the end of ticket=%d", ticket)

    # -- router thread, or whoever has the baton -----------------------------------

    def _run(self) -> None:
        try:
            while self._go_on():
                self.inbox.wait(self._wakes_at)
        finally:
            with self._baton:
                self._is_running = False
                self._end()

    def _go_on(self) -> bool:
        """Handle what there is, and what is due; return False at the end."""
        with self._baton:
            self._is_running = True
            while (message := self.inbox.poll()) is not None:
                self.step(message)
                if self._is_finished():
                    return False
            deadline = self.deadline()
            if deadline is not None and deadline <= self._clock.monotonic():
                self.step(None)
            if self._crash is not None:
                raise self._crash
            self._wakes_at = self.deadline()
            return not self._is_finished()

    def _stand_in(self) -> bool:
        """Handle what there is in place of the router thread.

        Returns:
            Whether that can sleep on: it runs, and nothing is due before it wakes.
        """
        if not self._is_running or self._crash is not None:
            return False
        try:
            while self.inbox.unread:
                self.step(self.inbox.unread.popleft())
        except Exception as exc:  # noqa: BLE001 - the router thread raises it
            self._crash = exc
        is_early = self._due_s is not None and (
            self._wakes_at is None or self._due_s < self._wakes_at
        )
        return self._crash is None and self._shutdown is None and not is_early

    def step(self, message: RouterMessage | None) -> None:
        """Handle one message, if there is one, and do what is due. Never blocks."""
        now = self._clock.monotonic()
        if message is not None:
            if logger.isEnabledFor(logging.DEBUG):
                logger.debug("router message=%r", message)
            self._handle(message, now)
        deadline = self.deadline()  # may pass while messages never cease to come
        if message is None or (deadline is not None and deadline <= now):
            self._carry_out(self._scheduler.tick(now), now)
            self._endings.expire(now)
            deadline = self.deadline()
        self._due_s = deadline
        self._publish(())
        if self._scheduler.next_load() != self._next_load:
            self._foretell()

    def deadline(self) -> float | None:
        """Return when ``step(None)`` is wanted if no message comes; None for never."""
        if self._give_up_at is not None:
            return self._give_up_at
        due, news = self._scheduler.next_deadline(), self._endings.deadline()
        return news if news is not None and (due is None or news < due) else due

    def _handle(self, message: RouterMessage, now: float) -> None:
        match message:  # what requests say first
            case Submit() | Requeue():
                self._take(message, now)
                return
            case ServeDone(ticket_id):
                effects = self._scheduler.serve_done(ticket_id, now)
            case Cancel(ticket_id):
                self._replies.pop(ticket_id, None)
                self._positions.pop(ticket_id, None)
                effects = self._scheduler.cancel(ticket_id, now)
            case Unload(unload, models, answer):
                self._unloads[unload] = answer
                effects = self._scheduler.unload(unload, models, now)
            case Inspect() | Locate() | Explain():
                self._show(message, now)
                return
            case Reload():
                effects = self._reload(message, now)
            case Shutdown():
                effects = self._begin_shutdown(message, now)
            case Measured(model, run, footprint):
                effects = self._scheduler.measured(model, run, footprint, now)
            case Started() | Exited() | Stopped():
                effects = self._learn(message, now)
            case _:
                assert_never(message)
        self._carry_out(effects, now)

    def _take(self, message: Submit | Requeue, now: float) -> None:
        """Take a ticket, and note where it stands if it has to wait."""
        ticket = message.ticket
        self._replies[ticket.id] = message.reply
        if isinstance(message, Submit):
            effects = self._scheduler.submit(ticket, now)
        else:
            effects = self._scheduler.requeue(ticket, message.run, now)
        self._carry_out(effects, now)
        if ticket.id in self._replies:
            position = self._scheduler.place(ticket.id)
            if position is not None:
                self._positions[ticket.id] = position

    def _learn(self, fact: Started | Exited | Stopped, now: float) -> Sequence[Effect]:
        match fact:
            case Started(model, run, error):
                if error is None:
                    self._ready_s[model] = now
                    self.counts.loaded(model, now - self._began_s.get(model, now))
                elif not isinstance(error, StartAbortedError):
                    self.counts.failed(model)
                return self._scheduler.started(model, run, error, now)
            case Exited(model, run, ended):
                self.counts.died(model)
                self._endings.note(model, run, ended)
                return self._scheduler.exited(model, run, now)
            case Stopped(model, run):
                self._endings.note(model, run, None)
                return self._scheduler.stopped(model, run, now)
            case _:
                assert_never(fact)

    def _show(self, asked: Inspect | Locate | Explain, now: float) -> None:
        match asked:
            case Explain():
                self._endings.ask(asked)
            case Inspect(reply):
                reply.offer(self._scheduler.waiting(now))
            case Locate(ticket, where):
                where.offer(self._scheduler.standing(ticket, now))
            case _:
                assert_never(asked)

    def _carry_out(self, effects: Sequence[Effect], now: float) -> None:
        self._publish(effects)  # before anybody is answered, who may look at once
        todo = deque(effects)
        while todo:
            effect = todo.popleft()
            match effect:
                case Grant(ticket, run):
                    if not self._grant(ticket, run, now):
                        todo += self._scheduler.serve_done(ticket.id, now)
                case Refuse(ticket, error):
                    position = self._positions.pop(ticket.id, None)
                    self._replies.pop(ticket.id).offer(Refused(error, position))
                case StartModel(model, run):
                    logger.info("start model=%s run=%d", model, run)
                    self._started[model] = self._models[model]
                    self._began_s[model] = now
                    self.counts.started(model)
                    self.processes[model].ensure_ready(run, self._models[model])
                case StopModel():
                    self._stop(effect)
                case AnswerUnload() | Remark():
                    self._tell(effect)
                case ForgetModel(model):
                    for facts in (self._started, self._began_s, self._ready_s):
                        facts.pop(model, None)
                    self._endings.forget(model)
                    self.processes.pop(model).shutdown(0.0)
                case _:
                    assert_never(effect)

    def _grant(self, ticket: Ticket, run: RunId, now: float) -> bool:
        """Count the lease if and only if the caller took it (router.md section 3)."""
        model, number = ticket.model, ticket.id
        position = self._positions.pop(number, None)
        lease = Lease(
            model,
            run,
            self._started[model].proxy,
            partial(self._end_lease, number),
            started_s=self._began_s[model],
            ready_s=self._ready_s[model],
            wait=None if position is None else Wait(position, now - ticket.arrived_s),
        )
        reply = self._replies.pop(number, None)
        return reply is not None and reply.offer(lease)

    def _tell(self, news: AnswerUnload | Remark) -> None:
        if isinstance(news, Remark):
            logger.info("decided model=%s why=%s", news.model, news.why)
        else:
            self._unloads.pop(news.unload).offer(None)

    def _stop(self, stop: StopModel) -> None:
        why = f"{stop.reason} for {stop.target}" if stop.target else stop.reason
        logger.info("stop model=%s run=%d reason=%s", stop.model, stop.run, why)
        self.counts.stopped(stop.model, stop.reason)
        config = self._models.get(stop.model, self._started[stop.model])
        grace_s: float = config.unload_timeout_s
        if self._shutdown is not None:
            grace_s = min(grace_s, self._shutdown.budget_s)
        self.processes[stop.model].stop(stop.run, grace_s)

    def _reload(self, message: Reload, now: float) -> Sequence[Effect]:
        if self._shutdown is not None:
            message.reply.offer(ShuttingDownError("router"))
            return ()
        self._models = message.models
        for model in message.models:
            if model not in self.processes:
                self.processes[model] = self._spawn(model, self.notify)
        effects = self._scheduler.reload(
            message.models, message.planner, message.rules, now
        )
        message.reply.offer(None)
        return effects

    def _begin_shutdown(self, message: Shutdown, now: float) -> Sequence[Effect]:
        if self._shutdown is not None:
            message.reply.offer(False)
            return ()
        self._shutdown = message
        self._give_up_at = now + message.budget_s + _STOP_MARGIN_S
        return self._scheduler.shutdown(now)

    def _is_finished(self) -> bool:
        if self._shutdown is None or self._give_up_at is None:
            return False
        is_late = self._clock.monotonic() >= self._give_up_at
        return self._scheduler.is_at_rest or is_late

    def _publish(self, effects: Sequence[Effect]) -> None:
        """Show the states; *effects*, which led to them, are not carried out yet."""
        states = self._scheduler.states()
        if states is self._published:
            return
        self._published = states
        for effect in effects:
            if isinstance(effect, StartModel):
                self._started[effect.model] = self._models[effect.model]
        if states != self.states:
            self.runs = MappingProxyType(
                {
                    model: self._started[model]
                    for model, state in states.items()
                    if state is not ProcessState.STOPPED and model in self._started
                }
            )
            self.states = states
            self._on_states(self.states)

    def _foretell(self) -> None:
        self._next_load = model = self._scheduler.next_load()
        if model is not None and model in self._models:
            self._on_next_load(self._models[model])

    def _end(self) -> None:
        """Answer everybody; also when the loop crashed, so that nobody hangs."""
        for process in self.processes.values():
            process.shutdown(0.0)
        error = ShuttingDownError("router")
        for message in self.inbox.close():
            _refuse(message, error)
        for ticket, reply in self._replies.items():
            reply.offer(Refused(error, self._positions.get(ticket)))
        self._endings.close()
        for unload in self._unloads.values():
            unload.offer(None if self._scheduler.is_at_rest else error)
        self.states = MappingProxyType(
            dict.fromkeys(self._scheduler.states(), ProcessState.SHUTDOWN)
        )
        if self._shutdown is not None:
            self._shutdown.reply.offer(self._scheduler.is_at_rest)


def _refuse(message: RouterMessage, error: RequestError) -> None:
    match message:
        case Submit(_, reply) | Requeue(_, _, reply):
            reply.offer(Refused(error))
        case Explain():
            message.reply.offer(None)
        case Unload(_, _, answer) | Reload(_, _, _, answer):
            answer.offer(error)
        case Inspect(view):
            view.offer(())
        case Locate(_, place):
            place.offer(None)
        case Shutdown(_, second):
            second.offer(False)
        case Cancel() | ServeDone() | Started() | Measured() | Exited() | Stopped():
            pass
        case _:
            assert_never(message)
