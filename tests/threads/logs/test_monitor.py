"""A monitor between writers and readers of several threads."""

import threading

from swapper.logs import Monitor, Subscription
from swapper.logs.monitor import QUEUE_BYTES, QUEUE_PIECES


class Reading(threading.Thread):
    """Reads a subscription to its end."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__()
        self._subscription = subscription
        self.data = b""
        self.start()

    def run(self) -> None:
        while data := self._subscription.read(10.0):
            self.data += data

    def result(self) -> bytes:
        self.join(10.0)
        assert not self.is_alive()
        return self.data


def test_history_comes_first_then_live_data() -> None:
    monitor = Monitor()
    monitor.write(b"old ")
    subscription = monitor.subscribe()
    monitor.write(b"new ")
    monitor.write(b"newer")

    assert subscription.read(0.0) == b"old new newer"
    assert subscription.read(0.0) is None


def test_a_reader_may_skip_the_history() -> None:
    monitor = Monitor()
    monitor.write(b"old")
    subscription = monitor.subscribe(history=False)
    monitor.write(b"new")

    assert subscription.read(0.0) == b"new"


def test_a_mark_separates_before_and_after() -> None:
    monitor = Monitor()
    monitor.write(b"before")
    mark = monitor.mark()
    assert monitor.since(mark) == b""
    monitor.write(b"after")

    assert monitor.since(mark) == b"after"
    assert monitor.history() == b"beforeafter"


def test_a_blocked_reader_is_woken_by_a_write() -> None:
    monitor = Monitor()
    reading = Reading(monitor.subscribe())

    monitor.write(b"x")
    monitor.close()

    assert reading.result() == b"x"


def test_closing_from_another_thread_wakes_the_reader() -> None:
    subscription = Monitor().subscribe()
    reading = Reading(subscription)

    subscription.close()
    subscription.close()

    assert reading.result() == b""
    assert subscription.read(0.0) == b""


def test_a_closed_subscription_takes_no_more() -> None:
    monitor = Monitor()
    subscription = monitor.subscribe()
    subscription.close()

    monitor.write(b"x")

    assert subscription.read(0.0) == b""


def test_a_finished_subscription_delivers_what_was_queued_then_ends() -> None:
    monitor = Monitor()
    subscription = monitor.subscribe()
    monitor.write(b"last words")
    subscription.finish()
    monitor.write(b"too late")

    assert subscription.read(0) == b"last words"
    assert subscription.read(0) == b""


def test_a_closed_monitor_delivers_what_was_queued_then_ends() -> None:
    monitor = Monitor()
    subscription = monitor.subscribe()
    monitor.write(b"last")
    monitor.close()
    monitor.write(b"remembered only")

    assert subscription.read(0.0) == b"last"
    assert subscription.read(0.0) == b""
    late = monitor.subscribe()
    assert late.read(0.0) == b"lastremembered only"
    assert late.read(0.0) == b""


def test_too_many_pieces_are_dropped_and_counted_in_their_place() -> None:
    monitor = Monitor()
    subscription = monitor.subscribe()
    for _ in range(QUEUE_PIECES + 123):
        monitor.write(b"x")

    notice = "\n— 123 bytes dropped —\n".encode()
    assert subscription.read(0.0) == b"x" * QUEUE_PIECES + notice
    monitor.write(b"after")
    assert subscription.read(0.0) == b"after"


def test_too_many_bytes_are_dropped_too() -> None:
    monitor = Monitor()
    subscription = monitor.subscribe()
    monitor.write(b"x" * QUEUE_BYTES)
    monitor.write(b"y" * 45)
    monitor.write(b"z")  # would not fit either; nothing jumps the gap

    notice = "\n— 46 bytes dropped —\n".encode()
    assert subscription.read(0.0) == b"x" * QUEUE_BYTES + notice


def test_one_piece_larger_than_the_queue_still_gets_through() -> None:
    monitor = Monitor()
    subscription = monitor.subscribe()
    monitor.write(b"x" * (QUEUE_BYTES + 1))

    assert subscription.read(0.0) == b"x" * (QUEUE_BYTES + 1)


def test_a_slow_reader_does_not_disturb_another() -> None:
    monitor = Monitor()
    monitor.subscribe()  # never read
    reading = Reading(monitor.subscribe())
    written = b""
    for number in range(500):
        piece = b"%d\n" % number
        monitor.write(piece)
        written += piece
    monitor.close()

    assert reading.result() == written


def test_an_empty_write_is_nothing() -> None:
    monitor = Monitor()
    subscription = monitor.subscribe()
    monitor.write(b"")

    assert subscription.read(0.0) is None


def test_what_is_written_flows_on() -> None:
    last = Monitor()
    first = Monitor(Monitor(last))
    first.write(b"x")

    assert last.history() == b"x"


def test_between_history_and_live_nothing_is_lost_or_doubled() -> None:
    monitor = Monitor(history_bytes=1 << 20)
    go_on = threading.Event()

    def count() -> None:
        for number in range(20_000):
            monitor.write(b"%d\n" % number)
            if number == 100:
                go_on.set()
        monitor.close()

    writer = threading.Thread(target=count)
    writer.start()
    go_on.wait(10.0)
    readings = [Reading(monitor.subscribe()) for _ in range(4)]
    writer.join()

    for reading in readings:
        lines, _, _ = reading.result().partition("\n—".encode())
        numbers = [int(line) for line in lines.split()]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 100
