"""What the adaptive scheduler promises, in simulated time."""

import statistics
from typing import Any

import pytest

from swapper.sim import History
from tests.fakes.simulating import models, simulate, trace_of

MAX_WAIT_S = 60.0


def two_agents(**line: Any) -> tuple[History, History]:
    """Return what fifo and adaptive make of two agents with a model each."""
    chain = {"duration": 2, "think": 0.3, "count": 20, **line}
    trace = trace_of(
        models("ab"),
        {"client": "ann", "chain": ["a"], **chain},
        {"client": "bob", "chain": ["b"], **chain},
    )
    return simulate(trace, "fifo"), simulate(trace, "adaptive")


def test_two_agents_need_a_quarter_of_the_swaps_and_a_third_of_the_time() -> None:
    fifo, adaptive = two_agents()

    assert fifo.loads == 40
    assert adaptive.loads <= fifo.loads / 4
    assert adaptive.end_s <= fifo.end_s / 3
    assert longest(adaptive) <= MAX_WAIT_S + 2 + 10  # the answer, stop and load


def test_agents_that_never_end_do_not_keep_each_other_out() -> None:
    _, adaptive = two_agents(count=100)

    assert MAX_WAIT_S < longest(adaptive) <= MAX_WAIT_S + 2 + 10


def test_agents_that_think_longer_than_half_a_swap_are_not_waited_for() -> None:
    fifo, adaptive = two_agents(think=6)

    assert adaptive.loads == fifo.loads
    assert adaptive.end_s == fifo.end_s


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("rate", "requests"), [(0.02, 400), (0.1, 600), (0.5, 1000), (2.0, 1800)]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_independent_requests_wait_no_longer_than_with_fifo(
    count: int, rate: float, requests: int, seed: int
) -> None:
    """Never more than 5 % longer on average; *rate* requests a second per model."""
    names = "abc"[: count + 1]
    trace = trace_of(
        models(names),
        {
            "client": "all",
            "model": list(names),
            "duration": 1,
            "count": requests,
            "every": 1 / rate / len(names),
            "seed": seed,
        },
    )
    fifo, adaptive = (simulate(trace, name) for name in ("fifo", "adaptive"))

    assert mean(adaptive) <= 1.05 * mean(fifo)


def longest(history: History) -> float:
    return max(request.wait_s for request in history.requests)


def mean(history: History) -> float:
    return statistics.fmean(request.wait_s for request in history.requests)
