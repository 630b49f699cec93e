import socket
from collections.abc import Iterator

import pytest

from swapper.net.hangup import HangupWatcher
from swapper.server.connection import Connection
from swapper.server.table import ConnectionTable


@pytest.fixture
def pair() -> Iterator[tuple[ConnectionTable, Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(10)
    table = ConnectionTable()
    watcher = HangupWatcher()
    connection = Connection(ours, watcher, table.hand_over)
    assert table.add(connection)
    yield table, connection, theirs
    table.close(connection)
    theirs.close()
    watcher.close()


Pair = tuple[ConnectionTable, Connection, socket.socket]


def test_requests_are_counted_on_and_off(pair: Pair) -> None:
    table, connection, _ = pair
    assert table.wait_idle(0)
    assert table.start_request(connection)
    assert not table.wait_idle(0)
    assert table.end_request(connection)
    assert table.wait_idle(0)


def test_a_request_that_comes_after_draining_is_not_started(pair: Pair) -> None:
    table, connection, _ = pair
    table.drain()

    assert not table.start_request(connection)
    assert table.wait_idle(0)


def test_a_request_in_progress_is_the_last_when_draining(pair: Pair) -> None:
    table, connection, theirs = pair
    assert table.start_request(connection)
    table.drain()
    theirs.sendall(b"x")

    assert connection.reader.read1(1) == b"x"  # its reading side is still open
    assert not table.end_request(connection)


def test_new_connections_are_refused_when_draining(pair: Pair) -> None:
    table, connection, _ = pair
    table.drain()

    assert not table.add(connection)


def test_a_connection_taken_over_is_not_waited_for_but_aborted(pair: Pair) -> None:
    table, connection, theirs = pair
    assert table.start_request(connection)
    client = connection.start_request()
    client.takeover()
    assert table.wait_idle(0)
    table.abort()

    assert client.token.cancelled
    assert theirs.recv(1) == b""


def test_closing_a_busy_connection_counts_it_off(pair: Pair) -> None:
    table, connection, _ = pair
    assert table.start_request(connection)
    table.close(connection)

    assert table.wait_idle(0)
