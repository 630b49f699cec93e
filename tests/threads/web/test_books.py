"""The thread that keeps the books of requests that have ended."""

import threading
from collections.abc import Iterator

import pytest

from swapper.web import books as module
from swapper.web.books import MAX_HELD_BYTES, MAX_WAITING, Books

TIMEOUT_S = 20.0


class Entry:
    """A request that is over; its books are a list."""

    def __init__(self, kept: list[int], number: int, held_bytes: int = 0) -> None:
        self._kept = kept
        self._number = number
        self.held_bytes = held_bytes

    def keep(self) -> None:
        self._kept.append(self._number)


class Faulty(Entry):
    def keep(self) -> None:
        raise ValueError("these cannot be kept")


class Gate(Entry):
    """Stops the thread in its tracks."""

    def __init__(self) -> None:
        super().__init__([], 0)
        self.reached = threading.Event()
        self.opened = threading.Event()

    def keep(self) -> None:
        self.reached.set()
        assert self.opened.wait(TIMEOUT_S)


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Iterator[Books]:
    monkeypatch.setattr(module, "_SETTLE_S", TIMEOUT_S)
    made = Books()
    made.start()
    yield made
    made.close()


def test_books_are_kept_in_the_order_of_the_ends(books: Books) -> None:
    kept: list[int] = []
    for number in range(1000):
        books.add(Entry(kept, number))
    assert books.settle()
    assert kept == list(range(1000))


def test_a_request_after_a_pause_is_booked_without_being_asked_for(
    books: Books,
) -> None:
    for _ in range(2):
        gate = Gate()
        books.add(gate)
        assert gate.reached.wait(TIMEOUT_S)
        gate.opened.set()


def test_no_request_is_lost_between_looks(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever moment it comes at: asleep, about to sleep or awake."""
    monkeypatch.setattr(module, "_PAUSE_S", 0.0)
    for _ in range(2000):
        gate = Gate()
        gate.opened.set()
        books.add(gate)
        assert gate.reached.wait(TIMEOUT_S)


def test_books_that_cannot_be_kept_are_logged_and_harm_no_others(
    books: Books, caplog: pytest.LogCaptureFixture
) -> None:
    kept: list[int] = []
    books.add(Faulty(kept, 1))
    books.add(Entry(kept, 2))
    assert books.settle()
    assert kept == [2]
    assert "these cannot be kept" in caplog.text


@pytest.mark.parametrize(
    ("waiting", "held_bytes"), [(MAX_WAITING + 1, 0), (1, MAX_HELD_BYTES + 1)]
)
def test_who_ends_one_too_many_waits_for_the_books(
    books: Books, waiting: int, held_bytes: int
) -> None:
    kept: list[int] = []
    gate = Gate()
    books.add(gate)
    assert gate.reached.wait(TIMEOUT_S)
    for number in range(waiting - 1):
        books.add(Entry(kept, number, held_bytes))
    last = threading.Thread(
        target=books.add, args=(Entry(kept, waiting - 1, held_bytes),)
    )
    last.start()
    last.join(0.05)
    is_waiting = last.is_alive()
    gate.opened.set()
    last.join(TIMEOUT_S)

    assert is_waiting
    assert kept == list(range(waiting))
    assert books._held_bytes == 0


def test_settling_does_not_wait_for_ever(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SETTLE_S", 0.01)
    gate = Gate()
    books.add(gate)
    assert gate.reached.wait(TIMEOUT_S)
    assert not books.settle()
    gate.opened.set()


@pytest.mark.parametrize("is_started", [True, False])
def test_the_end_keeps_what_waits_and_what_comes_later(is_started: bool) -> None:
    books, kept = Books(), list[int]()
    if is_started:
        books.start()
    for number in range(100):
        books.add(Entry(kept, number))
    books.close()
    books.add(Entry(kept, 100))

    assert kept == list(range(101))
    assert books.settle()
