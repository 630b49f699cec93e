"""Masks of real threads; Linux."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from swapper.sync.affinity import ThreadAffinity
from swapper.tuning.governor import CpuGovernor, Usage

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2,
    reason="there is nothing to choose",
)

ASK = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]


@pytest.fixture
def affinity() -> Iterator[ThreadAffinity]:
    made = ThreadAffinity()
    yield made
    made.restrict(made.all_cpus)
    os.sched_setaffinity(0, made.all_cpus)


class Sleeper:
    """A thread that waits."""

    def __init__(self) -> None:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._end.wait, args=(20,))
        self._thread.start()

    @property
    def mask(self) -> set[int]:
        assert self._thread.native_id is not None
        return os.sched_getaffinity(self._thread.native_id)

    def end(self) -> None:
        self._end.set()
        self._thread.join()


def test_all_threads_go_where_they_are_told_and_back(affinity: ThreadAffinity) -> None:
    one = frozenset({max(affinity.all_cpus)})
    before = Sleeper()
    affinity.restrict(one)
    after = Sleeper()
    masks = [before.mask, after.mask, os.sched_getaffinity(0)]
    affinity.restrict(affinity.all_cpus)
    masks_back = [before.mask, after.mask]
    before.end()
    after.end()

    assert masks == [set(one)] * 3
    assert masks_back == [set(affinity.all_cpus)] * 2


def test_a_program_gets_all_cpus_whatever_its_starter_has(
    affinity: ThreadAffinity,
) -> None:
    one = frozenset({max(affinity.all_cpus)})
    affinity.confine(one)
    with affinity.unrestricted():
        told = subprocess.run(
            ASK, check=True, capture_output=True, encoding="utf-8"
        ).stdout

    assert told.strip() == str(sorted(affinity.all_cpus))
    assert os.sched_getaffinity(0) == one


def test_who_copies_much_has_all_that_is_ours_while_it_does(
    affinity: ThreadAffinity,
) -> None:
    first, last = (
        frozenset({min(affinity.all_cpus)}),
        frozenset({max(affinity.all_cpus)}),
    )
    affinity.restrict(first)
    with affinity.spread():
        during = [os.sched_getaffinity(0)]
        affinity.restrict(last)  # by the governor: not for us
        during.append(os.sched_getaffinity(0))
    after = os.sched_getaffinity(0)
    affinity.confine(first)
    with affinity.spread():
        confined = os.sched_getaffinity(0)

    assert during == [affinity.all_cpus] * 2
    assert [after, confined] == [last, first]


def test_cpus_that_were_taken_from_us_break_nothing(affinity: ThreadAffinity) -> None:
    mask = os.sched_getaffinity(0)
    affinity.own_cpus = frozenset({1023})

    with affinity.spread():
        assert os.sched_getaffinity(0) == mask


def test_the_governor_moves_threads_and_lets_them_go_at_its_end() -> None:
    everything = os.sched_getaffinity(0)
    seen = threading.Event()
    looks = 0

    def read(in_flight: int) -> Usage:
        nonlocal looks
        looks += 1
        if looks > 3:
            seen.set()
        busy = dict.fromkeys(everything, looks * 0.5)
        return Usage(looks * 1.0, looks * 0.9, busy, in_flight)

    sleeper = Sleeper()
    governor = CpuGovernor(lambda: 8, read=read, interval_s=0.001)
    governor.start()
    assert seen.wait(10)
    pinned = sleeper.mask
    governor.close()
    free = sleeper.mask
    sleeper.end()

    assert pinned == {min(everything)}
    assert free == everything
    assert os.sched_getaffinity(0) == everything
