"""Numbers of a simulation."""

import pytest

from swapper.core.ids import ModelId
from swapper.sim import History, Request
from swapper.sim.report import (
    jain_index,
    percentile,
    report_text,
    summarize,
)


def request(client: str, model: str, wait_s: float, refusal: str = "") -> Request:
    return Request(client, ModelId(model), 1.0, 1.0 + wait_s, 9.0 + wait_s, refusal)


HISTORY = History(
    requests=[
        request("ann", "a", 2.0),
        request("ann", "b", 4.0),
        request("bob", "b", 0.0),
        request("bob", "b", 0.0, "full"),
    ],
    loads=3,
    end_s=13.0,
)


@pytest.mark.parametrize(
    ("values", "index"),
    [
        ([], 1.0),
        ([0.0, 0.0], 1.0),
        ([3.0, 3.0, 3.0], 1.0),
        ([0.0, 0.0, 0.0, 5.0], 0.25),
        ([1.0, 3.0], 0.8),
    ],
)
def test_jain_index(values: list[float], index: float) -> None:
    assert jain_index(values) == pytest.approx(index)


def test_percentile_is_a_value_that_occurred() -> None:
    values = [float(number) for number in range(1, 201)]

    assert percentile(values, 0.5) == 100.0
    assert percentile(values, 0.99) == 198.0
    assert percentile(values[:1], 0.99) == 1.0
    assert percentile([], 0.5) == 0.0


def test_summary_counts_and_averages_what_was_served() -> None:
    summary = summarize(HISTORY)

    assert (summary.makespan_s, summary.loads, summary.refused) == (13.0, 3, 1)
    assert (summary.waits.count, summary.waits.mean_s, summary.waits.max_s) == (3, 2, 4)
    assert list(summary.by_model) == ["a", "b"]
    assert summary.by_model["b"].mean_s == 2.0
    assert summary.client_fairness == 0.5  # ann waits 3 s, bob never
    assert summary.model_fairness == 1.0  # 2 s each


def test_json_has_all_numbers() -> None:
    shown = summarize(HISTORY).to_json()

    assert shown["wait"] == {"count": 3, "mean": 2, "p50": 2, "p99": 4, "max": 4}
    assert shown["fairness"] == {"clients": 0.5, "models": 1.0}
    assert {"makespan", "loads", "refused", "models"} < set(shown)


def test_text_compares_schedulers_side_by_side() -> None:
    text = report_text({"one": summarize(HISTORY), "two": summarize(History())})
    rows = {line[:26].strip(): line[26:].split() for line in text.splitlines()}

    assert text.splitlines()[0].split() == ["one", "two"]
    assert rows["makespan"] == ["13.00", "s", "0.00", "s"]
    assert rows["loads"] == ["3", "0"]
    assert rows["b"] == ["2", "2.00", "s", "0.00", "s", "4.00", "s", "4.00", "s"]


def test_text_keeps_to_the_models_that_waited_longest() -> None:
    many = [request("c", f"m{number:02}", float(number)) for number in range(30)]
    text = report_text({"one": summarize(History(requests=many, end_s=1.0))})

    assert "m29" in text
    assert "m09" not in text
    assert "and 10 models that waited less" in text
