"""From what model servers tell about an answer to its ``Tokens``. Pure.

Servers differ: ``usage`` (OpenAI, Anthropic), ``timings`` (llama.cpp), ``metrics``
(vLLM). Rates are never derived from the wall clock. Source: http-api.md 22.2 and 22.4.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

from swapper.core.json import JsonValue
from swapper.record.tokens import NO_TOKENS, UNKNOWN, Tokens

_COUNT_LIMIT: Final = 10**12
"""More tokens or milliseconds than this are somebody's mistake; sums stay sane."""

_INPUT: Final = ("prompt_tokens", "input_tokens")
_OUTPUT: Final = ("completion_tokens", "output_tokens")
_CACHED: Final = "cache_read_input_tokens"
_DETAILS: Final = ("input_tokens_details", "prompt_tokens_details")

_Drafts: TypeAlias = tuple[int, int]  # proposed, accepted
_NO_DRAFTS: Final = (UNKNOWN, UNKNOWN)


class Usage(NamedTuple):
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
    counts = Counts()
    for name in _INPUT:
        if name in usage:
            counts.input = _count(usage[name])
            break
    for name in _OUTPUT:
        if name in usage:
            counts.output = _count(usage[name])
            break
    if _CACHED in usage:
        counts.cached = _count(usage[_CACHED])
        return counts
    for name in _DETAILS:
        details = usage.get(name)
        if isinstance(details, dict) and "cached_tokens" in details:
            counts.cached = _count(details["cached_tokens"])
            break
    return counts


def usage_of(counts: Counts, told: Mapping[str, JsonValue]) -> Usage:
    """Return all figures of an answer.

    Args:
        counts: from ``usage``.
        told: holds ``timings`` and ``metrics`` if they were there, even if null.
    """
    cached = UNKNOWN if counts.cached is None else counts.cached
    timed_ms = 0
    if "timings" in told:
        timings = _object(told["timings"])
        tokens = _timed(timings, cached)
        spent = _number(timings.get("prompt_ms")) + _number(timings.get("predicted_ms"))
        timed_ms = max(0, _count(spent))
    else:
        tokens = Tokens(
            cache_tokens=cached,
            draft_tokens=UNKNOWN,
            draft_acc_tokens=UNKNOWN,
            input_tokens=counts.input or 0,
            output_tokens=counts.output or 0,
            prompt_per_second=UNKNOWN,
            tokens_per_second=UNKNOWN,
        )
    metrics = told.get("metrics")
    if isinstance(metrics, dict) and metrics:
        tokens = _with_metrics(tokens, metrics)
    return Usage(tokens, timed_ms)


def _timed(timings: Mapping[str, JsonValue], cached: int) -> Tokens:
    """Return llama.cpp's figures, which replace those of ``usage`` but for *cached*."""
    drafted, accepted = _drafts(timings, "draft_n", "draft_n_accepted", _NO_DRAFTS)
    return Tokens(
        cache_tokens=_count(timings["cache_n"]) if "cache_n" in timings else cached,
        draft_tokens=drafted,
        draft_acc_tokens=accepted,
        input_tokens=_count(timings.get("prompt_n")),
        output_tokens=_count(timings.get("predicted_n")),
        prompt_per_second=_number(timings.get("prompt_per_second")),
        tokens_per_second=_number(timings.get("predicted_per_second")),
    )


def _with_metrics(tokens: Tokens, metrics: Mapping[str, JsonValue]) -> Tokens:
    """Put vLLM's figures in."""
    drafted, accepted = _drafts(
        _object(metrics.get("speculative_decoding")),
        "num_draft_tokens",
        "num_accepted_draft_tokens",
        (tokens.draft_tokens, tokens.draft_acc_tokens),
    )
    tokens = tokens._replace(draft_tokens=drafted, draft_acc_tokens=accepted)
    first_ms = _number(metrics.get("time_to_first_token_ms"))
    if first_ms > 0:
        read = tokens.input_tokens - max(tokens.cache_tokens, 0)
        rate = _finite(1000 * read / first_ms)
        tokens = tokens._replace(prompt_per_second=rate)
    between_ms = _number(metrics.get("mean_itl_ms"))
    if between_ms > 0:
        tokens = tokens._replace(tokens_per_second=_finite(1000 / between_ms))
    return tokens


def _drafts(
    source: Mapping[str, JsonValue], drafted: str, accepted: str, otherwise: _Drafts
) -> _Drafts:
    """Return both counts, *otherwise* if one is not there."""
    if drafted in source and accepted in source:
        return _count(source[drafted]), _count(source[accepted])
    return otherwise


def _object(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _count(value: JsonValue) -> int:
    """Return a number without its fraction, 0 for what is none."""
    if type(value) is float and 0 <= value <= _COUNT_LIMIT:  # as nearly all are
        return int(value)
    return int(max(-_COUNT_LIMIT, min(_number(value), _COUNT_LIMIT)))


def _number(value: JsonValue) -> float:
    if type(value) is float:  # as nearly all are
        return _finite(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return _finite(value)


def _finite(value: float) -> float:
    """Return *value*; 0 for what neither JSON nor a database can hold."""
    return value if math.isfinite(value) else 0
