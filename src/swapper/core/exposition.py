"""Prometheus' text format, version 0.0.4. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

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
