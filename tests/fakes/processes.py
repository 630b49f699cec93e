"""Process handles for tests of the router with real threads."""

import threading
from collections.abc import Callable
from typing import Any

from swapper.config.schema import ModelConfig
from swapper.core.errors import ProcessError
from swapper.core.ids import ModelId, RunId
from swapper.process.messages import Started, Stopped


class HeldProcess:
    """A process whose start and stop end when the test says so, or at once.

    Attributes:
        starts: run numbers started.
        configs: with what, in the same order.
        stops: (run, grace) of each stop.
    """

    def __init__(self, model: ModelId, notify: Callable[[Any], None]) -> None:
        self.model = model
        self.notify = notify
        self.starts: list[RunId] = []
        self.configs: list[ModelConfig] = []
        self.stops: list[tuple[RunId, float]] = []
        self.is_ended = False
        self.hold_start = False
        self.hold_stop = False
        self.start_error: ProcessError | None = None
        self.starting = threading.Semaphore(0)
        self.stopping = threading.Semaphore(0)

    def ensure_ready(self, run: RunId, config: ModelConfig) -> None:
        """Note it; report at once unless held."""
        self.starts.append(run)
        self.configs.append(config)
        if not self.hold_start:
            self.finish_start()
        self.starting.release()

    def finish_start(self) -> None:
        """Report ready or the planned error."""
        self.notify(Started(self.model, self.starts[-1], self.start_error))
        if self.start_error is not None:
            self.notify(Stopped(self.model, self.starts[-1]))

    def stop(self, run: RunId, grace_s: float) -> None:
        """Note it; report at once unless held."""
        self.stops.append((run, grace_s))
        if not self.hold_stop:
            self.finish_stop()
        self.stopping.release()

    def finish_stop(self) -> None:
        """Report that nothing is left."""
        self.notify(Stopped(self.model, self.stops[-1][0]))

    def shutdown(self, grace_s: float) -> None:  # noqa: ARG002 - the Protocol's shape
        """Note it."""
        self.is_ended = True

    def join(self, timeout_s: float | None) -> bool:  # noqa: ARG002 - the Protocol's shape
        """Nothing to wait for."""
        return True


class Processes(dict[ModelId, HeldProcess]):
    """All processes of a router; its ``spawn`` goes into the router."""

    def spawn(self, model: ModelId, notify: Callable[[Any], None]) -> HeldProcess:
        """Make the process of one model."""
        self[model] = HeldProcess(model, notify)
        return self[model]
