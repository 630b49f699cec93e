"""Draws what the models did: in characters for a terminal, or as SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from swapper.sim.history import History, Look, Span

_MARKS: Final[Mapping[Look, str]] = {
    Look.STOPPED: " ",
    Look.WANTED: ".",
    Look.LOADING: "/",
    Look.IDLE: "-",
    Look.SERVING: "#",
    Look.STOPPING: "\\",
}
_WEIGHTS: Final[Mapping[Look, float]] = {Look.LOADING: 2.0, Look.SERVING: 3.0}
"""What is short and matters counts for more, or a wide column would hide it."""

_COLOURS: Final[Mapping[Look, str]] = {
    Look.WANTED: "#f4c9c4",
    Look.LOADING: "#e9a23b",
    Look.IDLE: "#b9d7ea",
    Look.SERVING: "#2f7fb5",
    Look.STOPPING: "#8d8d8d",
}
_ROW: Final = 22
_BAR: Final = 16
_LEFT: Final = 140
_WIDTH: Final = 1000
_TICKS: Final = 10


def ascii_timeline(history: History, width: int = 80) -> str:
    """Return a row per model that was ever asked for, *width* columns of equal time.

    A column shows what the model did for most of it; serving counts thrice.
    """
    length_s = history.end_s or 1.0
    names = [model for model in sorted(history.phases) if _was_used(history, model)]
    margin = max(map(len, names), default=0)
    lines = [
        f"{name:<{margin}} |{_columns(history.spans(name), length_s, width)}|"
        for name in names
    ]
    end = f"{history.end_s:.1f} s".rjust(width - 3)
    lines.append(f"{'':{margin}}  0 s{end}")
    lines.append(
        "; ".join(f"{mark} {look}" for look, mark in _MARKS.items() if mark.strip())
    )
    return "\n".join(lines)


def svg_timelines(histories: Mapping[str, History]) -> str:
    """Return an SVG picture with a chart per scheduler, all to the same scale."""
    length_s = max((h.end_s for h in histories.values()), default=0.0) or 1.0
    parts: list[str] = []
    top = 10
    for title, history in histories.items():
        chart, height = _chart(title, history, length_s, top)
        parts += chart
        top += height
    parts += _legend(top)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 40}" '
        f'height="{top + 40}" font-family="sans-serif" font-size="12">'
    )
    background = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join((head, background, *parts, "</svg>")) + "\n"


def _chart(
    title: str, history: History, length_s: float, top: int
) -> tuple[Sequence[str], int]:
    """Return the elements of a chart and how high it is."""
    names = [model for model in sorted(history.phases) if _was_used(history, model)]
    text = f"{escape(title)}: {history.end_s:.1f} s, {history.loads} loads"
    parts = [f'<text x="10" y="{top + 14}" font-weight="bold">{text}</text>']
    for row, name in enumerate(names, 1):
        y = top + row * _ROW
        parts.append(f'<text x="10" y="{y + 13}">{escape(name)}</text>')
        parts += [
            _bar(span, length_s, y)
            for span in history.spans(name)
            if span.look is not Look.STOPPED
        ]
    bottom = top + (len(names) + 1) * _ROW
    for tick in range(_TICKS + 1):
        x = _LEFT + _WIDTH * tick / _TICKS
        label = f"{length_s * tick / _TICKS:.0f} s"
        parts.append(
            f'<text x="{x:.0f}" y="{bottom + 12}" text-anchor="middle">{label}</text>'
        )
    return parts, bottom + 2 * _ROW - top


def _bar(span: Span, length_s: float, y: int) -> str:
    x = _LEFT + _WIDTH * span.begin_s / length_s
    width = _WIDTH * (span.end_s - span.begin_s) / length_s
    about = f"{span.look}, {span.begin_s:.2f} s to {span.end_s:.2f} s"
    return (
        f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{_BAR}" '
        f'fill="{_COLOURS[span.look]}"><title>{about}</title></rect>'
    )


def _legend(top: int) -> list[str]:
    parts = []
    for place, (look, colour) in enumerate(_COLOURS.items()):
        x = 10 + place * 215
        parts.append(
            f'<rect x="{x}" y="{top}" width="{_BAR}" height="{_BAR}" fill="{colour}"/>'
            f'<text x="{x + 22}" y="{top + 13}">{look}</text>'
        )
    return parts


def _was_used(history: History, model: str) -> bool:
    return any(request.model == model for request in history.requests)


def _columns(spans: Sequence[Span], length_s: float, width: int) -> str:
    shares: list[dict[Look, float]] = [{} for _ in range(width)]
    scale = width / length_s
    for span in spans:
        begin, end = span.begin_s * scale, span.end_s * scale
        for column in range(int(begin), min(width, int(end) + 1)):
            part = min(end, column + 1) - max(begin, column)
            share = shares[column]
            weight = _WEIGHTS.get(span.look, 1.0)
            share[span.look] = share.get(span.look, 0.0) + part * weight
    return "".join(
        _MARKS[max(share, key=lambda look: share[look])] if share else " "
        for share in shares
    )
