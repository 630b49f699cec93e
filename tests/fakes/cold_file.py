"""Files that are not in the page cache."""

import os
from contextlib import suppress
from pathlib import Path

import pytest


def cold(path: Path, data: bytes) -> Path:
    """Write a file that is on the disk alone, not in the page cache."""
    path.write_bytes(data)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with suppress(BlockingIOError):
            if os.preadv(file.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT):
                pytest.skip("this file system keeps its files in memory")
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return path
