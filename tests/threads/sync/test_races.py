"""Inbox, reply and owner thread under real threads."""

import threading

import pytest

from swapper.core.errors import ClientGoneError, InboxClosedError
from swapper.sync import Inbox, OwnerThread, Reply


def test_of_offer_and_abandon_exactly_one_wins() -> None:
    for _ in range(2000):
        reply: Reply[int] = Reply()
        barrier, won = threading.Barrier(2), list[str]()

        def abandon(
            reply: Reply[int] = reply,
            barrier: threading.Barrier = barrier,
            won: list[str] = won,
        ) -> None:
            barrier.wait()
            if reply.abandon():
                won.append("abandon")

        thread = threading.Thread(target=abandon)
        thread.start()
        barrier.wait()
        if reply.offer(1):
            won.append("offer")
        thread.join()

        assert len(won) == 1


def test_abandon_wakes_a_blocked_waiter() -> None:
    reply: Reply[int] = Reply()
    raised = threading.Event()

    def wait() -> None:
        with pytest.raises(ClientGoneError):
            reply.wait()
        raised.set()

    thread = threading.Thread(target=wait)
    thread.start()
    reply.abandon()

    assert raised.wait(10)
    thread.join()


def test_every_message_is_taken_or_refused_when_the_inbox_closes() -> None:
    for _ in range(200):
        inbox: Inbox[int] = Inbox()
        refused: list[int] = []

        def send(inbox: Inbox[int] = inbox, refused: list[int] = refused) -> None:
            for number in range(50):
                try:
                    inbox.put(number)
                except InboxClosedError:
                    refused.append(number)

        thread = threading.Thread(target=send)
        thread.start()
        left = inbox.close()
        thread.join()

        assert len(left) + len(refused) == 50
        assert inbox.get(0.0) is None


def test_a_crash_of_an_owner_thread_is_reported() -> None:
    told: list[BaseException] = []

    def crash() -> None:
        raise ZeroDivisionError

    thread = OwnerThread("crasher", crash, on_failure=told.append)
    thread.start()

    assert thread.join(10)
    assert isinstance(thread.failure, ZeroDivisionError)
    assert told == [thread.failure]


def test_an_owner_thread_that_never_started_joins_at_once() -> None:
    assert OwnerThread("idle", lambda: None).join(0)
