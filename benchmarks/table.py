"""Outcomes as text for people and as JSON for programs. Pure."""

from collections.abc import Sequence
from typing import Any, Final

from benchmarks.machine import QUIET_CORES
from benchmarks.results import Figure, Outcome, Row, Verdict

_NAME_WIDTH: Final = 12
_RATIO_WIDTH: Final = 7
_MISSING: Final = "-"
_WORDS: Final = {True: "met", False: "MISSED", None: "open"}


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


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return all measures as one Markdown table, a row for each figure."""
    programs = list(dict.fromkeys(r.program for o in outcomes for r in o.rows))
    rows = [["measure", "", *programs, "target"], ["---"] * (len(programs) + 3)]
    for outcome in outcomes:
        verdicts = outcome.verdicts()
        for figure in outcome.figures:
            cells = [_cell(outcome, program, figure) for program in programs]
            of_figure = [v for v in verdicts if v.target.figure == figure.name]
            judged = [f"{v.target}: {v.program} {_WORDS[v.is_met]}" for v in of_figure]
            rows.append([outcome.name, figure.label, *cells, ", ".join(judged)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


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


def _text(figure: Figure, value: float | None) -> str:
    return _MISSING if value is None else f"{value:,.{figure.digits}f}"


def _times(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.0f}x"


def _cell(outcome: Outcome, program: str, figure: Figure) -> str:
    row = outcome.row(program)
    if row is None:
        return ""
    ratio = outcome.ratio(row, figure)
    is_compared = ratio and program not in (outcome.direct, outcome.yardstick)
    text = _text(figure, row.value(figure))
    return f"{text} ({_times(ratio)})" if is_compared else text


def _line(outcome: Outcome, row: Row) -> str:
    cells = [f"{row.program:{_NAME_WIDTH}}"]
    for figure in outcome.figures:
        value, ratio = row.value(figure), outcome.ratio(row, figure)
        text = _text(figure, value)
        beside = _times(ratio) if row.program != outcome.yardstick else ""
        cells.append(f"{text:>{_width(figure)}}{beside:>{_RATIO_WIDTH}}")
    noisiest = max(row.foreign_cores, default=0.0)
    mark = " noisy" if noisiest > QUIET_CORES else ""
    return f"{''.join(cells)}{noisiest:14.2f}{mark}"


def _verdict(outcome: Outcome, verdict: Verdict) -> str:
    figure = next(f for f in outcome.figures if f.name == verdict.target.figure)
    word = _WORDS[verdict.is_met]
    unit = "x" if verdict.target.is_ratio else ""
    value = _MISSING if verdict.value is None else f"{verdict.value:.3g}{unit}"
    return f"  {verdict.program}: {figure.label} {verdict.target}: {value} {word}"


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
