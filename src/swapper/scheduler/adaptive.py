"""First come, first served, but with an eye on who is about to come back.

``FifoScheduler`` decides, ``LingerPolicy`` advises it, and this one watches what goes
in and comes out, so that the policy knows who waits and who comes when.
"""

from collections.abc import Collection, Mapping, Sequence

from swapper.config.learnt import Footprint
from swapper.config.schema import ModelConfig
from swapper.core.errors import ProcessError
from swapper.core.ids import ModelId, RunId, TicketId, UnloadId
from swapper.core.states import ProcessState
from swapper.planner.base import Planner
from swapper.scheduler.attendance import Attendance
from swapper.scheduler.base import (
    Admission,
    Effect,
    Grant,
    QueueRules,
    Refuse,
    Remark,
    Standing,
    StartModel,
    StopModel,
    StopReason,
    Ticket,
    WaitingModel,
)
from swapper.scheduler.fifo import FifoScheduler
from swapper.scheduler.habits import Habits
from swapper.scheduler.lessons import LearntNeeds
from swapper.scheduler.linger import LingerPolicy
from swapper.scheduler.swap_times import SwapTimes


class AdaptiveScheduler:
    """Router thread only; see ``Scheduler`` for the methods.

    Attributes:
        fifo: who decides; for looking at.
    """

    def __init__(
        self,
        models: Mapping[ModelId, ModelConfig],
        planner: Planner,
        *,
        rules: QueueRules | None = None,
        swap_times: SwapTimes,
        needs: LearntNeeds | None = None,
    ) -> None:
        """Know the models; all of them are stopped.

        Args:
            models: every model that may be asked for.
            planner: says what must stop for a target.
            rules: who goes first; None takes the defaults.
            swap_times: what is known of the models; is told what is learned.
            needs: likewise; None forgets it in the end.
        """
        self._habits = Habits(swap_times)
        self._attendance = Attendance()
        self._policy = LingerPolicy(self._habits, self._attendance)
        self.fifo = FifoScheduler(
            models,
            planner,
            rules=rules,
            policy=self._policy,
            times=swap_times,
            needs=needs,
        )

    # -- facts -----------------------------------------------------------------

    def submit(self, ticket: Ticket, now: float) -> list[Effect]:
        """Take a new ticket; see ``Scheduler.submit``."""
        return self._watch(self.fifo.submit(ticket, now), now)

    def cancel(self, ticket: TicketId, now: float) -> list[Effect]:
        """Forget a waiting ticket; see ``Scheduler.cancel``."""
        self._attendance.gives_up(ticket)
        return self._watch(self.fifo.cancel(ticket, now), now)

    def serve_done(self, ticket: TicketId, now: float) -> list[Effect]:
        """End a lease; see ``Scheduler.serve_done``."""
        idle = self._attendance.leaves(ticket)
        if idle is not None:
            self._habits.idles(idle, now)
        return self._watch(self.fifo.serve_done(ticket, now), now)

    def requeue(self, ticket: Ticket, run: RunId, now: float) -> list[Effect]:
        """Queue a granted ticket again; see ``Scheduler.requeue``."""
        idle = self._attendance.leaves(ticket.id)
        if idle is not None:
            self._habits.idles(idle, now)
        self._attendance.waits(ticket)
        return self._watch(self.fifo.requeue(ticket, run, now), now)

    def started(
        self, model: ModelId, run: RunId, error: ProcessError | None, now: float
    ) -> list[Effect]:
        """Note the end of a start; see ``Scheduler.started``."""
        return self._watch(self.fifo.started(model, run, error, now), now)

    def measured(
        self, model: ModelId, run: RunId, footprint: Footprint, now: float
    ) -> list[Effect]:
        """Note what a run held; see ``Scheduler.measured``."""
        return self._watch(self.fifo.measured(model, run, footprint, now), now)

    def exited(self, model: ModelId, run: RunId, now: float) -> list[Effect]:
        """Note that a ready process ended by itself; see ``Scheduler.exited``."""
        return self._watch(self.fifo.exited(model, run, now), now)

    def stopped(self, model: ModelId, run: RunId, now: float) -> list[Effect]:
        """Note that nothing is left of a run; see ``Scheduler.stopped``."""
        return self._watch(self.fifo.stopped(model, run, now), now)

    def unload(
        self, unload: UnloadId, models: Collection[ModelId] | None, now: float
    ) -> list[Effect]:
        """Stop models; see ``Scheduler.unload``."""
        return self._watch(self.fifo.unload(unload, models, now), now)

    def reload(
        self,
        models: Mapping[ModelId, ModelConfig],
        planner: Planner,
        rules: QueueRules,
        now: float,
    ) -> list[Effect]:
        """Take over another configuration; see ``Scheduler.reload``."""
        return self._watch(self.fifo.reload(models, planner, rules, now), now)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due; see ``Scheduler.tick``."""
        return self._watch(self.fifo.tick(now), now)

    def shutdown(self, now: float) -> list[Effect]:
        """Refuse everything from here on and stop all models."""
        return self._watch(self.fifo.shutdown(now), now)

    # -- what others may see ---------------------------------------------------

    def next_deadline(self) -> float | None:
        """Return when ``tick`` is wanted, None for never."""
        return self.fifo.next_deadline()

    def next_load(self) -> ModelId | None:
        """Return who will probably load next; see ``Scheduler.next_load``."""
        return self.fifo.next_load()

    def states(self) -> Mapping[ModelId, ProcessState]:
        """Return every model's state; see ``Scheduler.states``."""
        return self.fifo.states()

    def place(self, ticket: TicketId) -> int | None:
        """Return the place of a ticket; see ``Scheduler.place``."""
        return self.fifo.place(ticket)

    def standing(self, ticket: TicketId, now: float) -> Standing | None:
        """Return where a ticket stands; see ``Scheduler.standing``."""
        return self.fifo.standing(ticket, now)

    def waiting(self, now: float) -> Sequence[WaitingModel]:
        """Return who waits; see ``Scheduler.waiting``."""
        return self.fifo.waiting(now)

    @property
    def is_at_rest(self) -> bool:
        """Return whether every model is stopped."""
        return self.fifo.is_at_rest

    # -- watching --------------------------------------------------------------

    def _watch(self, effects: Sequence[Effect], now: float) -> list[Effect]:
        """Learn from *effects*; return them, after the reasons for them."""
        for effect in effects:
            match effect:
                case Grant(ticket) if ticket.admission is not Admission.UNCOUNTED:
                    self._attendance.serves(ticket)
                    self._habits.serves(ticket.model, now)
                    self._policy.served(ticket.model)
                case Refuse(ticket):
                    self._attendance.leaves(ticket.id)
                case StartModel(model):
                    self._policy.begins(model, now)
                case StopModel():
                    self._stops(effect, now)
                case _:
                    pass
        reasons = (Remark(model, why) for model, why in self._policy.take_reasons())
        return [*reasons, *effects]

    def _stops(self, stop: StopModel, now: float) -> None:
        if stop.reason is StopReason.SWAP:
            self._policy.evicts(stop.model, now)
        if stop.target is not None:
            self._policy.begins(stop.target, now)
