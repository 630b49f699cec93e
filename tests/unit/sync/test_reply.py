"""The one-shot rendezvous, without threads."""

import pytest

from swapper.core.errors import ClientGoneError
from swapper.sync import Reply


def test_an_offer_reaches_the_waiter() -> None:
    reply: Reply[int] = Reply()

    assert reply.offer(7)
    assert reply.wait(0) == 7


def test_only_the_first_offer_counts() -> None:
    reply: Reply[int] = Reply()
    reply.offer(1)

    assert not reply.offer(2)
    assert reply.wait(0) == 1


def test_an_abandoned_reply_takes_no_offer() -> None:
    reply: Reply[int] = Reply()

    assert reply.abandon()
    assert not reply.offer(1)
    with pytest.raises(ClientGoneError):
        reply.wait(0)


def test_abandoning_after_the_answer_fails_and_keeps_the_answer() -> None:
    reply: Reply[int] = Reply()
    reply.offer(1)

    assert not reply.abandon()
    assert reply.wait(0) == 1


def test_waiting_in_vain_leaves_the_reply_open() -> None:
    reply: Reply[int] = Reply()
    with pytest.raises(TimeoutError):
        reply.wait(0.001)

    assert reply.offer(1)
