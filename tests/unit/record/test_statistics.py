import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapper.record.statistics import Statistics, histogram, percentile

RATES = st.floats(min_value=1e-3, max_value=1e9)


def test_two_values_have_five_bins() -> None:
    """The example of http-api.md 21.4."""
    found = histogram([100.0, 200.0])

    assert found is not None
    assert found.as_json() == {
        "bins": (1, 0, 0, 0, 1),
        "min": 100,
        "max": 200,
        "binSize": 20,
        "p50": 150,
        "p95": 195,
        "p99": 199,
    }


def test_values_that_are_all_the_same_are_one_bin() -> None:
    found = histogram([7.0, 7.0, 7.0])

    assert found is not None
    assert (found.bins, found.bin_size) == ((3,), 0)
    assert (found.p50, found.p95, found.p99) == (7, 7, 7)


def test_nothing_has_no_histogram() -> None:
    assert histogram([]) is None


@pytest.mark.parametrize(
    ("count", "bins"), [(2, 5), (16, 5), (17, 6), (1024, 11), (2**19 + 1, 20)]
)
def test_more_values_have_more_bins_up_to_twenty(count: int, bins: int) -> None:
    found = histogram([float(n) for n in range(1, count + 1)])

    assert found is not None
    assert len(found.bins) == bins


def _bins_by_the_rule(values: Sequence[float], count: int) -> list[int]:
    low, size = values[0], (values[-1] - values[0]) / count
    bins = [0] * count
    for value in values:
        bins[min(math.floor((value - low) / size), count - 1)] += 1
    return bins


@given(st.lists(RATES, min_size=2, max_size=300).map(sorted))
def test_bins_are_those_of_the_rule_applied_to_each_value(values: list[float]) -> None:
    found = histogram(values)

    assert found is not None
    assert sum(found.bins) == len(values)
    if values[0] != values[-1]:
        assert list(found.bins) == _bins_by_the_rule(values, len(found.bins))


def test_a_range_too_narrow_to_divide_still_counts_everything() -> None:
    tiny = 5e-324
    found = histogram([tiny, 2 * tiny])

    assert found is not None
    assert sum(found.bins) == 2


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1), (50, 2.5), (75, 3.25), (100, 4)]
)
def test_percentiles_are_interpolated(percent: float, value: float) -> None:
    assert percentile([1, 2, 3, 4], percent) == pytest.approx(value)


def test_statistics_of_nothing_are_zeros_and_nulls() -> None:
    nothing = Statistics(
        requests=0,
        input_tokens=0,
        output_tokens=0,
        cache_tokens=0,
        prompt_rates=None,
        output_rates=None,
    )

    assert nothing.as_json() == {
        "total_requests": 0,
        "total_input_tokens": 0,
        "total_output_tokens": 0,
        "total_cache_tokens": 0,
        "prompt_histogram": None,
        "gen_histogram": None,
    }
