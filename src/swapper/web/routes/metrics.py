"""``/metrics``: everything that can be counted, for Prometheus (http-api.md 25.4).

The first families are the reference's. Ours begin with ``swapper_``; docs/monitoring.md
lists them all.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from swapper.core.exposition import Sample, family
from swapper.hardware import ProcessMemory, host_families
from swapper.router import state_family
from swapper.web.request import Request
from swapper.web.response import Response, text_response
from swapper.web.services import Services

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsRoutes:
    """Shows all families."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def page(self, request: Request) -> Response:  # noqa: ARG002 - a handler
        """Return what there is to be scraped."""
        services = self._services
        if not services.performance.is_available:
            return text_response(
                "# performance monitor not available\n",
                503,
                content_type="text/plain",
            )
        services.books.settle()
        sources: tuple[Iterable[str], ...] = (
            host_families(*services.performance.latest()),
            services.counters.families(),
            services.router.counts.families(),
            self._gauges(),
        )
        text = "".join(part for source in sources for part in source)
        return text_response(text, content_type=_CONTENT_TYPE)

    def _gauges(self) -> Iterator[str]:
        services = self._services
        yield state_family(services.router.states())
        waiting = Counter(
            str(queued.ticket.model) for queued in services.router.queue()
        )
        yield by_model("queued", "Requests that wait for their model.", waiting)
        serving = Counter(
            track.subject.model
            for track in services.tracker.listed()
            if track.subject.is_known
        )
        about = "Requests to models that have not ended, waiting ones too."
        yield by_model("in_flight", about, serving)
        yield from memory_families(services.memory())


def by_model(name: str, about: str, counts: Mapping[str, int]) -> str:
    """Return a gauge ``swapper_requests_<name>`` with a sample per model. Pure."""
    samples = [Sample({"model": model}, counts[model]) for model in sorted(counts)]
    return family(f"swapper_requests_{name}", "gauge", about, samples)


def memory_families(held: Mapping[str, ProcessMemory]) -> Iterator[str]:
    """Return what the process tree of each model holds. Pure."""
    figures: tuple[tuple[str, str, Callable[[ProcessMemory], int]], ...] = (
        ("resident", "Resident memory of the process tree.", lambda m: m.resident),
        ("gpu", "GPU memory of the process tree.", lambda m: m.gpu),
    )
    for name, about, figure in figures:
        samples = [
            Sample({"model": model}, figure(memory))
            for model, memory in sorted(held.items())
        ]
        yield family(f"swapper_model_{name}_memory_bytes", "gauge", about, samples)
