"""Keeping idle connections: how many, how long."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from swapper.net.hangup import HangupWatcher
from swapper.relay.connection import Connection
from swapper.relay.pool import ConnectionPool
from tests.fakes.waiting import wait_until


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ends() -> Iterator[list[socket.socket]]:
    """The other ends of the connections made."""
    with contextlib.ExitStack() as stack:
        made: list[socket.socket] = []
        yield made
        for sock in made:
            stack.callback(sock.close)


def connection(ends: list[socket.socket]) -> Connection:
    ours, other = socket.socketpair()
    ends.append(other)
    return Connection(ours)


def is_closed(other_end: socket.socket) -> bool:
    other_end.setblocking(False)
    try:
        return other_end.recv(1) == b""
    except BlockingIOError:
        return False


def test_the_connection_given_last_is_taken_first(ends: list[socket.socket]) -> None:
    pool = ConnectionPool(90.0)
    first, second = connection(ends), connection(ends)
    pool.give(first)
    pool.give(second)
    assert (pool.take(), pool.take(), pool.take()) == (second, first, None)
    assert first.is_reused
    first.close()
    second.close()


def test_the_oldest_connection_makes_room(ends: list[socket.socket]) -> None:
    pool = ConnectionPool(90.0, max_idle=2)
    for _ in range(3):
        pool.give(connection(ends))
    assert len(pool) == 2
    assert [is_closed(end) for end in ends] == [True, False, False]
    pool.close()


def test_a_connection_idle_for_too_long_is_closed(ends: list[socket.socket]) -> None:
    clock = Clock()
    pool = ConnectionPool(90.0, clock=clock)
    pool.give(connection(ends))
    clock.now = 60.0
    pool.give(connection(ends))
    clock.now = 91.0
    pool.give(connection(ends))
    assert [is_closed(end) for end in ends] == [True, False, False]
    clock.now = 200.0
    assert pool.take() is None
    assert all(is_closed(end) for end in ends)


def test_a_connection_with_something_to_say_is_not_taken(
    ends: list[socket.socket],
) -> None:
    pool = ConnectionPool(90.0)
    pool.give(connection(ends))
    ends[0].send(b"x")
    pool.give(connection(ends))
    ends[1].shutdown(socket.SHUT_WR)
    assert pool.take() is None


def test_a_closed_pool_keeps_nothing(ends: list[socket.socket]) -> None:
    pool = ConnectionPool(90.0)
    pool.give(connection(ends))
    pool.close()
    pool.give(connection(ends))
    assert len(pool) == 0
    assert all(is_closed(end) for end in ends)


@pytest.fixture
def watcher() -> Iterator[HangupWatcher]:
    made = HangupWatcher()
    yield made
    made.close()


def test_an_idle_connection_that_its_upstream_closes_is_closed_at_once(
    ends: list[socket.socket], watcher: HangupWatcher
) -> None:
    pool = ConnectionPool(90.0, watcher=watcher)
    first, second = connection(ends), connection(ends)
    pool.give(first)
    pool.give(second)
    ends[0].close()
    wait_until(lambda: len(pool) == 1)
    wait_until(lambda: first.sock.fileno() < 0)
    assert pool.take() is second
    pool.give(second)  # watched already
    ends[1].close()
    wait_until(lambda: len(pool) == 0)
    wait_until(lambda: second.sock.fileno() < 0)


def test_a_connection_closed_while_it_was_in_use_is_not_kept(
    ends: list[socket.socket], watcher: HangupWatcher
) -> None:
    pool = ConnectionPool(90.0, watcher=watcher)
    used = connection(ends)
    pool.give(used)
    assert pool.take() is used
    ends[0].close()
    wait_until(lambda: used.is_lost)
    assert used.sock.fileno() >= 0  # whoever uses it may be reading what came before
    pool.give(used)
    assert len(pool) == 0
    assert used.sock.fileno() < 0


def test_closing_the_pool_ends_the_watches(
    ends: list[socket.socket], watcher: HangupWatcher
) -> None:
    pool = ConnectionPool(90.0, watcher=watcher)
    kept = connection(ends)
    pool.give(kept)
    pool.close()
    assert kept.watch is not None
    assert not kept.watch.close()  # it was taken before the socket was closed
