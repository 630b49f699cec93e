"""Starts that fail again and again, and the pause they earn (router.md R10)."""

from dataclasses import dataclass
from typing import Final

from swapper.core.errors import ProcessError, StartAbortedError, StartsRefusedError
from swapper.core.ids import ModelId

PATIENCE: Final = 3
"""So many failed starts in a row are nobody's business but the caller's."""

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0


@dataclass(slots=True)
class Failures:
    """The failed starts of one model since the last that succeeded.

    Attributes:
        count: how many in a row.
        last: the latest of them.
        until: no start before this time, on the router's clock.
    """

    count: int = 0
    last: ProcessError | None = None
    until: float = 0.0

    def add(self, error: ProcessError, now: float) -> None:
        """Count a failed start; one that was called off has not failed."""
        if isinstance(error, StartAbortedError):
            return
        self.count += 1
        self.last = error
        if self.count >= PATIENCE:
            doublings = min(self.count - PATIENCE, 10)
            self.until = now + min(FIRST_PAUSE_S * 2**doublings, LONGEST_PAUSE_S)

    def forget(self) -> None:
        """Begin anew: a start succeeded, or somebody may have mended what failed."""
        self.count, self.last, self.until = 0, None, 0.0

    def refusal(self, model: ModelId, now: float) -> StartsRefusedError | None:
        """Return what to answer instead of another start; None if one may be tried."""
        if self.last is None or self.until <= now:
            return None
        return StartsRefusedError(
            model, self.last, failures=self.count, retry_after_s=self.until - now
        )
