"""Numbers of finished requests, for Prometheus.

Labels are bounded by the configuration: a name that no model has is counted as "".
"""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from swapper.core.exposition import Histogram, Sample, family
from swapper.record.row import Finished

_TIMES: Final = (
    ("swapper_request_duration_seconds", "From the known model to the last byte."),
    ("swapper_request_queue_seconds", "Time a request waited for room or its turn."),
    ("swapper_request_load_seconds", "Time a request waited for its model to load."),
    ("swapper_request_first_byte_seconds", "From the known model to the first byte."),
)


class RequestCounters:
    """Counts finished requests. All methods: any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards all below
        self._requests: Counter[tuple[str, str, str]] = Counter()
        self._truncated: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._times: dict[str, Sequence[Histogram]] = {}

    def keep(self, finished: Finished) -> None:
        """Count *finished*. A ``Keeper``."""
        model = finished.model if finished.is_known else ""
        if finished.peer and "/" not in model:
            model = f"{finished.peer}/{model}"
        tokens = finished.tokens
        first = finished.first_byte_ms
        with self._lock:
            status = f"{finished.status // 100}xx"
            self._requests[model, finished.route, status] += 1
            self._bytes[model] += finished.resp_bytes
            self._truncated[model] += finished.is_truncated
            for kind, count in (
                ("input", tokens.input_tokens),
                ("output", tokens.output_tokens),
                ("cached", tokens.cache_tokens),
            ):
                self._tokens[model, kind] += max(0, count)
            times = self._times.get(model)
            if times is None:
                times = self._times[model] = [Histogram() for _ in _TIMES]
            for histogram, milliseconds in zip(
                times,
                (finished.duration_ms, finished.queue_ms, finished.load_ms, first),
                strict=True,
            ):
                if milliseconds is not None:
                    histogram.add(milliseconds / 1000)

    def families(self) -> Iterator[str]:
        """Return all families as text; none before the first request."""
        with self._lock:
            yield from list(self._families())

    def _families(self) -> Iterator[str]:
        if not self._requests:
            return
        yield family(
            "swapper_requests_total",
            "counter",
            "Requests to models that have ended.",
            [
                Sample({"model": model, "route": route, "status": status}, count)
                for (model, route, status), count in sorted(self._requests.items())
            ],
        )
        for name, about, by_model in (
            ("response_bytes", "Bytes of response bodies.", self._bytes),
            ("responses_truncated", "Responses that broke off.", self._truncated),
        ):
            yield family(
                f"swapper_{name}_total",
                "counter",
                about,
                [Sample({"model": m}, count) for m, count in sorted(by_model.items())],
            )
        yield family(
            "swapper_tokens_total",
            "counter",
            "Tokens, as answers tell.",
            [
                Sample({"model": model, "kind": kind}, count)
                for (model, kind), count in sorted(self._tokens.items())
            ],
        )
        for index, (name, about) in enumerate(_TIMES):
            yield family(
                name,
                "histogram",
                about,
                [
                    sample
                    for model, times in sorted(self._times.items())
                    for sample in times[index].samples({"model": model})
                ],
            )
