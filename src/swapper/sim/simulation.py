"""The real router loop over simulated processes, clients and time, in one thread.

Time jumps from one event to the next: a request, the end of a response, of a load,
of a stop, or a deadline of the scheduler. Events of the same moment happen in the
order in which they were planned, so that the same trace gives the same history.
"""

import heapq
import itertools
from collections.abc import Callable
from typing import Final

from swapper.config.schema import Config, ModelConfig
from swapper.core.errors import StartAbortedError
from swapper.core.ids import ModelId, RunId, TicketId
from swapper.process.messages import Started, Stopped
from swapper.router.lease import Lease, Refused
from swapper.router.loop import Notify, RouterLoop
from swapper.router.messages import Submit
from swapper.scheduler import Scheduler, Ticket
from swapper.sim.history import History, Phase, Request
from swapper.sim.trace import Client, ModelTimes, Trace
from swapper.sync import Reply

_MAX_IDLE_TICKS: Final = 1000
"""How often a scheduler may ask for the same moment again before it is stuck."""


class SimulationError(Exception):
    """The scheduler does not go on: a request is not answered, or time stands still."""


class VirtualTime:
    """A clock, and what is planned to happen."""

    def __init__(self) -> None:
        self.now = 0.0
        self._plan: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def monotonic(self) -> float:
        """Return the seconds since the simulation began."""
        return self.now

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Plan *action*."""
        entry = (self.now + seconds, next(self._numbers), action)
        heapq.heappush(self._plan, entry)

    def next_event(self) -> float | None:
        """Return when something is planned, None for never."""
        return self._plan[0][0] if self._plan else None

    def advance(self) -> None:
        """Go to the next event and do it."""
        at, _, action = heapq.heappop(self._plan)
        self.now = max(self.now, at)
        action()


class Simulation:
    """One trace against one scheduler; ``run`` it once."""

    def __init__(self, config: Config, scheduler: Scheduler, trace: Trace) -> None:
        """Prepare everything at second 0.

        Args:
            config: its models are those that the trace's clients ask for.
            scheduler: made for *config* and not used before.
            trace: see ``swapper.sim.trace``.
        """
        self.time = VirtualTime()
        self.history = History(phases={id_: [] for id_ in config.models})
        self._times = trace.times
        self._loop = RouterLoop(config.models, scheduler, self._spawn, self.time)
        self._tickets = itertools.count(1)
        self._unanswered = 0
        for client in trace.clients:
            self.time.after(client.begins_s, _Walk(self, client).ask)

    def run(self) -> History:
        """Return what happened, once every response has ended.

        Raises:
            SimulationError: the scheduler answers somebody never, or does nothing
                at the deadlines it asks for.
        """
        ticks = 0
        while True:
            event, deadline = self.time.next_event(), self._loop.deadline()
            if event is None and not self._unanswered:
                return self.history
            if deadline is not None and (event is None or deadline < event):
                ticks = ticks + 1 if deadline <= self.time.now else 0
                self.time.now = max(self.time.now, deadline)
                self._loop.step(None)
            elif event is None:
                raise SimulationError(self._stuck())
            else:
                ticks = 0
                self.time.advance()
            if ticks > _MAX_IDLE_TICKS:
                text = f"second {self.time.now:.3f} does not pass: next_deadline again"
                raise SimulationError(text)
            self._pump()

    def submit(
        self, request: Request, on_end: Callable[[], None], for_s: float
    ) -> None:
        """Hand a request to the router; *on_end* is called when its response ends."""
        ticket = Ticket(TicketId(next(self._tickets)), request.model, self.time.now)

        def take(answer: Lease | Refused) -> None:
            self._unanswered -= 1
            request.answered_s = self.time.now
            if isinstance(answer, Lease):
                self.time.after(for_s, lambda: end(answer))
            else:
                request.refusal = str(answer.error)
                end(None)

        def end(lease: Lease | None) -> None:
            request.ended_s = self.history.end_s = self.time.now
            if lease is not None:
                lease.done()
            on_end()

        self.history.requests.append(request)
        self._unanswered += 1
        self._loop.notify(Submit(ticket, _Answer(take)))

    def _pump(self) -> None:
        while (message := self._loop.inbox.poll()) is not None:
            self._loop.step(message)

    def _spawn(self, model: ModelId, notify: Notify) -> "SimulatedProcess":
        times = self._times.get(model, ModelTimes())
        return SimulatedProcess(model, times, self.time, self.history, notify)

    def _stuck(self) -> str:
        left = [r for r in self.history.requests if r.answered_s is None]
        first = left[0]
        return (
            f"{len(left)} requests are never answered; the first is for {first.model}, "
            f"made by {first.client} at second {first.submitted_s:.3f}"
        )


class SimulatedProcess:
    """A process supervisor whose process takes the time that the trace gives it."""

    def __init__(
        self,
        model: ModelId,
        times: ModelTimes,
        time: VirtualTime,
        history: History,
        notify: Notify,
    ) -> None:
        self._model = model
        self._times = times
        self._time = time
        self._history = history
        self._notify = notify
        self._phase = Phase.STOPPED
        self._run: RunId | None = None

    def ensure_ready(self, run: RunId, config: ModelConfig) -> None:  # noqa: ARG002 - no command to run
        """Begin to load."""
        self._run = run
        self._enter(Phase.LOADING)
        self._time.after(self._times.load_s, lambda: self._loaded(run))

    def stop(self, run: RunId, grace_s: float) -> None:
        """Begin to stop; what takes longer than *grace_s* is killed then."""
        if run != self._run or self._phase in {Phase.STOPPED, Phase.STOPPING}:
            return
        if self._phase is Phase.LOADING:
            error = StartAbortedError(self._model, "stopped while starting")
            self._notify(Started(self._model, run, error))
        self._enter(Phase.STOPPING)
        stop_s = min(self._times.stop_s, grace_s)
        self._time.after(stop_s, lambda: self._gone(run))

    def shutdown(self, grace_s: float) -> None:
        """Nothing is left behind."""

    def join(self, timeout_s: float | None) -> bool:  # noqa: ARG002 - no thread to wait for
        """Return True: there is no thread."""
        return True

    def _loaded(self, run: RunId) -> None:
        if run == self._run and self._phase is Phase.LOADING:
            self._enter(Phase.READY)
            self._notify(Started(self._model, run, None))

    def _gone(self, run: RunId) -> None:
        self._enter(Phase.STOPPED)
        self._notify(Stopped(self._model, run))

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._history.enter(self._model, phase, self._time.now)


class _Walk:
    """A client on its way through its chain."""

    __slots__ = ("_client", "_next", "_simulation")

    def __init__(self, simulation: Simulation, client: Client) -> None:
        self._simulation = simulation
        self._client = client
        self._next = 0

    def ask(self) -> None:
        """Make the next request."""
        step = self._client.steps[self._next]
        time = self._simulation.time
        request = Request(self._client.name, step.model, time.now)
        self._next += 1
        is_last = self._next == len(self._client.steps)
        self._simulation.submit(
            request,
            (lambda: None) if is_last else (lambda: time.after(step.think_s, self.ask)),
            step.duration_s,
        )


class _Answer(Reply[Lease | Refused]):
    """A reply that tells at once; nobody waits for it."""

    __slots__ = ("_take",)

    def __init__(self, take: Callable[[Lease | Refused], None]) -> None:
        super().__init__()
        self._take = take

    def offer(self, value: Lease | Refused) -> bool:
        """Answer and tell."""
        is_taken = super().offer(value)
        if is_taken:
            self._take(value)
        return is_taken
