"""What the router has done with each model, in numbers."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from swapper.core.exposition import Histogram, Sample, family
from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.scheduler import StopReason

_REASONS: Final = {
    StopReason.SWAP: "swap",
    StopReason.UNLOAD: "api",
    StopReason.IDLE: "ttl",
    StopReason.ABORT: "abort",
    StopReason.RELOAD: "reload",
    StopReason.SHUTDOWN: "shutdown",
}
"""Values of the label ``reason``."""


class RouterCounts:
    """Starts, stops and loads by model.

    The router thread counts. Others may read at any time: every figure is one atomic
    operation; figures of one moment need not agree with each other.
    """

    def __init__(self) -> None:
        self._starts: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._deaths: Counter[str] = Counter()
        self._stops: Counter[tuple[str, str]] = Counter()
        self._loads: dict[str, Histogram] = {}  # of successful starts

    # --- router thread --------------------------------------------------------------

    def started(self, model: ModelId) -> None:
        """Count the beginning of a start."""
        self._starts[model] += 1

    def loaded(self, model: ModelId, load_s: float) -> None:
        """Count the end of one that succeeded."""
        self._loads.setdefault(model, Histogram()).add(load_s)

    def failed(self, model: ModelId) -> None:
        """Count the end of one that did not."""
        self._failures[model] += 1

    def died(self, model: ModelId) -> None:
        """Count a ready process that ended by itself."""
        self._deaths[model] += 1

    def stopped(self, model: ModelId, reason: StopReason) -> None:
        """Count a stop that the router asked for."""
        self._stops[model, _REASONS[reason]] += 1

    # --- any thread -------------------------------------------------------------------

    def families(self) -> Iterator[str]:
        """Return all families that have a sample, as text."""
        for name, about, by_model in (
            ("starts_total", "Starts of the model's process.", self._starts),
            ("start_failures_total", "Starts that failed.", self._failures),
            ("deaths_total", "Ready processes that ended by themselves.", self._deaths),
        ):
            counts = sorted(by_model.copy().items())
            if counts:
                samples = [Sample({"model": model}, count) for model, count in counts]
                yield family(f"swapper_model_{name}", "counter", about, samples)
        stops = sorted(self._stops.copy().items())
        if stops:
            yield family(
                "swapper_model_stops_total",
                "counter",
                "Stops by the router; reason swap is an eviction.",
                [
                    Sample({"model": model, "reason": reason}, count)
                    for (model, reason), count in stops
                ],
            )
        loads = sorted(self._loads.copy().items())
        if loads:
            yield family(
                "swapper_model_load_seconds",
                "histogram",
                "From the start of a process until it was ready.",
                [s for model, h in loads for s in h.samples({"model": model})],
            )


def state_family(states: Mapping[ModelId, ProcessState]) -> str:
    """Return which state each model is in, as text."""
    return family(
        "swapper_model_state",
        "gauge",
        "1 for the state that the model is in.",
        [
            Sample({"model": model, "state": other.value}, int(other is state))
            for model, state in sorted(states.items())
            for other in ProcessState
        ],
    )
