"""What stopped models have not given back yet, and waiting for it."""

import logging
import mmap
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from swapper.core.ids import ModelId
from swapper.hardware import Debt, MemoryReturns
from swapper.hardware.holders import GpuMemory, Holders
from swapper.hardware.returns import WAIT_S, shared_bytes, shared_bytes_of
from swapper.sync import CancelToken
from tests.fakes.waiting import wait_until

A, B = ModelId("a"), ModelId("b")
MB = 1 << 20
GPU_S_OWN = 300 * MB


class Bench:
    """A machine whose levels are what the test says."""

    def __init__(self, *measured: str) -> None:
        self.measured = measured or ("gpu0", "ram")
        self.shared: int | None = 100 * MB
        self.used: int | None = GPU_S_OWN
        self.others: dict[int, int | None] = {}
        self.asked = self.looked = 0
        self.now = 0.0
        self.returns = MemoryReturns(
            lambda: self.measured,
            holders=self.holders,
            shared=self.look,
            monotonic=lambda: self.now,
        )

    def holders(self) -> Holders:
        self.asked += 1
        return {0: GpuMemory(self.others, self.used)}

    def look(self) -> int | None:
        self.looked += 1
        return self.shared

    def stop(self, held: int = 1000 * MB) -> None:
        """Have a model stop that has *held* so much of the GPU."""
        self.used = GPU_S_OWN + held
        before = {0: GpuMemory({7: held}, self.used)}
        self.returns.ready(7, {0: held}, before)
        self.returns.after_stop(A, self.returns.before_stop(7))

    def waits(
        self, pool: ThreadPoolExecutor, cancel: CancelToken | None = None
    ) -> bool:
        """Tell whether a load has to wait; it has ended by then, if not."""
        before = self.asked
        waiting = pool.submit(self.returns.wait, B, cancel or CancelToken())
        wait_until(lambda: waiting.done() or self.asked > before + 2)
        return not waiting.done()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def test_nothing_is_owed_at_first(pool: ThreadPoolExecutor) -> None:
    bench = Bench()

    assert not bench.waits(pool)
    assert bench.asked == 0


def test_a_load_waits_until_a_gpu_s_memory_is_back(
    pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "swapper")
    bench = Bench()
    bench.stop()
    waiting = pool.submit(bench.returns.wait, B, CancelToken())
    wait_until(lambda: bench.asked > 2)
    assert not waiting.done()
    bench.used = GPU_S_OWN + 90 * MB  # others come and go

    waiting.result(20)

    assert "load waits until memory is back model=b of=a" in caplog.text
    assert "is not back" not in caplog.text
    assert not bench.waits(pool)


def test_what_others_take_meanwhile_is_theirs(pool: ThreadPoolExecutor) -> None:
    bench = Bench()
    bench.stop(1000 * MB)
    bench.others = {8: 950 * MB}  # of the same size, all but the rest of it is back

    assert not bench.waits(pool)


def test_the_wait_has_an_end_which_is_told(
    pool: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench()
    bench.stop()
    waiting = pool.submit(bench.returns.wait, B, CancelToken())
    wait_until(lambda: bench.asked > 1)
    assert not waiting.done()
    bench.now = WAIT_S

    waiting.result(20)

    assert (
        "memory is not back 10 s after a stop, the load goes on model=b of=a "
        "lacking=900 MiB of gpu0" in caplog.text
    )
    assert not bench.waits(pool)  # and not a second time


def test_a_load_that_is_called_off_waits_for_nothing(pool: ThreadPoolExecutor) -> None:
    bench, cancel = Bench(), CancelToken()
    bench.stop()
    waiting = pool.submit(bench.returns.wait, B, cancel)
    wait_until(lambda: bench.asked > 1)

    cancel.cancel()

    waiting.result(20)


@pytest.mark.parametrize("change", ["a little", "untold", "not measured", "only ram"])
def test_what_is_not_waited_for(pool: ThreadPoolExecutor, change: str) -> None:
    bench = Bench()
    if change == "not measured":
        bench.measured = ()
    if change == "only ram":
        bench.measured = ("ram",)
    bench.stop(20 * MB if change == "a little" else 1000 * MB)
    if change == "untold":
        bench.used = None

    assert not bench.waits(pool)


def test_a_gpu_that_did_not_tell_when_it_was_measured_is_not_waited_for() -> None:
    bench = Bench()
    bench.returns.ready(7, {0: 1000 * MB}, {0: GpuMemory({7: 1000 * MB}, None)})

    assert bench.returns.before_stop(7) == Debt()


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """Have this process hold shared memory."""
    path = Path("/dev/shm") / f"swapper-test-{tmp_path.name}-{os.getpid()}"  # noqa: S108 - that is what it is about
    held: list[mmap.mmap] = []

    def take(size: int) -> None:
        with path.open("wb+") as file:
            file.truncate(size)
            held.append(mmap.mmap(file.fileno(), size))
        for page in range(0, size, mmap.PAGESIZE):
            held[0][page] = 1

    yield take
    for memory in held:
        memory.close()
    path.unlink(missing_ok=True)


def test_shared_memory_is_owed_as_far_as_the_model_held_it(
    pool: ThreadPoolExecutor, hold: Callable[[int], None]
) -> None:
    hold(48 * MB)
    assert 48 * MB <= shared_bytes_of([os.getpid(), 2**22 + 1]) < 64 * MB
    assert (shared_bytes() or 0) >= 48 * MB
    bench = Bench("ram")
    bench.shared = 1000 * MB
    bench.returns.after_stop(A, bench.returns.before_stop(os.getpid()))
    waiting = pool.submit(bench.returns.wait, B, CancelToken())
    wait_until(lambda: bench.looked > 3)
    assert not waiting.done()
    bench.shared = 960 * MB

    waiting.result(20)


def test_a_system_that_tells_nothing_is_not_waited_for(
    hold: Callable[[int], None],
) -> None:
    hold(48 * MB)
    bench = Bench("ram")
    bench.shared = None

    assert bench.returns.before_stop(os.getpid()) == Debt()
