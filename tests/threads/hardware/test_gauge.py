"""Measuring real processes, in a thread of its own."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from swapper.config.learnt import Footprint
from swapper.hardware import Gauge
from swapper.hardware.holders import GpuMemory, Holders, gpu_holders
from tests.fakes.model_server import FakeModel
from tests.threads.hardware.test_sources import Install, install

__all__ = ["install"]  # a fixture

MB = 1 << 20
TIMEOUT_S = 20.0


@pytest.fixture
def measured() -> "SimpleQueue[Footprint]":
    return SimpleQueue()


@pytest.fixture
def gauge() -> Iterator[Callable[[Holders | None], Gauge]]:
    """Make gauges that are closed in the end."""
    made: list[Gauge] = []

    def make(holders: Holders | None) -> Gauge:
        made.append(Gauge(lambda: holders))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_tree_is_measured_with_its_children(
    gauge: Callable[[Holders | None], Gauge], measured: "SimpleQueue[Footprint]"
) -> None:
    with FakeModel("--hold", "200") as alone, FakeModel("--fork", "1") as family:
        on_gpus = {
            0: GpuMemory({family.pids[1]: 5, alone.pids[0]: 7}),
            1: GpuMemory({1: 9}),
        }
        ours = gauge(on_gpus)
        ours.measure(alone.pids[0], measured.put)
        ours.measure(family.pids[0], measured.put)
        first, second = measured.get(timeout=TIMEOUT_S), measured.get(timeout=TIMEOUT_S)

    assert 200 * MB < first.ram_bytes < 300 * MB
    assert first.gpu_bytes == {0: 7}
    assert second.gpu_bytes == {0: 5}


def test_what_has_ended_is_not_told_of(
    gauge: Callable[[Holders | None], Gauge], measured: "SimpleQueue[Footprint]"
) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    ours = gauge(None)
    with FakeModel() as model:
        ours.measure(dead.pid, measured.put)
        ours.measure(model.pids[0], measured.put)
        told = measured.get(timeout=TIMEOUT_S)

    assert told.gpu_bytes is None
    assert told.ram_bytes > 0
    assert measured.empty()


def test_a_tool_that_takes_long_is_waited_for_by_nobody_else() -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    def slow() -> Holders | None:
        is_asked.set()
        may_answer.wait(TIMEOUT_S)
        return None

    told: SimpleQueue[Footprint] = SimpleQueue()
    slow_one = Gauge(slow)
    with FakeModel() as model:
        slow_one.measure(model.pids[0], told.put)
        slow_one.measure(model.pids[0], told.put)
        assert is_asked.wait(TIMEOUT_S)
        assert told.empty()
        may_answer.set()
        told.get(timeout=TIMEOUT_S)
        slow_one.close()
    slow_one.measure(1, told.put)  # of no effect any more


def test_one_that_was_never_used_is_closed_at_once() -> None:
    Gauge(lambda: None).close()


def test_nvidia_smi_is_asked_for_processes(install: Install) -> None:
    install(
        "nvidia-smi",
        'case "$*" in *compute-apps*) echo "GPU-a, 77, 100";; *) echo "0, GPU-a, 3";; esac',
    )
    assert gpu_holders() == {0: GpuMemory({77: 100 * MB}, 3 * MB)}


def test_without_a_tool_nobody_tells(install: Install) -> None:
    assert install is not None  # a PATH with nothing in it
    assert gpu_holders() is None
