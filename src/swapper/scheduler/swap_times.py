"""How long models take to start and to stop, for whoever has to weigh a swap."""

from dataclasses import dataclass, replace
from typing import Final, Protocol

from swapper.core.ids import ModelId

_NEWEST: Final = 0.5
"""Weight of the newest swap: one load from a cold disk must not count for ever."""


@dataclass(frozen=True, slots=True)
class SwapTime:
    """What a scheduler has learned of one model.

    Attributes:
        load_s: from the start of its process until it is ready; None if not known.
        stop_s: from the order to stop until nothing of it is left; likewise.
    """

    load_s: float | None = None
    stop_s: float | None = None

    def loaded_in(self, seconds: float) -> "SwapTime":
        """Return what is known after a load that took so long."""
        return replace(self, load_s=_blend(self.load_s, seconds))

    def stopped_in(self, seconds: float) -> "SwapTime":
        """Return what is known after a stop that took so long."""
        return replace(self, stop_s=_blend(self.stop_s, seconds))


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


def _blend(known: float | None, newest: float) -> float:
    return newest if known is None else known + _NEWEST * (newest - known)
