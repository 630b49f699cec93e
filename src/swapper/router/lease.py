"""What a grant hands over, and a refusal."""

from collections.abc import Callable
from dataclasses import dataclass

from swapper.core.errors import RequestError
from swapper.core.ids import ModelId, RunId


@dataclass(frozen=True, slots=True)
class Wait:
    """How a request waited.

    Attributes:
        position: where it stood when it came; see ``Standing.position``.
        seconds: from its arrival to the grant, or the refusal.
    """

    position: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Refused:
    """Why there is no lease.

    Attributes:
        error: what to answer; one may answer many requests.
        position: where the request stood when it came, if it has waited.
    """

    error: RequestError
    position: int | None = None


class Lease:
    """Permission to send one request to a running model.

    While a lease is open the router does not stop the model to make room, unless the
    request asked to be ``UNCOUNTED``. Whoever holds it calls ``done`` when the response
    has ended: finished, upstream broke, client left, handler raised.

    Attributes:
        model: real id.
        run: number of the process run that was ready when the lease was granted.
        proxy: base URL where that run is reached.
        started_s: when that run was started, on the router's monotonic clock.
        ready_s: when it became ready.
        wait: of the request, for the lease; None if it got it at once.
    """

    __slots__ = (
        "_on_done",
        "model",
        "proxy",
        "ready_s",
        "run",
        "started_s",
        "wait",
    )

    def __init__(
        self,
        model: ModelId,
        run: RunId,
        proxy: str,
        on_done: Callable[[], None],
        *,
        started_s: float = 0.0,
        ready_s: float = 0.0,
        wait: Wait | None = None,
    ) -> None:
        self.model = model
        self.run = run
        self.proxy = proxy
        self.started_s = started_s
        self.ready_s = ready_s
        self.wait = wait
        self._on_done = [on_done]  # list.pop makes done() happen once

    def done(self) -> None:
        """End the lease. Any thread, any number of times; never blocks."""
        if not self._on_done:
            return
        try:
            on_done = self._on_done.pop()
        except IndexError:
            return
        on_done()

    def disown(self) -> bool:
        """Give up the right to end it, once; return whether it was still there."""
        try:
            self._on_done.pop()
        except IndexError:
            return False
        return True
