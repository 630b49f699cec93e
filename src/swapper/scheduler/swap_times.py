"""How long models take to start and to stop, for whoever has to weigh a swap."""

from dataclasses import dataclass
from typing import Protocol

from swapper.core.ids import ModelId


@dataclass(frozen=True, slots=True)
class SwapTime:
    """What a scheduler has learned of one model.

    Attributes:
        load_s: from the start of its process until it is ready; None if not known.
        stop_s: from the order to stop until nothing of it is left; likewise.
    """

    load_s: float | None = None
    stop_s: float | None = None


class SwapTimes(Protocol):
    """Keeps what was learned, for as long as the implementation likes.

    Called in the router thread: no method may block, so one that writes to a
    disk leaves that to another thread.
    """

    def get(self, model: ModelId) -> SwapTime:
        """Return what was last put, or a time with nothing known."""
        ...

    def put(self, model: ModelId, time: SwapTime) -> None:
        """Keep *time* in place of what is known of the model."""
        ...


class MemorySwapTimes:
    """Forgets everything at the end of the process."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        self._times: dict[ModelId, SwapTime] = {}

    def get(self, model: ModelId) -> SwapTime:
        """Return what was last put, or a time with nothing known."""
        return self._times.get(model, SwapTime())

    def put(self, model: ModelId, time: SwapTime) -> None:
        """Keep *time* in place of what is known of the model."""
        self._times[model] = time


class LearnedElsewhere:
    """What another scheduler learns, for one that shall only read it."""

    __slots__ = ("_times",)

    def __init__(self, times: SwapTimes) -> None:
        self._times = times

    def get(self, model: ModelId) -> SwapTime:
        """Return what was last put, or a time with nothing known."""
        return self._times.get(model)

    def put(self, model: ModelId, time: SwapTime) -> None:
        """Keep nothing."""
