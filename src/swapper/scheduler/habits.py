"""What a scheduler learns of the use of models: who comes back when.

Facts in, figures out; nothing here decides anything. Times are in seconds on the
router's clock.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Final

from swapper.core.ids import ModelId
from swapper.scheduler.swap_times import SwapTimes

REMEMBERED: Final = 32
"""How many pauses of a model are remembered; people's ways change."""


@dataclass(slots=True)
class _Use:
    """How a model is used.

    Attributes:
        pauses: from its last answer's end to the next request, the newest last.
        busy: from the first of some requests to the end of the last, likewise.
        idle_since: when the present pause began; None in none.
        busy_since: likewise.
    """

    pauses: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    busy: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    idle_since: float | None = None
    busy_since: float | None = None


class Habits:
    """Router thread only."""

    def __init__(self, swap_times: SwapTimes) -> None:
        """Know what *swap_times* knows, which others keep up to date."""
        self._times = swap_times
        self._uses: dict[ModelId, _Use] = {}

    # -- what happens ----------------------------------------------------------

    def arrives(self, model: ModelId, now: float) -> None:
        """Note a request; the first one after a pause tells how long that was."""
        use = self._uses.get(model)
        if use is not None and use.idle_since is not None:
            use.pauses.append(now - use.idle_since)
            use.idle_since = None

    def serves(self, model: ModelId, now: float) -> None:
        """Note that a request is being served, the first one or one more."""
        use = self._uses.setdefault(model, _Use())
        if use.busy_since is None:
            use.busy_since = now

    def idles(self, model: ModelId, now: float) -> None:
        """Note that the last request being served has ended."""
        use = self._uses.setdefault(model, _Use())
        if use.busy_since is not None:
            use.busy.append(now - use.busy_since)
        use.busy_since, use.idle_since = None, now

    # -- what is known ---------------------------------------------------------

    def load_s(self, model: ModelId) -> float | None:
        """Return how long the model loads; None if that has not been seen."""
        return self._times.get(model).load_s

    def stop_s(self, model: ModelId) -> float:
        """Return how long it takes to stop; 0 if that has not been seen."""
        return self._times.get(model).stop_s or 0.0

    def pauses(self, model: ModelId) -> Sequence[float]:
        """Return the last pauses in its use, in no particular order."""
        use = self._uses.get(model)
        return () if use is None else tuple(use.pauses)

    def busy_s(self, model: ModelId) -> float:
        """Return how long it is busy once it is asked, on average; 0 if not known."""
        use = self._uses.get(model)
        return fmean(use.busy) if use is not None and use.busy else 0.0
