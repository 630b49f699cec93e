"""Outcomes as text for people and as JSON for programs. Pure."""

from typing import Any, Final

from benchmarks.machine import QUIET_CORES
from benchmarks.results import Figure, Outcome, Row, Verdict

_NAME_WIDTH: Final = 12
_RATIO_WIDTH: Final = 7
_MISSING: Final = "-"


def table(outcome: Outcome) -> str:
    """Return one measure as lines: a row for each program, then verdicts and doubts.

    Behind each figure stands its ratio to the yardstick's.
    """
    heads = "".join(
        f"{figure.label:>{_width(figure)}}{'':{_RATIO_WIDTH}}"
        for figure in outcome.figures
    )
    lines = [f"{outcome.name}: {outcome.title}"]
    lines += [f"{'':{_NAME_WIDTH}}{heads}{'foreign cores':>14}"]
    lines += [_line(outcome, row) for row in outcome.rows]
    lines += [_verdict(outcome, verdict) for verdict in outcome.verdicts()]
    lines += [f"  ! {doubt}" for doubt in outcome.doubts()]
    return "\n".join(lines)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return everything about one measure, each round included."""
    return {
        "name": outcome.name,
        "title": outcome.title,
        "programs": [_row_as_json(outcome, row) for row in outcome.rows],
        "verdicts": [
            {
                "program": verdict.program,
                "figure": verdict.target.figure,
                "target": str(verdict.target),
                "value": verdict.value,
                "is_met": verdict.is_met,
            }
            for verdict in outcome.verdicts()
        ],
        "doubts": outcome.doubts(),
    }


def _width(figure: Figure) -> int:
    return max(9, len(figure.label) + 1)


def _line(outcome: Outcome, row: Row) -> str:
    cells = [f"{row.program:{_NAME_WIDTH}}"]
    for figure in outcome.figures:
        value, ratio = row.value(figure), outcome.ratio(row, figure)
        text = _MISSING if value is None else f"{value:,.{figure.digits}f}"
        beside = "" if ratio is None else f"{ratio:.2f}x"
        if row.program == outcome.yardstick:
            beside = ""
        cells.append(f"{text:>{_width(figure)}}{beside:>{_RATIO_WIDTH}}")
    noisiest = max(row.foreign_cores, default=0.0)
    mark = " noisy" if noisiest > QUIET_CORES else ""
    return f"{''.join(cells)}{noisiest:14.2f}{mark}"


def _verdict(outcome: Outcome, verdict: Verdict) -> str:
    figure = next(f for f in outcome.figures if f.name == verdict.target.figure)
    words = {True: "met", False: "MISSED", None: "open"}[verdict.is_met]
    unit = "x" if verdict.target.is_ratio else ""
    value = _MISSING if verdict.value is None else f"{verdict.value:.3g}{unit}"
    return f"  {verdict.program}: {figure.label} {verdict.target}: {value} {words}"


def _row_as_json(outcome: Outcome, row: Row) -> dict[str, Any]:
    return {
        "program": row.program,
        "figures": {f.name: row.value(f) for f in outcome.figures},
        "ratios": {f.name: outcome.ratio(row, f) for f in outcome.figures},
        "rounds": [dict(figures) for figures in row.rounds],
        "foreign_cores": row.foreign_cores,
        "errors": row.errors,
        "troubles": row.troubles,
    }
