"""Numbers about a simulation: how long, how many loads, who waited how long."""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from swapper.core.json import JsonValue
from swapper.sim.history import History, Request

_MODELS_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Seconds from the submission of a request to its lease.

    Attributes:
        count: of requests that got a lease.
        p50_s: half of them waited no longer; ``p99_s`` likewise.
    """

    count: int
    mean_s: float
    p50_s: float
    p99_s: float
    max_s: float

    def to_json(self) -> Mapping[str, JsonValue]:
        """Return the numbers by name."""
        return {
            "count": self.count,
            "mean": self.mean_s,
            "p50": self.p50_s,
            "p99": self.p99_s,
            "max": self.max_s,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What one scheduler made of a trace.

    Attributes:
        makespan_s: from second 0 until the last response has ended.
        loads: processes started; the first loads of the models are among them.
        refused: requests that got no lease.
        by_model: waits for each model that was asked for, in order of ids.
        client_fairness: Jain's index over the mean waits of the clients: 1 if all
            wait equally long, 1/n if one of n waits and the others never.
        model_fairness: the same over the models.
    """

    makespan_s: float
    loads: int
    refused: int
    waits: Waits
    by_model: Mapping[str, Waits]
    client_fairness: float
    model_fairness: float

    def to_json(self) -> Mapping[str, JsonValue]:
        """Return all as JSON; times in seconds."""
        return {
            "makespan": self.makespan_s,
            "loads": self.loads,
            "refused": self.refused,
            "wait": self.waits.to_json(),
            "models": {name: waits.to_json() for name, waits in self.by_model.items()},
            "fairness": {
                "clients": self.client_fairness,
                "models": self.model_fairness,
            },
        }


def summarize(history: History) -> Summary:
    """Return the numbers of a finished simulation."""
    granted = [request for request in history.requests if not request.refusal]
    by_model = _grouped(granted, lambda request: request.model)
    by_client = _grouped(granted, lambda request: request.client)
    return Summary(
        makespan_s=history.end_s,
        loads=history.loads,
        refused=len(history.requests) - len(granted),
        waits=waits_of(granted),
        by_model={name: waits_of(by_model[name]) for name in sorted(by_model)},
        client_fairness=jain_index(
            [waits_of(own).mean_s for own in by_client.values()]
        ),
        model_fairness=jain_index([waits_of(own).mean_s for own in by_model.values()]),
    )


def waits_of(requests: Sequence[Request]) -> Waits:
    """Return how long these waited; zeros for none."""
    waits = sorted(request.wait_s for request in requests)
    return Waits(
        count=len(waits),
        mean_s=statistics.fmean(waits) if waits else 0.0,
        p50_s=percentile(waits, 0.5),
        p99_s=percentile(waits, 0.99),
        max_s=waits[-1] if waits else 0.0,
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of the values that *share* of them do not exceed; 0 for none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def jain_index(values: Sequence[float]) -> float:
    """Return (sum of x)^2 / (n * sum of x^2), and 1 if nothing differs from 0."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 1.0


def report_text(summaries: Mapping[str, Summary]) -> str:
    """Return tables for people, one column or row group per scheduler."""
    rows: list[tuple[str, Callable[[Summary], str]]] = [
        ("makespan", lambda s: _seconds(s.makespan_s)),
        ("loads", lambda s: str(s.loads)),
        ("requests served", lambda s: str(s.waits.count)),
        ("requests refused", lambda s: str(s.refused)),
        ("mean wait", lambda s: _seconds(s.waits.mean_s)),
        ("median wait", lambda s: _seconds(s.waits.p50_s)),
        ("99 % wait no longer than", lambda s: _seconds(s.waits.p99_s)),
        ("longest wait", lambda s: _seconds(s.waits.max_s)),
        ("fairness, clients (Jain)", lambda s: f"{s.client_fairness:.3f}"),
        ("fairness, models (Jain)", lambda s: f"{s.model_fairness:.3f}"),
    ]
    lines = [_row("", summaries)]
    lines += [_row(name, map(show, summaries.values())) for name, show in rows]
    for name, summary in summaries.items():
        lines += ["", _row(f"waits, {name}", ("count", "mean", "p50", "p99", "max"))]
        # Those that waited longest tell most.
        worst = sorted(summary.by_model.items(), key=lambda entry: -entry[1].max_s)
        lines += [_waits_row(model, waits) for model, waits in worst[:_MODELS_SHOWN]]
        if worst[_MODELS_SHOWN:]:
            lines.append(f"and {len(worst) - _MODELS_SHOWN} models that waited less")
    return "\n".join(lines)


def _waits_row(model: str, waits: Waits) -> str:
    times = (waits.mean_s, waits.p50_s, waits.p99_s, waits.max_s)
    return _row(model, (str(waits.count), *map(_seconds, times)))


def _row(name: str, cells: "Mapping[str, object] | Sequence[str] | map[str]") -> str:
    return f"{name:<26}" + "".join(f"{cell:>12}" for cell in cells)


def _seconds(value: float) -> str:
    return f"{value:.2f} s"


def _grouped(
    requests: Sequence[Request], key: Callable[[Request], str]
) -> dict[str, list[Request]]:
    groups: dict[str, list[Request]] = defaultdict(list)
    for request in requests:
        groups[key(request)].append(request)
    return groups
