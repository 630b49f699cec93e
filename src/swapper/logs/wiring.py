"""Which log flows into which (http-api.md 25.2)."""

import threading
from typing import BinaryIO

from swapper.core.ids import ModelId
from swapper.logs.monitor import Monitor
from swapper.logs.stdout import StdoutWriter


class Logs:
    """All monitors of one swapper. Any thread.

    Attributes:
        combined: what ``/logs`` shows and stdout gets; only what is routed to it.
        proxy: swapper's own log lines.
        upstream: the output of all models.
    """

    __slots__ = (
        "_closed",
        "_lock",
        "_models",
        "_stdout",
        "combined",
        "proxy",
        "upstream",
    )

    def __init__(self, to_stdout: str, stdout: BinaryIO | None) -> None:
        """Wire the monitors.

        Args:
            to_stdout: ``proxy``, ``upstream``, ``both`` or ``none``.
            stdout: where the combined log goes too, unless it is ``none``; None for
                nowhere. Written by one thread; never closed here.
        """
        self.combined = Monitor()
        self.proxy = Monitor(self.combined if to_stdout in {"proxy", "both"} else None)
        self.upstream = Monitor(
            self.combined if to_stdout in {"upstream", "both"} else None
        )
        self._stdout = (
            StdoutWriter(self.combined, stdout)
            if stdout is not None and to_stdout != "none"
            else None
        )
        self._lock = threading.Lock()  # guards _models and _closed
        self._models: dict[ModelId, Monitor] = {}
        self._closed = False

    def model(self, model: ModelId) -> Monitor:
        """Return the model's own monitor, the same one for as long as swapper runs."""
        with self._lock:
            monitor = self._models.get(model)
            if monitor is None:
                monitor = self._models[model] = Monitor(self.upstream)
                if self._closed:
                    monitor.close()
            return monitor

    def close(self) -> None:
        """End every subscription after what it has queued; write stdout's last lines.

        Waits at most a second, for stdout. Monitors may be written to afterwards.
        """
        with self._lock:
            self._closed = True
            models = tuple(self._models.values())
        for monitor in (*models, self.upstream, self.proxy, self.combined):
            monitor.close()
        if self._stdout is not None:
            self._stdout.join()
