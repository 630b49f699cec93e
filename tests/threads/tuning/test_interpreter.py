"""What the program changes for a whole process, in a process of its own."""

import subprocess
import sys

import pytest

PROGRAM = """
import gc, sys
from pathlib import Path
from swapper.tuning import settle, tune

def resident_mb():
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096 >> 20

tune()
before = resident_mb()
for _ in range(3):  # the C library learns from what is freed
    blocks = [bytes([1]) * (25 << 20) for _ in range(4)]
    small = [bytes(2000) for _ in range(1000)]  # lies behind them
    del blocks
settle()
print(sys.getswitchinterval(), gc.get_freeze_count() > 1000, resident_mb() - before < 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_threads_take_turns_quickly_and_large_blocks_are_given_back() -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout

    assert told.split() == ["0.0005", "True", "True"]
