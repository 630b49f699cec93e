"""From what the rounds measured to medians, ratios and verdicts. Pure."""

import enum
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

BUSY_GENERATOR: Final = 0.85
"""Of its one core; above, the generator may be what limits."""
NEAR_DIRECT: Final = 0.8
"""Of what generator and upstream do without a proxy; above, they may be what limits."""
ERRORS: Final = "errors"
BUSY: Final = "generator_busy"


class Pick(enum.Enum):
    """How several rounds become one figure."""

    MEDIAN = "median"
    MOST = "most"


@dataclass(frozen=True, slots=True)
class Figure:
    """A column: what is measured, and in what unit."""

    name: str
    label: str
    digits: int = 0
    pick: Pick = Pick.MEDIAN


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should come to; a ratio is to the yardstick's figure."""

    figure: str
    limit: float
    is_ratio: bool = True
    is_minimum: bool = False

    def __str__(self) -> str:
        relation = ">=" if self.is_minimum else "<="
        return f"{relation} {self.limit:g}{'x' if self.is_ratio else ''}"


@dataclass(slots=True)
class Row:
    """What was measured of one program.

    Attributes:
        rounds: figures by name, and ``errors`` and ``generator_busy`` where there are any.
        foreign_cores: what others used of the machine, by round.
        troubles: the first error of each round that had one.
    """

    program: str
    rounds: list[Mapping[str, float]] = field(default_factory=list)
    foreign_cores: list[float] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def value(self, figure: Figure) -> float | None:
        """Return a figure of all rounds; None if it was not measured."""
        values = [r[figure.name] for r in self.rounds if figure.name in r]
        if not values:
            return None
        return max(values) if figure.pick is Pick.MOST else statistics.median(values)

    @property
    def errors(self) -> int:
        """How many requests failed."""
        return round(sum(r.get(ERRORS, 0) for r in self.rounds))

    @property
    def generator_busy(self) -> float:
        """How much of one core the generator used, in its busiest round."""
        return max((r.get(BUSY, 0.0) for r in self.rounds), default=0.0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a program stands to a target.

    Attributes:
        value: the ratio or the figure itself; None if something to compare is missing.
        is_met: None where *value* is, or when requests failed.
    """

    program: str
    target: Target
    value: float | None
    is_met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One measure, measured."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    targets: tuple[Target, ...]
    rows: Sequence[Row]
    yardstick: str
    direct: str
    is_saturating: bool = False

    def row(self, program: str) -> Row | None:
        """Return the row of a program."""
        return next((row for row in self.rows if row.program == program), None)

    def ratio(self, row: Row, figure: Figure) -> float | None:
        """Return how often the yardstick's figure goes into that of a row."""
        yardstick = self.row(self.yardstick)
        base = yardstick.value(figure) if yardstick else None
        value = row.value(figure)
        return None if value is None or not base else value / base

    def verdicts(self) -> list[Verdict]:
        """Return how every program but direct and yardstick stands to every target."""
        figures = {figure.name: figure for figure in self.figures}
        told = []
        for row in self.rows:
            if row.program in (self.direct, self.yardstick):
                continue
            for target in self.targets:
                figure = figures[target.figure]
                is_ratio = target.is_ratio
                value = self.ratio(row, figure) if is_ratio else row.value(figure)
                is_met = None
                if value is not None and not row.errors:
                    is_minimum = target.is_minimum
                    is_met = (
                        value >= target.limit if is_minimum else value <= target.limit
                    )
                told.append(Verdict(row.program, target, value, is_met))
        return told

    def doubts(self) -> list[str]:
        """Return what speaks against the figures, as sentences."""
        told = []
        direct = self.row(self.direct)
        best = direct.value(self.figures[0]) if direct and self.is_saturating else None
        for row in self.rows:
            if row.errors:
                why = "; ".join(sorted(set(row.troubles)))
                told.append(f"{row.program}: {row.errors} requests failed: {why}")
            if row.generator_busy > BUSY_GENERATOR:
                share = f"{row.generator_busy:.2f} of its core"
                told.append(f"{row.program}: the generator was busy {share}")
            value = row.value(self.figures[0])
            if best and value and row is not direct and value > NEAR_DIRECT * best:
                told.append(f"{row.program}: near the limit of generator and upstream")
        return told
