"""Totals and histograms over the activity log (http-api.md 21.4). Pure."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from swapper.core.json import JsonValue

_MIN_BINS: Final = 5
_MAX_BINS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How rates are spread.

    Attributes:
        bins: how many values are in each of the equally wide bins from *low* to *high*.
        low: smallest value.
        high: largest value.
        bin_size: width of a bin; 0 if all values are the same.
        p50: median.
        p95: 95th percentile.
        p99: 99th percentile.
    """

    bins: tuple[int, ...]
    low: float
    high: float
    bin_size: float
    p50: float
    p95: float
    p99: float

    def as_json(self) -> dict[str, JsonValue]:
        """Return the object of the API."""
        return {
            "bins": self.bins,
            "min": self.low,
            "max": self.high,
            "binSize": self.bin_size,
            "p50": self.p50,
            "p95": self.p95,
            "p99": self.p99,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Of all requests, or of one model's.

    Attributes:
        requests: how many there were.
        input_tokens: sum.
        output_tokens: sum.
        cache_tokens: sum of those that are known.
        prompt_rates: of input tokens per second; None if no rate is known.
        output_rates: of output tokens per second; None if no rate is known.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    cache_tokens: int
    prompt_rates: Histogram | None
    output_rates: Histogram | None

    def as_json(self) -> dict[str, JsonValue]:
        """Return the object of the API."""
        return {
            "total_requests": self.requests,
            "total_input_tokens": self.input_tokens,
            "total_output_tokens": self.output_tokens,
            "total_cache_tokens": self.cache_tokens,
            "prompt_histogram": _optional(self.prompt_rates),
            "gen_histogram": _optional(self.output_rates),
        }


def histogram(values: Sequence[float]) -> Histogram | None:
    """Return the histogram of positive *values* in ascending order; None of none."""
    if not values:
        return None
    low, high = values[0], values[-1]
    bins: tuple[int, ...] = (len(values),)
    bin_size = 0.0
    if low != high:
        count = min(max(math.ceil(math.log2(len(values))) + 1, _MIN_BINS), _MAX_BINS)
        bin_size = (high - low) / count
        bins = _bins(values, count, bin_size)
    return Histogram(
        bins=bins,
        low=low,
        high=high,
        bin_size=bin_size,
        p50=percentile(values, 50),
        p95=percentile(values, 95),
        p99=percentile(values, 99),
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile of *values* in ascending order, linearly interpolated."""
    rank = percent / 100 * (len(values) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (rank - below)


def _bins(values: Sequence[float], count: int, bin_size: float) -> tuple[int, ...]:
    """Return how many values each bin has; looks at a few only, as they are sorted."""
    low = values[0]

    def bin_of(value: float) -> int:
        # A range too narrow for floats to divide has a width of 0.
        index = int((value - low) / bin_size) if bin_size else value > low
        return min(index, count - 1)

    starts = [bisect_left(values, index, key=bin_of) for index in range(count)]
    ends = (*starts[1:], len(values))
    return tuple(end - start for start, end in zip(starts, ends, strict=True))


def _optional(part: Histogram | None) -> JsonValue:
    return None if part is None else part.as_json()
