"""A bench for each test; it must leave no thread and no file descriptor behind."""

import os
from collections.abc import Iterator

import pytest

from tests.threads.process.bench import Bench, own_threads, wait_until


@pytest.fixture
def bench() -> Iterator[Bench]:
    """Make supervisors; at the end all of them are shut down and joined."""
    fds_before = len(os.listdir("/proc/self/fd"))
    bench = Bench()
    yield bench
    bench.close()
    wait_until(lambda: not own_threads())
    wait_until(lambda: len(os.listdir("/proc/self/fd")) <= fds_before)
