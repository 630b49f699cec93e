"""The real router loop with fake processes, callers and clock, in one thread.

Every step picks one thing that could happen next in the real program and checks what
must always hold. Which one is chosen by a number, so that hypothesis and a seeded
generator can both drive it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from swapper.config.expressions import MatrixConfig
from swapper.config.schema import GroupConfig, ModelConfig
from swapper.core.errors import (
    ClientGoneError,
    ExitedError,
    RequestError,
    StartAbortedError,
)
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.core.states import ProcessState
from swapper.planner import GroupPlanner, MatrixPlanner, Planner
from swapper.process.messages import Exited, Started, Stopped
from swapper.router.lease import Lease, Refused
from swapper.router.loop import RouterLoop
from swapper.router.messages import (
    Cancel,
    Reload,
    Requeue,
    RouterMessage,
    Shutdown,
    Submit,
    Unload,
)
from swapper.scheduler import (
    AdaptiveScheduler,
    Admission,
    FifoScheduler,
    MemorySwapTimes,
    QueueRules,
    Ticket,
)
from swapper.scheduler.records import Swap
from swapper.sync import Reply
from tests.fakes.matrices import may_run_together
from tests.fakes.scheduling import queue_of

TTL_S = 50
Action = Callable[[], None]


class FakeClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """Return the present time."""
        return self.now


class CountingReply(Reply[Any]):
    """A reply that knows how often it was answered, and what was to be seen then."""

    __slots__ = ("_loop", "offers")

    def __init__(self, loop: RouterLoop) -> None:
        super().__init__()
        self._loop = loop
        self.offers = 0

    def offer(self, value: Any) -> bool:
        """Count and answer; who is served must not see the model as it was before."""
        self.offers += 1
        if isinstance(value, Lease):
            assert self._loop.states[value.model] is ProcessState.READY
            assert value.model in self._loop.runs
        return super().offer(value)


class FakeProcess:
    """Keeps the supervisor's promises: Started, [Exited], Stopped, once per run."""

    def __init__(self, world: "World", model: ModelId) -> None:
        self.world = world
        self.model = model
        self.run: RunId | None = None
        self.config = world.models[model]
        self.phase = "stopped"
        self.outbox: list[Started | Exited | Stopped] = []
        self.past: list[Started | Exited | Stopped] = []

    def ensure_ready(self, run: RunId, config: ModelConfig) -> None:
        """Begin to start; nothing of an earlier run may be left."""
        assert self.phase == "stopped"
        assert not self.outbox
        assert config is self.world.models[self.model], "not the newest definition"
        self.config = config
        self.world.check_may_start(self.model)
        self.world.starts += 1
        self.run, self.phase = run, "starting"

    def stop(self, run: RunId, grace_s: float) -> None:
        """Begin to stop, unless this run has ended by itself."""
        assert run == self.run
        assert grace_s >= 0
        self.world.check_may_stop(self.model)
        if self.phase == "starting":
            error = StartAbortedError(self.model, "stopped while starting")
            self.outbox.append(Started(self.model, run, error))
        if self.phase != "ending":
            self.end(run)

    def end(self, run: RunId) -> None:
        """Report, some time, that nothing is left."""
        self.phase = "ending"
        self.outbox.append(Stopped(self.model, run))

    def shutdown(self, grace_s: float) -> None:  # noqa: ARG002 - the Protocol's shape
        """End the supervisor; only one whose process has ended."""
        if not self.world.is_over:
            assert self.phase == "stopped"
            assert self.model not in self.world.models
            del self.world.processes[self.model]

    def join(self, timeout_s: float | None) -> bool:  # noqa: ARG002 - the Protocol's shape
        """Nothing to wait for."""
        return True

    def deliver(self) -> None:
        """Let the router have the next message."""
        message = self.outbox.pop(0)
        if isinstance(message, Started):
            self.world.note_start(message)
        if isinstance(message, Stopped):
            self.phase = "stopped"
            if self.model not in self.world.swaps:
                self.world.decided.pop(self.model, None)
        self.past.append(message)
        self.world.tell(message)

    def actions(self) -> list[Action]:
        """Return what may happen next; the likelier more than once."""
        actions: list[Action] = []
        if self.outbox:
            actions += [self.deliver] * 3
        if self.phase == "starting":
            is_broken = self.world.is_broken and self.model == min(self.world.models)
            actions += [self.start_fails if is_broken else self.start_succeeds] * 6
            actions.append(self.start_fails)
        if self.phase == "ready":
            actions.append(self.dies)
        if self.past and self.past[0].run != self.run:
            actions.append(self.repeat_old_news)
        return actions

    def repeat_old_news(self) -> None:
        """Tell something about an earlier run again; nobody may care."""
        for message in [m for m in self.past if m.run != self.run][-3:]:
            self.world.tell(message)

    def start_succeeds(self) -> None:
        """Become ready; the router hears of it later."""
        assert self.run is not None
        self.phase = "ready"
        self.outbox.append(Started(self.model, self.run, None))

    def start_fails(self) -> None:
        """End while starting."""
        assert self.run is not None
        said = self.world.last_words()
        error = ExitedError(self.model, 3, while_starting=True, log_tail=said)
        self.outbox.append(Started(self.model, self.run, error))
        self.end(self.run)

    def dies(self) -> None:
        """End by itself while ready."""
        assert self.run is not None
        error = ExitedError(self.model, -9, while_starting=False)
        self.outbox.append(Exited(self.model, self.run, error))
        self.end(self.run)


def make_models(
    groups: dict[str, GroupConfig], versions: dict[ModelId, int], limit: int
) -> dict[ModelId, ModelConfig]:
    """Return the members of *groups*, their command after their version."""
    ids = sorted(member for group in groups.values() for member in group.members)
    return {
        id_: ModelConfig(
            id=id_,
            cmd=f"serve --version {versions.get(id_, 0)}",
            ttl_s=TTL_S,
            concurrency_limit=limit,
            unload_timeout_s=45,
        )
        for id_ in ids
    }


class World:
    """Everything around the router, and the laws it must keep."""

    concurrency_limit = 6
    is_adaptive = False
    is_broken = False
    """The first model never starts, nobody reloads, and time goes slower."""

    def __init__(
        self,
        groups: dict[str, GroupConfig],
        *matrices: MatrixConfig,
        rules: QueueRules | None = None,
    ) -> None:
        """Put the models of *groups* under these, or under the first of *matrices*."""
        self.clock = FakeClock()
        self.groups = self.all_groups = groups
        self.matrices = matrices
        self.rules = rules or QueueRules()
        self.models = make_models(groups, {}, self.concurrency_limit)
        self.versions: dict[ModelId, int] = {}
        self.retired: dict[ModelId, tuple[RunId, float]] = {}  # until when it may serve
        self.is_over = False
        self.planner = self._make_planner()
        self.scheduler = self._make_scheduler()
        made = self.scheduler
        self.fifo = made if isinstance(made, FifoScheduler) else made.fifo  # decides
        self.processes: dict[ModelId, FakeProcess] = {}
        self.loop = RouterLoop(self.models, self.scheduler, self._spawn, self.clock)
        self.pending: dict[TicketId, CountingReply] = {}
        self.gone: list[TicketId] = []  # abandoned, router not told yet
        self.leases: dict[TicketId, Lease] = {}
        self.uncounted: dict[TicketId, Lease] = {}
        self.if_ready: dict[
            TicketId, Admission
        ] = {}  # terms of those that start nothing
        self.starts = 0
        self.unloads: list[CountingReply] = []
        self.is_unloading = False
        self.numbers = 0
        self.steps = 0
        self.decided: dict[ModelId, int] = {}  # step of the swap that brought it up
        self.swaps: dict[ModelId, Swap] = {}  # as of the last step
        self.outcomes: dict[TicketId, str] = {}
        self.tickets: dict[TicketId, Ticket] = {}
        self.requeued: set[TicketId] = set()
        self.refusals: set[type[RequestError]] = set()
        self.failures: dict[ModelId, tuple[int, float]] = {}  # in a row, and the last

    # -- what can happen -------------------------------------------------------

    def step(self, choice: int) -> None:
        """Do one of the things possible now and check the laws."""
        actions = self._actions()
        actions[choice % len(actions)]()
        self._settle()

    def _actions(self) -> list[Action]:
        actions: list[Action] = [self._tick]
        if (
            self.steps % 5 == 0 and not self.is_broken
        ):  # now and then, or no model would ever get ready
            changed = sorted(self.models)[self.steps // 5 % len(self.models)]
            actions.append(lambda: self._redefine(changed))
            actions += [self._reload_the_same, self._take_away, self._bring_back]
            if self.matrices:
                actions.append(self._next_matrix)
        actions += [lambda m=m: self._submit(m) for m in self.processes]  # type: ignore[misc]  # bound default
        if self.steps % 3 == 0:
            ready = [m for m, p in self.processes.items() if p.phase == "ready"]
            asked = ready or list(self.processes)
            actions += [
                lambda: self._ask_for_what_is_ready(asked[0], Admission.IF_READY),
                lambda: self._ask_for_what_is_ready(asked[0], Admission.UNCOUNTED),
            ]
        if self.uncounted:
            actions.append(lambda: self._finish(next(iter(self.uncounted))))
        actions += [lambda m=m: self._unload({m}) for m in self.processes]  # type: ignore[misc]  # bound default
        actions.append(lambda: self._unload(None))
        if self.failures and self.steps % 11 == 0:
            stubborn = next(iter(self.failures))
            if stubborn in self.models:
                actions.append(lambda: self._load(stubborn))
        for process in self.processes.values():
            actions += process.actions()
        actions += [lambda t=t: self._leave(t) for t in self.pending]  # type: ignore[misc]  # bound default
        actions += [lambda t=t: self._tell_gone(t) for t in self.gone]  # type: ignore[misc]  # bound default
        actions += [lambda t=t: self._finish(t) for t in self.leases]  # type: ignore[misc]  # bound default
        again = [t for t in self.leases if t not in self.if_ready]
        actions += [lambda t=t: self._give_back(t) for t in again[:1]]  # type: ignore[misc]  # bound default
        return actions

    def run_down(self) -> None:
        """Let everything end that can end, then shut down and check the rest."""
        for _ in range(10_000):
            busy = [p for p in self.processes.values() if p.outbox]
            starting = [p for p in self.processes.values() if p.phase == "starting"]
            if busy:
                busy[0].deliver()
            elif starting:
                starting[0].start_succeeds()
            elif self.gone:
                self._tell_gone(self.gone[0])
            elif self.leases or self.uncounted:
                self._finish(next(iter(self.leases or self.uncounted)))
            elif self.pending and (due := self.scheduler.next_deadline()) is not None:
                self.clock.now = max(
                    self.clock.now, due
                )  # a model lingers, or is doubted
                self.loop._carry_out(
                    self.scheduler.tick(self.clock.now), self.clock.now
                )
            else:
                break
            self._settle()
        assert not self.pending, "a ticket was never answered"
        assert queue_of(self.scheduler, self.clock.now) == []
        assert all(reply.offers == 1 for reply in self.unloads)
        self._shut_down()

    def _submit(
        self, model: ModelId, admission: Admission = Admission.SERVE
    ) -> CountingReply:
        self.numbers += 1
        number = TicketId(self.numbers)
        reply = self.pending[number] = CountingReply(self.loop)
        if admission in {Admission.IF_READY, Admission.UNCOUNTED}:
            self.if_ready[number] = admission
        if admission is Admission.LOAD:
            self.failures.pop(model, None)
        ticket = Ticket(number, model, self.clock.now, admission)
        self.tickets[number] = ticket
        self.tell(Submit(ticket, reply))
        return reply

    def _give_back(self, number: TicketId) -> None:
        """The run did not take the request: it waits once more, as old as it is."""
        lease = self.leases.pop(number)
        assert lease.disown()
        del self.outcomes[number]
        self.requeued.add(number)
        reply = self.pending[number] = CountingReply(self.loop)
        self.tell(Requeue(self.tickets[number], lease.run, reply))
        lease.done()  # is of no effect any more
        self._pump()

    def _ask_for_what_is_ready(self, model: ModelId, terms: Admission) -> None:
        """Answered at once, by yes only if the model is ready; starts nothing."""
        before = self.scheduler.states().get(model)
        starts = self.starts
        reply = self._submit(model, terms)
        assert reply.offers == 1
        assert self.starts == starts
        if isinstance(reply.wait(0), Lease):
            assert before is ProcessState.READY

    def _load(self, model: ModelId) -> None:
        self._submit(model, Admission.LOAD)

    def _leave(self, number: TicketId) -> None:
        """Hang up; the router may still offer something to the reply."""
        if self.pending.pop(number).abandon():
            self.outcomes[number] = "left"
            self.gone.append(number)

    def _tell_gone(self, number: TicketId) -> None:
        self.gone.remove(number)
        self.tell(Cancel(number))

    def _finish(self, number: TicketId) -> None:
        lease = self.leases.pop(number, None) or self.uncounted.pop(number)
        lease.done()
        lease.done()
        self._pump()

    def _unload(self, models: set[ModelId] | None) -> None:
        self.numbers += 1
        reply = CountingReply(self.loop)
        self.unloads.append(reply)
        chosen = None if models is None else frozenset(models)
        self.is_unloading = True
        self.tell(Unload(UnloadId(self.numbers), chosen, reply))
        self.is_unloading = False

    def _redefine(self, model: ModelId) -> None:
        """Change what a process of the model is made of."""
        self.versions[model] = 1 - self.versions.get(model, 0)  # there and back
        self._reload()

    def _reload_the_same(self) -> None:
        self._reload()

    def _take_away(self) -> None:
        """Remove the first model from its group, if another one is left."""
        for group in self.groups.values():
            if len(self.models) > 1 and group.members:
                members = group.members[1:]
                self.groups = {
                    **self.groups,
                    group.id: replace(group, members=members),
                }
                self._reload()
                return

    def _bring_back(self) -> None:
        self.groups = self.all_groups
        self._reload()

    def _next_matrix(self) -> None:
        self.matrices = self.matrices[1:] + self.matrices[:1]
        self._reload()

    def _make_scheduler(self) -> FifoScheduler | AdaptiveScheduler:
        if not self.is_adaptive:
            return FifoScheduler(self.models, self.planner, rules=self.rules)
        times = MemorySwapTimes()
        return AdaptiveScheduler(
            self.models, self.planner, rules=self.rules, swap_times=times
        )

    def _make_planner(self) -> Planner:
        if self.matrices:
            return MatrixPlanner(self.matrices[0])
        return GroupPlanner(self.groups)

    def _reload(self) -> None:
        self.failures.clear()
        self.models = make_models(self.groups, self.versions, self.concurrency_limit)
        self.planner = self._make_planner()
        for process in self.processes.values():
            new = self.models.get(process.model)
            if new is not None and new.process == process.config.process:
                self.retired.pop(process.model, None)
            elif process.phase != "stopped" and process.run is not None:
                until = self.clock.now + process.config.unload_timeout_s
                held = self.retired.get(process.model)
                if held is None or held[0] != process.run:
                    self.retired[process.model] = process.run, until
        reply = CountingReply(self.loop)
        self.unloads.append(reply)
        self.tell(Reload(self.models, self.planner, self.rules, reply))
        assert reply.wait(0) is None

    def _tick(self) -> None:
        self.clock.now += 0.7 if self.is_broken else 20.0
        deadline = self.scheduler.next_deadline()
        if deadline is not None and deadline <= self.clock.now:
            self.loop._carry_out(self.scheduler.tick(self.clock.now), self.clock.now)

    def _shut_down(self) -> None:
        self.is_over = True
        reply = CountingReply(self.loop)
        self.is_unloading = True
        self.tell(Shutdown(5.0, reply))
        for process in self.processes.values():
            while process.outbox:
                process.deliver()
        assert self.scheduler.is_at_rest
        self.loop._end()
        assert reply.wait(0) is True

    # -- the laws --------------------------------------------------------------

    def check_may_start(self, model: ModelId) -> None:
        """Nothing runs that the planner forbids beside *model*, and R10 is kept."""
        count, last_s = self.failures.get(model, (0, 0.0))
        if count >= 3:
            pause_s = min(60.0, 2.0 ** (count - 3))
            assert self.clock.now >= last_s + pause_s, "too soon after failures"
        live = sorted(p.model for p in self.processes.values() if p.phase != "stopped")
        assert not set(live) - set(self.models), "what was removed is still there"
        for other in live:
            current = self.processes[other].config.process
            assert current == self.models[other].process, "an old definition runs"
        self.check_together(model, live)

    def check_together(self, model: ModelId, live: list[ModelId]) -> None:
        """Check that *model* may start beside what is live; for subclasses to change."""
        if self.matrices:
            assert may_run_together(self.matrices[0], [*live, model])
        else:
            self._check_groups(model, live)

    def _check_groups(self, model: ModelId, live: list[ModelId]) -> None:
        """Check that the group rules allow *model* beside what is live.

        One-way exclusiveness allows one thing more: a model that *model* would stop,
        but that does not mind *model*, may have been let in after the swap was decided.
        """
        decided = self.decided.get(model, self.steps)
        for other in self.planner.eviction_for(model, live):
            assert model not in self.planner.eviction_for(other, [model])
            assert self.decided.get(other, self.steps) >= decided

    def last_words(self) -> tuple[str, ...]:
        """Return what a process says that fails to start; for subclasses to change."""
        return ()

    def note_start(self, started: Started) -> None:
        """Count failures in a row, of starts that were not called off."""
        model = started.model
        if self.scheduler.states().get(model) is not ProcessState.STARTING:
            return
        if started.error is None:
            self.failures.pop(model, None)
        elif not isinstance(started.error, StartAbortedError):
            count = self.failures.get(model, (0, 0.0))[0]
            self.failures[model] = count + 1, self.clock.now

    def check_may_stop(self, model: ModelId) -> None:
        """No run with leases is stopped, except by unload, shutdown or a reload."""
        if not self.is_unloading:
            run = self.processes[model].run
            retired = self.retired.get(model)
            is_late = retired is not None and self.clock.now >= retired[1]
            if is_late and retired is not None and retired[0] == run:
                return
            held = {(lease.model, lease.run) for lease in self.leases.values()}
            assert (model, run) not in held

    def _settle(self) -> None:
        """Collect the answers given and compare the counts."""
        self.steps += 1
        running = {p.model for p in self.processes.values() if p.phase != "stopped"}
        swaps = dict(self.fifo._board.swaps)
        begun = {m for m, swap in swaps.items() if self.swaps.get(m) is not swap}
        self.decided = {
            m: self.steps if m in begun else self.decided.get(m, self.steps)
            for m in running | swaps.keys()
        }
        self.swaps = swaps
        for number, reply in list(self.pending.items()):
            assert reply.offers <= 1
            try:
                answer = reply.wait(0)
            except TimeoutError:
                continue
            except ClientGoneError:
                raise AssertionError("pending yet abandoned") from None
            del self.pending[number]
            if isinstance(answer, Refused):
                self.outcomes[number] = "refused"
                self.refusals.add(type(answer.error))
            else:
                self.outcomes[number] = "granted"
                terms = self.if_ready.get(number, Admission.SERVE)
                is_counted = terms is not Admission.UNCOUNTED
                (self.leases if is_counted else self.uncounted)[number] = answer
        counted = set().union(
            *(model.leases for model in self.fifo._board.models.values())
        )
        assert counted == set(self.leases)
        known = {
            queued.ticket.id for queued in queue_of(self.scheduler, self.clock.now)
        }
        assert known == set(self.pending) | set(self.gone) & known
        assert set(self.loop._replies) <= set(self.pending) | set(self.gone)

    def tell(self, message: RouterMessage) -> None:
        """Have the router handle a message and what it causes to itself."""
        self.loop._handle(message, self.clock.now)
        self._pump()

    def _pump(self) -> None:
        while (message := self.loop.inbox.get(0.0)) is not None:
            self.loop._handle(message, self.clock.now)

    def _spawn(self, model: ModelId, _: Callable[[Any], None]) -> FakeProcess:
        assert model not in self.processes
        process = self.make_process(model)
        self.processes[model] = process
        return process

    def make_process(self, model: ModelId) -> FakeProcess:
        """Return the process of a model; for subclasses to change."""
        return FakeProcess(self, model)
