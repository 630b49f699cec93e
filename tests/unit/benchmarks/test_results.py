"""Medians, ratios, verdicts and doubts, and how they are shown."""

import json
from collections.abc import Mapping, Sequence

import pytest

from benchmarks.results import Figure, Outcome, Pick, Row, Target
from benchmarks.table import as_json, summary, table

RATE = Figure("per_s", "req/s")
P99 = Figure("p99_us", "p99 us", 1)
GROWTH = Figure("growth", "growth", 1, Pick.MOST)


def row(program: str, *rounds: Mapping[str, float], foreign: float = 0.0) -> Row:
    return Row(program, list(rounds), [foreign] * len(rounds))


def outcome(
    rows: Sequence[Row], *targets: Target, is_saturating: bool = False
) -> Outcome:
    return Outcome(
        name="small",
        title="small things",
        figures=(RATE, P99, GROWTH),
        targets=targets,
        rows=rows,
        yardstick="go",
        direct="direct",
        is_saturating=is_saturating,
    )


def test_figure_is_the_median_of_the_rounds_or_the_most() -> None:
    measured = row(
        "swapper",
        {"per_s": 10, "growth": 1},
        {"per_s": 30, "growth": 7},
        {"per_s": 11, "growth": 2},
    )

    assert measured.value(RATE) == 11
    assert measured.value(GROWTH) == 7
    assert measured.value(P99) is None


def test_ratio_is_to_the_yardstick() -> None:
    swapper = row("swapper", {"per_s": 30, "p99_us": 5})
    both = outcome([row("go", {"per_s": 40, "p99_us": 0}), swapper])

    assert both.ratio(swapper, RATE) == 0.75
    assert both.ratio(swapper, P99) is None  # nothing to divide by
    assert both.ratio(swapper, GROWTH) is None
    assert outcome([swapper]).ratio(swapper, RATE) is None


@pytest.mark.parametrize(
    ("target", "value", "is_met"),
    [
        (Target("per_s", 0.7, is_minimum=True), 0.75, True),
        (Target("per_s", 0.8, is_minimum=True), 0.75, False),
        (Target("p99_us", 1.2), 1.25, False),
        (Target("p99_us", 1.25), 1.25, True),
        (Target("p99_us", 50, is_ratio=False), 50, True),
        (Target("p99_us", 49, is_ratio=False), 50, False),
        (Target("growth", 20, is_ratio=False), None, None),
    ],
    ids=str,
)
def test_verdict(target: Target, value: float | None, is_met: bool | None) -> None:
    rows = [
        row("direct", {"per_s": 90, "p99_us": 1}),
        row("go", {"per_s": 40, "p99_us": 40}),
        row("swapper", {"per_s": 30, "p99_us": 50}),
    ]

    [verdict] = outcome(rows, target).verdicts()

    assert (verdict.program, verdict.value) == ("swapper", value)
    assert verdict.is_met is is_met


def test_verdict_is_open_without_a_yardstick_and_after_errors() -> None:
    target = Target("per_s", 0.7, is_minimum=True)
    alone = outcome([row("swapper", {"per_s": 30})], target)
    failing = row("swapper", {"per_s": 90, "errors": 1}, {"per_s": 90, "errors": 2})
    failing.troubles.append("status HTTP/1.1 429")
    failed = outcome([row("go", {"per_s": 40}), failing], target)

    assert [verdict.is_met for verdict in alone.verdicts()] == [None]
    assert [verdict.is_met for verdict in failed.verdicts()] == [None]
    assert failed.doubts() == ["swapper: 3 requests failed: status HTTP/1.1 429"]


def test_doubt_when_the_generator_may_be_the_limit() -> None:
    rows = [
        row("direct", {"per_s": 100, "generator_busy": 0.5}),
        row("go", {"per_s": 81}, {"per_s": 81}),
        row("swapper", {"per_s": 79}, {"per_s": 79, "generator_busy": 0.9}),
    ]

    assert outcome(rows, is_saturating=True).doubts() == [
        "go: near the limit of generator and upstream",
        "swapper: the generator was busy 0.90 of its core",
    ]
    assert len(outcome(rows).doubts()) == 1


def test_table_has_rows_ratios_noise_and_verdicts() -> None:
    rows = [
        row("go", {"per_s": 40_000, "p99_us": 40}),
        row("swapper", {"per_s": 30_000, "p99_us": 50.26}, foreign=0.4),
        row("old", {"p99_us": 4000}),
    ]

    lines = table(outcome(rows, Target("p99_us", 1.2))).splitlines()

    assert lines[0] == "small: small things"
    assert lines[1].split() == ["req/s", "p99", "us", "growth", "foreign", "cores"]
    assert lines[2].split() == ["go", "40,000", "40.0", "-", "0.00"]
    assert lines[3].split() == [
        "swapper",
        "30,000",
        "0.75x",
        "50.3",
        "1.26x",
        "-",
        "0.40",
        "noisy",
    ]
    assert lines[4].split() == ["old", "-", "4,000.0", "100x", "-", "0.00"]
    assert lines[5] == "  swapper: p99 us <= 1.2x: 1.26x MISSED"
    assert lines[6] == "  old: p99 us <= 1.2x: 100x MISSED"
    assert len(lines) == 7


def test_summary_is_a_table_of_all_measures() -> None:
    rows = [
        row("direct", {"per_s": 90_000}),
        row("go", {"per_s": 40_000, "p99_us": 40}),
        row("swapper", {"per_s": 30_000, "p99_us": 50}),
        row("old", {"per_s": 20_000, "p99_us": 45}),
    ]
    first = outcome(rows, Target("p99_us", 1.2))
    second = outcome([row("swapper", {"growth": 3})])

    assert summary([first, second]).splitlines() == [
        "| measure |  | direct | go | swapper | old | target |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| small | req/s | 90,000 | 40,000 | 30,000 (0.75x) | 20,000 (0.50x) |  |",
        "| small | p99 us | - | 40.0 | 50.0 (1.25x) | 45.0 (1.12x)"
        " | <= 1.2x: swapper MISSED, <= 1.2x: old met |",
        "| small | growth | - | - | - | - |  |",
        "| small | req/s |  |  | - |  |  |",
        "| small | p99 us |  |  | - |  |  |",
        "| small | growth |  |  | 3.0 |  |  |",
    ]


def test_json_has_every_round() -> None:
    rounds = [{"per_s": 30.0}, {"per_s": 50.0}]
    rows = [row("go", {"per_s": 40.0}), row("swapper", *rounds, foreign=0.1)]
    target = Target("per_s", 0.7, is_minimum=True)

    told = json.loads(json.dumps(as_json(outcome(rows, target))))

    program = told["programs"][1]
    assert program["rounds"] == rounds
    assert program["figures"] == {"per_s": 40.0, "p99_us": None, "growth": None}
    assert program["ratios"]["per_s"] == 1
    assert program["foreign_cores"] == [0.1, 0.1]
    assert told["verdicts"] == [
        {
            "program": "swapper",
            "figure": "per_s",
            "target": ">= 0.7x",
            "value": 1.0,
            "is_met": True,
        }
    ]
