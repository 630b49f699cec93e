"""From what model servers tell about an answer to its ``Tokens``. Pure.

Servers differ: ``usage`` (OpenAI, Anthropic), ``timings`` (llama.cpp), ``metrics``
(vLLM). Rates are never derived from the wall clock. Source: http-api.md 22.2 and 22.4.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from swapper.core.json import JsonValue
from swapper.record.tokens import NO_TOKENS, UNKNOWN, Tokens

_COUNT_LIMIT: Final = 10**12
"""More tokens or milliseconds than this are somebody's mistake; sums stay sane."""

_INPUT: Final = ("prompt_tokens", "input_tokens")
_OUTPUT: Final = ("completion_tokens", "output_tokens")
_CACHED: Final = (
    ("cache_read_input_tokens",),
    ("input_tokens_details", "cached_tokens"),
    ("prompt_tokens_details", "cached_tokens"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an answer tells about itself.

    Attributes:
        tokens: its figures.
        timed_ms: how long the server says it took; 0 if it does not say.
    """

    tokens: Tokens
    timed_ms: int = 0


NO_USAGE: Final = Usage(tokens=NO_TOKENS)
"""Of an answer without figures."""


@dataclass(slots=True)
class Counts:
    """What ``usage`` objects say; None is not there."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing."""
        return self.input is None and self.output is None and self.cached is None

    def replace_by(self, later: "Counts") -> None:
        """Take what a later event of the same stream knows better."""
        if later.input is not None and later.input > 0:
            self.input = later.input
        if later.output is not None and later.output > 0:
            self.output = later.output
        if later.cached is not None and later.cached >= 0:
            self.cached = later.cached


def counts_of(usage: JsonValue) -> Counts:
    """Return what a ``usage`` value says; of synonyms the first that is there."""
    if not isinstance(usage, dict):
        return Counts()
    return Counts(
        next((_count(usage[name]) for name in _INPUT if name in usage), None),
        next((_count(usage[name]) for name in _OUTPUT if name in usage), None),
        next((_count(v) for path in _CACHED for v in _at(usage, path)), None),
    )


def usage_of(counts: Counts, told: Mapping[str, JsonValue]) -> Usage:
    """Return all figures of an answer.

    Args:
        counts: from ``usage``.
        told: holds ``timings`` and ``metrics`` if they were there, even if null.
    """
    tokens = {
        "input_tokens": counts.input or 0,
        "output_tokens": counts.output or 0,
        "cache_tokens": UNKNOWN if counts.cached is None else counts.cached,
        "draft_tokens": UNKNOWN,
        "draft_acc_tokens": UNKNOWN,
    }
    rates = {"prompt_per_second": -1.0, "tokens_per_second": -1.0}
    timed_ms = 0
    if "timings" in told:
        timed_ms = _add_timings(_object(told["timings"]), tokens, rates)
    _add_metrics(_object(told.get("metrics")), tokens, rates)
    return Usage(
        tokens=Tokens(
            cache_tokens=tokens["cache_tokens"],
            draft_tokens=tokens["draft_tokens"],
            draft_acc_tokens=tokens["draft_acc_tokens"],
            input_tokens=tokens["input_tokens"],
            output_tokens=tokens["output_tokens"],
            prompt_per_second=rates["prompt_per_second"],
            tokens_per_second=rates["tokens_per_second"],
        ),
        timed_ms=timed_ms,
    )


def _add_timings(
    timings: Mapping[str, JsonValue], tokens: dict[str, int], rates: dict[str, float]
) -> int:
    """Put llama.cpp's figures in; return the milliseconds it took."""
    tokens["input_tokens"] = _count(timings.get("prompt_n"))
    tokens["output_tokens"] = _count(timings.get("predicted_n"))
    rates["prompt_per_second"] = _number(timings.get("prompt_per_second"))
    rates["tokens_per_second"] = _number(timings.get("predicted_per_second"))
    if "cache_n" in timings:
        tokens["cache_tokens"] = _count(timings["cache_n"])
    _add_drafts(timings, "draft_n", "draft_n_accepted", tokens)
    spent = _number(timings.get("prompt_ms")) + _number(timings.get("predicted_ms"))
    return max(0, _count(spent))


def _add_metrics(
    metrics: Mapping[str, JsonValue], tokens: dict[str, int], rates: dict[str, float]
) -> None:
    """Put vLLM's figures in."""
    speculative = _object(metrics.get("speculative_decoding"))
    _add_drafts(speculative, "num_draft_tokens", "num_accepted_draft_tokens", tokens)
    first_ms = _number(metrics.get("time_to_first_token_ms"))
    if first_ms > 0:
        read = tokens["input_tokens"] - max(tokens["cache_tokens"], 0)
        rates["prompt_per_second"] = _finite(1000 * read / first_ms)
    between_ms = _number(metrics.get("mean_itl_ms"))
    if between_ms > 0:
        rates["tokens_per_second"] = _finite(1000 / between_ms)


def _add_drafts(
    source: Mapping[str, JsonValue], drafted: str, accepted: str, tokens: dict[str, int]
) -> None:
    if drafted in source and accepted in source:
        tokens["draft_tokens"] = _count(source[drafted])
        tokens["draft_acc_tokens"] = _count(source[accepted])


def _object(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _at(value: JsonValue, path: tuple[str, ...]) -> tuple[JsonValue, ...]:
    """Return the value at *path*, if there is one."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return ()
        value = value[name]
    return (value,)


def _count(value: JsonValue) -> int:
    """Return a number without its fraction, 0 for what is none."""
    return int(max(-_COUNT_LIMIT, min(_number(value), _COUNT_LIMIT)))


def _number(value: JsonValue) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return _finite(value)


def _finite(value: float) -> float:
    """Return *value*; 0 for what neither JSON nor a database can hold."""
    return value if math.isfinite(value) else 0
