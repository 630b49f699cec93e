"""A bench for each test; it must leave no thread and no file descriptor behind."""

from collections.abc import Iterator

import pytest

from tests.fakes.waiting import wait_until
from tests.threads.process.bench import Bench, open_fds, own_threads


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Make supervisors; at the end all of them are shut down and joined."""
    fds_before = open_fds()
    bench = Bench()
    yield bench
    bench.close()
    wait_until(lambda: not own_threads())
    wait_until(lambda: open_fds() <= fds_before)
