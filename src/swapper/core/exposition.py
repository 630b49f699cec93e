"""Prometheus' text format, version 0.0.4. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a family.

    Attributes:
        labels: in order.
        value: an int is written in digits, a float as short as it is exact.
        suffix: behind the family's name: ``_bucket``, ``_sum``, ``_count``.
    """

    labels: Mapping[str, str]
    value: float
    suffix: str = field(default="", kw_only=True)


SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Upper bounds of the buckets of every histogram of seconds."""


class Histogram:
    """Counts of seconds by bucket. One thread adds; a reader may miss the last one."""

    __slots__ = ("_buckets", "_sum")

    def __init__(self) -> None:
        self._buckets = [0] * (len(SECONDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self._buckets[bisect_left(SECONDS, seconds)] += 1
        self._sum += seconds

    def samples(self, labels: dict[str, str]) -> Iterator[Sample]:
        """Return the lines of one series, buckets added up."""
        total = 0
        bounds = [*(f"{bound:g}" for bound in SECONDS), "+Inf"]
        for bound, count in zip(bounds, self._buckets, strict=True):
            total += count
            yield Sample({**labels, "le": bound}, total, suffix="_bucket")
        yield Sample(labels, float(self._sum), suffix="_sum")
        yield Sample(labels, total, suffix="_count")


def family(name: str, kind: str, about: str, samples: Iterable[Sample]) -> str:
    """Return a metric family as text: its two comments and a line per sample.

    Args:
        name: of the family.
        kind: ``gauge``, ``counter`` or ``histogram``.
        about: one line, plain.
        samples: its samples.
    """
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    lines += [
        f"{name}{sample.suffix}{_labels(sample.labels)} {_value(sample.value)}"
        for sample in samples
    ]
    return "\n".join([*lines, ""])


def _labels(labels: Mapping[str, str]) -> str:
    pairs = (f'{name}="{text.translate(_ESCAPED)}"' for name, text in labels.items())
    return "{" + ",".join(pairs) + "}" if labels else ""


def _value(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() else repr(value)
