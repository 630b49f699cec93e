"""Numbers of finished requests, for Prometheus.

Labels are bounded by the configuration: a name that no model has is counted as "".
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from swapper.core.exposition import Histogram, Sample, family
from swapper.record.row import Finished

_TIMES: Final = (
    ("swapper_request_duration_seconds", "From the known model to the last byte."),
    ("swapper_request_queue_seconds", "Time a request waited for room or its turn."),
    ("swapper_request_load_seconds", "Time a request waited for its model to load."),
    ("swapper_request_first_byte_seconds", "From the known model to the first byte."),
)


class _OfModel:
    """Numbers of one model."""

    __slots__ = (
        "cached",
        "input",
        "output",
        "requests",
        "resp_bytes",
        "times",
        "truncated",
    )

    def __init__(self) -> None:
        self.requests: dict[tuple[str, int], int] = {}  # by route and status / 100
        self.resp_bytes = 0
        self.truncated = 0
        self.input = 0
        self.output = 0
        self.cached = 0
        self.times = tuple(Histogram() for _ in _TIMES)

    def keep(self, finished: Finished) -> None:
        kind = finished.route, finished.status // 100
        self.requests[kind] = self.requests.get(kind, 0) + 1
        self.resp_bytes += finished.resp_bytes
        self.truncated += finished.is_truncated
        tokens = finished.tokens
        # an answer may say -1: that it does not know
        self.input += max(0, tokens.input_tokens)
        self.output += max(0, tokens.output_tokens)
        self.cached += max(0, tokens.cache_tokens)
        duration, queue, load, first_byte = self.times
        duration.add(finished.duration_ms / 1000)
        queue.add(finished.queue_ms / 1000)
        load.add(finished.load_ms / 1000)
        if finished.first_byte_ms is not None:
            first_byte.add(finished.first_byte_ms / 1000)


_TOTALS: Final[tuple[tuple[str, str, Callable[[_OfModel], int]], ...]] = (
    ("response_bytes", "Bytes of response bodies.", lambda of: of.resp_bytes),
    ("responses_truncated", "Responses that broke off.", lambda of: of.truncated),
)
_TOKENS: Final[Mapping[str, Callable[[_OfModel], int]]] = {
    "cached": lambda of: of.cached,
    "input": lambda of: of.input,
    "output": lambda of: of.output,
}


class RequestCounters:
    """Counts finished requests. All methods: any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _models
        self._models: dict[str, _OfModel] = {}

    def keep(self, finished: Finished) -> None:
        """Count *finished*. A ``Keeper``."""
        model = finished.model if finished.is_known else ""
        if finished.peer and "/" not in model:
            model = f"{finished.peer}/{model}"
        with self._lock:
            counted = self._models.get(model)
            if counted is None:
                counted = self._models[model] = _OfModel()
            counted.keep(finished)

    def families(self) -> Iterator[str]:
        """Return all families as text; none before the first request."""
        with self._lock:
            yield from list(self._families())

    def _families(self) -> Iterator[str]:
        if not self._models:
            return
        models = sorted(self._models.items())
        yield family(
            "swapper_requests_total",
            "counter",
            "Requests to models that have ended.",
            [
                Sample({"model": model, "route": route, "status": f"{hundreds}xx"}, n)
                for model, of in models
                for (route, hundreds), n in sorted(of.requests.items())
            ],
        )
        for name, about, figure in _TOTALS:
            yield family(
                f"swapper_{name}_total",
                "counter",
                about,
                [Sample({"model": model}, figure(of)) for model, of in models],
            )
        yield family(
            "swapper_tokens_total",
            "counter",
            "Tokens, as answers tell.",
            [
                Sample({"model": model, "kind": kind}, count(of))
                for model, of in models
                for kind, count in _TOKENS.items()
            ],
        )
        for index, (name, about) in enumerate(_TIMES):
            yield family(
                name,
                "histogram",
                about,
                [
                    sample
                    for model, of in models
                    for sample in of.times[index].samples({"model": model})
                ],
            )
