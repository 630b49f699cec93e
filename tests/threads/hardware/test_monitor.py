"""The thread that takes samples."""

import threading
from collections.abc import Iterator, Mapping, Sequence

import pytest

from swapper.hardware import GpuReading, PerformanceMonitor, SystemSample
from swapper.hardware.samples import sample_system
from swapper.hardware.sources import GpuSource, SourceError


class Source:
    """A GPU that counts, and fails when told."""

    name = "fake"

    def __init__(self) -> None:
        self.polls = 0
        self.fails = False
        self.is_closed = False

    def poll(self) -> Sequence[GpuReading]:
        self.polls += 1
        if self.fails:
            raise SourceError("broken")
        return [GpuReading(id=1), GpuReading(id=0, temp_c=self.polls)]

    def process_bytes(self) -> Mapping[int, int]:
        return {42: self.polls}

    def close(self) -> None:
        self.is_closed = True


class Bench:
    """A monitor at great speed, and what it opened."""

    def __init__(self) -> None:
        self.opened: list[Source] = []
        self.ticks = threading.Semaphore(0)
        self.monitor = PerformanceMonitor(
            0.001, is_off=False, open_source=self._open, sample=self._sample
        )

    def _open(self, _interval_s: float) -> GpuSource:
        self.opened.append(Source())
        return self.opened[-1]

    def _sample(self) -> SystemSample:
        self.ticks.release()
        return sample_system()

    def wait(self, samples: int) -> None:
        """Return when so many more samples have been taken."""
        for _ in range(samples):
            assert self.ticks.acquire(timeout=20)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    made.monitor.start()
    yield made
    made.monitor.close()
    assert all(source.is_closed for source in made.opened)


def test_samples_are_taken_and_the_newest_of_each_gpu_is_known(bench: Bench) -> None:
    bench.wait(3)
    system, gpus = bench.monitor.latest()

    assert system is not None
    assert 0 < system.mem_used_mb <= system.mem_total_mb
    assert len(system.cpu_percent) >= 1
    assert [gpu.id for gpu in gpus] == [0, 1]
    assert len(bench.monitor.system()) >= 2
    assert bench.monitor.process_bytes[42] > 0


def test_a_tool_that_fails_is_looked_for_again(bench: Bench) -> None:
    bench.wait(2)
    bench.opened[0].fails = True
    while len(bench.opened) < 2:
        bench.wait(1)
    assert bench.opened[0].is_closed
    before = len(bench.monitor.gpus())
    while len(bench.monitor.gpus()) == before:
        bench.wait(1)


def test_other_settings_forget_the_samples(bench: Bench) -> None:
    bench.wait(2)
    bench.monitor.configure(1000.0, is_off=False)
    while not bench.opened[0].is_closed or bench.monitor.system():
        pass
    bench.monitor.configure(0.001, is_off=True)
    bench.monitor.configure(0.001, is_off=False)
    bench.wait(2)


def test_one_that_is_off_at_start_stays_off() -> None:
    monitor = PerformanceMonitor(0.001, is_off=True)
    monitor.start()
    monitor.configure(0.001, is_off=False)
    assert not monitor.is_available
    assert monitor.latest() == (None, [])
    monitor.close()
