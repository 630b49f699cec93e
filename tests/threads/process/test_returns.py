"""A load waits for memory that a stopped model has not given back yet; nobody else does."""

import logging

import pytest

from swapper.core.errors import StartAbortedError
from swapper.hardware import MemoryReturns
from swapper.hardware.holders import GpuMemory, Holders
from swapper.process import Started, Stopped
from tests.fakes.waiting import wait_until
from tests.threads.process.bench import Bench, Subject

MB = 1 << 20


class Card:
    """A GPU whose driver takes its time."""

    def __init__(self, bench: Bench) -> None:
        self.used = 1100 * MB
        bench.host.memory = MemoryReturns(lambda: ("gpu0",), holders=self.holders)
        self.returns = bench.host.memory

    def holders(self) -> Holders:
        return {0: GpuMemory({}, self.used)}

    def stopped(self, bench: Bench) -> Subject:
        """Return a model that has run on it and stopped."""
        model = bench.model()
        pid = model.run_until_ready(1)
        held = {0: GpuMemory({pid: 1000 * MB}, self.used)}
        self.returns.ready(pid, {0: 1000 * MB}, held)
        model.stop(1)
        model.stopped(1)  # at once: the process is gone
        return model


@pytest.fixture(autouse=True)
def _verbose(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "swapper")


@pytest.mark.parametrize("which", ["the same", "another"])
def test_the_next_load_waits_and_goes_on_when_it_is_back(
    bench: Bench, caplog: pytest.LogCaptureFixture, which: str
) -> None:
    card = Card(bench)
    model = card.stopped(bench)
    if which == "another":
        model = bench.model()
    model.ensure_ready(2)
    wait_until(lambda: "load waits until memory is back" in caplog.text)
    assert model.supervisor.snapshot.pid is None
    card.used = 100 * MB

    assert model.started(2).error is None


def test_a_load_that_waits_can_be_called_off(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    Card(bench).stopped(bench)
    model = bench.model()
    model.ensure_ready(1)
    wait_until(lambda: "load waits until memory is back" in caplog.text)

    model.stop(1)
    model.stopped(1)

    assert isinstance(model.started(1).error, StartAbortedError)
    assert model.told.of(1) == [Started, Stopped]
