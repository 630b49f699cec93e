"""The thread that reads every model's output."""

import os
import threading
from collections.abc import Iterator

import pytest

from swapper.core.errors import InboxClosedError
from swapper.logs import Monitor
from swapper.process.output import OutputPump
from tests.fakes.waiting import wait_until
from tests.threads.process.bench import FAKE_MODEL, Bench, python


@pytest.fixture
def pump() -> Iterator[OutputPump]:
    pump = OutputPump()
    yield pump
    pump.close()


def test_what_is_written_arrives_in_the_log(pump: OutputPump) -> None:
    monitor = Monitor()
    channel, writing = pump.open_channel(monitor)

    os.write(writing, b"hello")
    pump.drain(channel)

    assert monitor.history() == b"hello"
    os.close(writing)
    pump.finish(channel)


def test_what_comes_line_by_line_is_read_together_and_a_drain_does_not_wait() -> None:
    class Pieces:
        def __init__(self) -> None:
            self.all: list[bytes] = []

        def write(self, data: bytes) -> None:
            self.all.append(data)

    pump, log = OutputPump(pause_s=60.0), Pieces()
    channel, writing = pump.open_channel(log)
    os.write(writing, b"one\n")
    wait_until(lambda: log.all == [b"one\n"])
    for line in (b"two\n", b"three\n", b"four\n"):
        os.write(writing, line)

    pump.drain(channel)

    assert log.all == [b"one\n", b"two\nthree\nfour\n"]
    os.close(writing)
    pump.close()


def test_a_drain_reads_all_that_a_full_pipe_holds(pump: OutputPump) -> None:
    monitor = Monitor(history_bytes=1 << 21)
    channel, writing = pump.open_channel(monitor)
    os.set_blocking(writing, False)
    written = os.write(writing, b"x" * (1 << 21))

    pump.drain(channel)

    assert monitor.mark() == written
    os.close(writing)
    pump.finish(channel)


def test_finish_does_not_wait_for_others_that_hold_the_pipe(pump: OutputPump) -> None:
    monitor = Monitor()
    channel, writing = pump.open_channel(monitor)
    os.write(writing, b"last words")

    pump.finish(channel)

    assert monitor.history() == b"last words"
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"too late")
    os.close(writing)


def test_finishing_after_end_of_file_is_harmless(pump: OutputPump) -> None:
    channel, writing = pump.open_channel(Monitor())
    os.close(writing)
    pump.drain(channel)

    pump.finish(channel)
    pump.finish(channel)


def test_a_writer_that_never_stops_starves_nobody(pump: OutputPump) -> None:
    loud, quiet = Monitor(), Monitor()
    loud_channel, loud_end = pump.open_channel(loud)
    quiet_channel, quiet_end = pump.open_channel(quiet)
    stop = threading.Event()

    def shout() -> None:
        while not stop.is_set():
            os.write(loud_end, b"x" * 65536)

    shouter = threading.Thread(target=shout)
    shouter.start()
    wait_until(lambda: loud.mark() > 1 << 20)
    os.write(quiet_end, b"may I")
    wait_until(lambda: quiet.history() == b"may I")
    stop.set()
    shouter.join()

    for channel, end in ((loud_channel, loud_end), (quiet_channel, quiet_end)):
        pump.finish(channel)
        os.close(end)


def test_a_flood_nobody_reads_goes_on_and_takes_no_memory(bench: Bench) -> None:
    model = bench.command(python(FAKE_MODEL, "--flood"), check_endpoint="none")
    reader = model.monitor.subscribe()
    model.run_until_ready(1)

    wait_until(lambda: model.monitor.mark() > 100_000_000)

    assert len(model.monitor.history()) == 102_400
    data = reader.read(0.0)
    assert data is not None
    assert len(data) < 1_200_000
    assert "bytes dropped —" in data[-100:].decode("utf-8", "replace")


def test_a_closed_pump_ends_its_thread_and_refuses_more() -> None:
    pump = OutputPump()
    channel, writing = pump.open_channel(Monitor())

    pump.close()
    pump.close()

    assert "output" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(InboxClosedError):
        pump.open_channel(Monitor())
    pump.drain(channel)  # does not hang
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"nobody there")
    os.close(writing)


def test_a_pump_that_was_never_used_closes_without_a_thread() -> None:
    pump = OutputPump()

    pump.close()

    with pytest.raises(InboxClosedError):
        pump.open_channel(Monitor())
