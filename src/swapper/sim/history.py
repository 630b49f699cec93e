"""What happened in a simulation, as it was recorded."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from swapper.core.ids import ModelId


class Phase(StrEnum):
    """What a simulated process is doing."""

    STOPPED = "stopped"
    LOADING = "loading"
    READY = "ready"
    STOPPING = "stopping"


class Look(StrEnum):
    """What a model shows in a timeline."""

    STOPPED = "stopped"
    WANTED = "requests wait while it is stopped"
    LOADING = "loading"
    IDLE = "ready, serving nothing"
    SERVING = "serving"
    STOPPING = "stopping"


@dataclass(slots=True)
class Request:
    """One request; times in seconds from the start of the simulation.

    Attributes:
        answered_s: when it got its lease, or was refused; None if not yet.
        ended_s: when its response ended; that of a refused one is its refusal.
        refusal: what it was told instead of getting a lease; "" if it got one.
    """

    client: str
    model: ModelId
    submitted_s: float
    answered_s: float | None = None
    ended_s: float | None = None
    refusal: str = ""

    @property
    def wait_s(self) -> float:
        """Return how long it took until the lease, so far if there is none yet."""
        return 0.0 if self.answered_s is None else self.answered_s - self.submitted_s


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which a model looks the same."""

    begin_s: float
    end_s: float
    look: Look


@dataclass(slots=True)
class History:
    """The requests in order of submission and each model's phases in order of time.

    Attributes:
        phases: by model, when each phase began; each model begins as stopped.
        loads: how many processes were started.
        end_s: when the last response had ended.
    """

    requests: list[Request] = field(default_factory=list)
    phases: dict[ModelId, list[tuple[float, Phase]]] = field(default_factory=dict)
    loads: int = 0
    end_s: float = 0.0

    def enter(self, model: ModelId, phase: Phase, now: float) -> None:
        """Note that a model's process goes over to *phase*."""
        self.phases[model].append((now, phase))
        self.loads += phase is Phase.LOADING

    def spans(self, model: ModelId) -> list[Span]:
        """Return what the model looked like from 0 to the end, without gaps."""
        phase, waiting, serving, since = Phase.STOPPED, 0, 0, 0.0
        spans: list[Span] = []
        events = sorted(self._events(model), key=lambda event: event[0])
        for at, new_phase, more_waiting, more_serving in events:
            look = _look(phase, waiting, serving)
            if spans and spans[-1].look is look:
                spans[-1] = Span(spans[-1].begin_s, at, look)
            elif at > since:
                spans.append(Span(since, at, look))
            phase, since = new_phase or phase, at
            waiting, serving = waiting + more_waiting, serving + more_serving
        return spans

    def _events(self, model: ModelId) -> Iterator[tuple[float, Phase | None, int, int]]:
        for at, phase in self.phases[model]:
            if at <= self.end_s:
                yield at, phase, 0, 0
        for request in self.requests:
            if request.model != model:
                continue
            yield request.submitted_s, None, 1, 0
            if request.answered_s is not None:
                granted = 0 if request.refusal else 1
                yield request.answered_s, None, -1, granted
                if granted and request.ended_s is not None:
                    yield request.ended_s, None, 0, -1
        yield self.end_s, None, 0, 0


def _look(phase: Phase, waiting: int, serving: int) -> Look:
    match phase:
        case Phase.STOPPED:
            return Look.WANTED if waiting else Look.STOPPED
        case Phase.READY:
            return Look.SERVING if serving else Look.IDLE
        case Phase.LOADING:
            return Look.LOADING
        case Phase.STOPPING:
            return Look.STOPPING
