import queue
import threading
from collections.abc import Iterator

import pytest

from swapper.server.workers import Workers
from swapper.sync import OwnerThread

DEADLINE_S = 10.0


class Desk:
    """Hands out numbers to accept, and keeps each served until it is released."""

    def __init__(self, limit: int) -> None:
        self.arrivals: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self.served: queue.SimpleQueue[tuple[int, str]] = queue.SimpleQueue()
        self.release = threading.Event()
        self.workers = Workers(self.arrivals.get, self._serve, limit)

    def _serve(self, number: int) -> None:
        self.served.put((number, threading.current_thread().name))
        assert self.release.wait(DEADLINE_S)

    def close(self) -> None:
        self.release.set()
        for _ in range(20):
            self.arrivals.put(None)
        assert self.workers.join(DEADLINE_S)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk(limit=3)
    desk.workers.start()
    yield desk
    desk.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("http:")]


def test_a_worker_that_is_busy_is_replaced(desk: Desk) -> None:
    for number in range(3):
        desk.arrivals.put(number)
        assert desk.served.get(timeout=DEADLINE_S)[0] == number


def test_workers_are_named_and_used_again(desk: Desk) -> None:
    desk.release.set()
    names = set()
    for number in range(50):
        desk.arrivals.put(number)
        names.add(desk.served.get(timeout=DEADLINE_S)[1])

    assert names <= {"http:1", "http:2", "http:3"}


def test_nobody_accepts_beyond_the_limit(desk: Desk) -> None:
    for number in range(4):
        desk.arrivals.put(number)
    for _ in range(3):
        desk.served.get(timeout=DEADLINE_S)
    with pytest.raises(queue.Empty):
        desk.served.get(timeout=0.05)
    desk.release.set()

    assert desk.served.get(timeout=DEADLINE_S)[0] == 3


def test_joining_gives_up_in_time(desk: Desk) -> None:
    desk.arrivals.put(1)
    desk.served.get(timeout=DEADLINE_S)

    assert not desk.workers.join(0.01)


def test_superfluous_workers_end_after_a_rush() -> None:
    desk = Desk(limit=40)
    desk.workers.start()
    for number in range(40):
        desk.arrivals.put(number)
    for _ in range(40):
        desk.served.get(timeout=DEADLINE_S)
    busy = [t for t in threading.enumerate() if t.name.startswith("http:")]
    desk.release.set()
    ended = threading.Event()

    def wait() -> None:
        while sum(thread.is_alive() for thread in busy) > 8:
            next(thread for thread in busy if thread.is_alive()).join(0.01)
        ended.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert ended.wait(DEADLINE_S)
    waiter.join()
    desk.close()


def test_when_the_system_has_no_thread_left_the_others_go_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: OwnerThread) -> None:
        raise RuntimeError("can't start new thread")

    desk.release.set()
    with monkeypatch.context() as patch:
        patch.setattr(OwnerThread, "start", fail)
        for number in range(5):
            desk.arrivals.put(number)
            assert desk.served.get(timeout=DEADLINE_S)[0] == number

    assert "no thread for more connections" in caplog.text


def test_waiting_for_the_free_ones(desk: Desk) -> None:
    desk.arrivals.put(1)
    desk.served.get(timeout=DEADLINE_S)
    desk.arrivals.put(None)

    desk.workers.wait_none_free()  # one serves, the other was told to go
