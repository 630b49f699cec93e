"""Whether a process was killed because memory was short."""

import sys

import pytest

from swapper.process.oom import oom_killed, oom_kills


@pytest.mark.parametrize(
    ("returncode", "before", "after", "is_so"),
    [
        (-9, 3, 4, True),
        (137, 3, 5, True),
        (-9, 3, 3, False),
        (-9, None, 3, None),
        (-9, 3, None, None),
        (1, 3, 4, False),
        (-15, None, None, False),
    ],
)
def test_a_kill_counts_if_the_kernel_counted_one(
    returncode: int, before: int | None, after: int | None, *, is_so: bool | None
) -> None:
    assert oom_killed(returncode, before, after) is is_so


@pytest.mark.skipif(sys.platform != "linux", reason="has no such counter")
def test_linux_tells() -> None:
    kills = oom_kills()
    assert kills is None or kills >= 0
