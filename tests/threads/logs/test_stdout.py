"""A standard output that misbehaves."""

import io
import os
import threading
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from swapper.logs import Logs
from swapper.logs.monitor import QUEUE_BYTES


@pytest.fixture
def pipe() -> Iterator[tuple[int, BinaryIO]]:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "wb", buffering=0)
    yield reading, stream
    if not stream.closed:
        stream.close()


def _stdout_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "stdout"]


def test_lines_come_out_while_swapper_runs(pipe: tuple[int, BinaryIO]) -> None:
    reading, stream = pipe
    logs = Logs("proxy", stream)

    logs.proxy.write(b"hello\n")

    assert os.read(reading, 100) == b"hello\n"
    logs.close()
    os.close(reading)


def test_a_stdout_nobody_reads_stops_nobody(pipe: tuple[int, BinaryIO]) -> None:
    reading, stream = pipe
    logs = Logs("proxy", stream)

    for _ in range(200):  # far more than pipe and queue hold
        logs.proxy.write(b"x" * 65536)

    assert logs.proxy.mark() == 200 * 65536
    drained = 0
    while drained < QUEUE_BYTES:  # the writer is still there and goes on
        drained += len(os.read(reading, 65536))
    os.close(reading)
    logs.close()


def test_a_stdout_whose_reader_left_is_given_up(pipe: tuple[int, BinaryIO]) -> None:
    reading, stream = pipe
    os.close(reading)
    logs = Logs("proxy", stream)
    (thread,) = _stdout_threads()

    logs.proxy.write(b"x")
    thread.join(10.0)

    assert not thread.is_alive()
    logs.proxy.write(b"y")
    assert logs.combined.history() == b"xy"
    logs.close()


def test_a_closed_stdout_is_given_up(pipe: tuple[int, BinaryIO]) -> None:
    reading, stream = pipe
    stream.close()
    os.close(reading)
    logs = Logs("proxy", stream)
    (thread,) = _stdout_threads()

    logs.proxy.write(b"x")
    thread.join(10.0)

    assert not thread.is_alive()
    logs.close()


class FullOnce(io.BytesIO):
    """A disk that is full for one write."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = threading.Event()

    def write(self, data: object) -> int:
        if not self.refused.is_set():
            self.refused.set()
            raise OSError(28, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]  # as it was called


def test_a_full_disk_loses_lines_but_not_the_later_ones() -> None:
    stdout = FullOnce()
    logs = Logs("proxy", stdout)
    logs.proxy.write(b"lost")
    assert stdout.refused.wait(10.0)
    logs.proxy.write(b"kept")
    logs.close()

    assert stdout.getvalue() == b"kept"
