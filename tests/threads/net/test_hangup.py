import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from swapper.net.hangup import HangupWatcher, has_hung_up

DEADLINE_S = 10.0


@pytest.fixture
def watcher() -> Iterator[HangupWatcher]:
    before = len(list(Path("/proc/self/fd").iterdir()))
    watcher = HangupWatcher()
    yield watcher
    watcher.close()
    assert not [t for t in threading.enumerate() if t.name == "hangup"]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    listener = socket.create_server(("127.0.0.1", 0))
    theirs = socket.create_connection(listener.getsockname(), DEADLINE_S)
    ours, _ = listener.accept()
    listener.close()
    with ours, theirs:
        yield ours, theirs


Pair = tuple[socket.socket, socket.socket]


@pytest.mark.parametrize("unread", [b"", b"x", b"x" * 100_000])
@pytest.mark.parametrize("how", ["close", "half-close"])
def test_a_hang_up_is_noticed_behind_unread_bytes(
    watcher: HangupWatcher, pair: Pair, unread: bytes, how: str
) -> None:
    ours, theirs = pair
    left = threading.Event()
    watch = watcher.watch(ours, left.set)
    theirs.sendall(unread)
    assert not left.wait(0.02)
    if how == "close":
        theirs.close()
    else:
        theirs.shutdown(socket.SHUT_WR)

    assert left.wait(DEADLINE_S)
    assert not watch.close()
    received = ours.recv(len(unread) + 1, socket.MSG_DONTWAIT)
    assert received == unread[: len(received)]  # nothing was read behind our back


def test_a_peer_that_has_left_already_is_noticed_at_once(
    watcher: HangupWatcher, pair: Pair
) -> None:
    ours, theirs = pair
    theirs.sendall(b"x")
    theirs.close()
    left = threading.Event()
    watcher.watch(ours, left.set)

    assert left.wait(DEADLINE_S)


def test_callbacks_run_once_in_the_watchers_thread(
    watcher: HangupWatcher, pair: Pair
) -> None:
    ours, theirs = pair
    names: list[str] = []
    left = threading.Event()

    def callback() -> None:
        names.append(threading.current_thread().name)
        left.set()

    watcher.watch(ours, callback)
    theirs.shutdown(socket.SHUT_WR)
    assert left.wait(DEADLINE_S)
    theirs.close()
    watcher.close()

    assert names == ["hangup"]


def test_a_closed_watch_never_fires(watcher: HangupWatcher, pair: Pair) -> None:
    ours, theirs = pair
    left, other = threading.Event(), threading.Event()
    watch = watcher.watch(ours, left.set)

    assert watch.close()
    assert not watch.close()
    watcher.watch(ours, other.set)  # the socket may be watched again
    theirs.close()
    assert other.wait(DEADLINE_S)
    assert not left.is_set()


def test_a_socket_is_watched_once_at_a_time(watcher: HangupWatcher, pair: Pair) -> None:
    ours, theirs = pair
    left = threading.Event()
    watcher.watch(ours, left.set)
    with pytest.raises(OSError, match="exists"):
        watcher.watch(ours, left.clear)
    theirs.close()

    assert left.wait(DEADLINE_S)


def test_a_closed_socket_cannot_be_watched(watcher: HangupWatcher, pair: Pair) -> None:
    ours, _ = pair
    ours.close()

    with pytest.raises(OSError, match="closed socket"):
        watcher.watch(ours, int)


def test_watches_may_outlive_their_socket(watcher: HangupWatcher, pair: Pair) -> None:
    """Closing the socket first is against the rules and must harm nobody else."""
    ours, _ = pair
    stale, fresh = threading.Event(), threading.Event()
    watch = watcher.watch(ours, stale.set)
    fd = ours.fileno()
    ours.close()
    a, b = socket.socketpair()
    with a, b:
        assert a.fileno() == fd  # the lowest free number
        watcher.watch(a, fresh.set)
        assert watch.close()
        b.shutdown(socket.SHUT_WR)

        assert fresh.wait(DEADLINE_S)
    assert not stale.is_set()


def test_a_callback_that_fails_does_not_end_the_watch_over_others(
    watcher: HangupWatcher, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = pair
    left = threading.Event()

    def fail() -> None:
        raise RuntimeError("a bad callback")

    a, b = socket.socketpair()
    with a, b:
        watcher.watch(ours, fail)
        theirs.close()
        watcher.watch(a, left.set)
        b.close()
        assert left.wait(DEADLINE_S)
        watcher.close()

    assert "a bad callback" in caplog.text


def test_after_close_nothing_fires(watcher: HangupWatcher, pair: Pair) -> None:
    ours, theirs = pair
    left = threading.Event()
    watch = watcher.watch(ours, left.set)
    watcher.close()
    watcher.close()
    theirs.close()

    assert watch.close()
    assert watcher.watch(ours, left.set).close()
    assert not left.is_set()


def test_a_callback_may_close_the_watcher(watcher: HangupWatcher, pair: Pair) -> None:
    ours, theirs = pair
    closed = threading.Event()

    def callback() -> None:
        watcher.close()
        closed.set()

    watcher.watch(ours, callback)
    theirs.close()

    assert closed.wait(DEADLINE_S)


def test_a_watcher_that_never_watched_has_no_thread(watcher: HangupWatcher) -> None:
    assert not [t for t in threading.enumerate() if t.name == "hangup"]


def test_data_does_not_wake_the_watcher(
    watcher: HangupWatcher, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    real = HangupWatcher._look_at

    def look_at(self: HangupWatcher, fd: int) -> None:
        looks.append(fd)
        real(self, fd)

    monkeypatch.setattr(HangupWatcher, "_look_at", look_at)
    ours, theirs = pair
    left = threading.Event()
    watcher.watch(ours, left.set)
    for _ in range(100):
        theirs.sendall(b"x")
        ours.recv(1)
        ours.sendall(b"y")
        theirs.recv(1)
    theirs.close()
    assert left.wait(DEADLINE_S)

    assert looks == [ours.fileno()]


def test_reused_descriptors_never_fire_for_the_living(watcher: HangupWatcher) -> None:
    """Hang-ups race with close and reuse of the same few descriptors."""
    wrong: list[str] = []
    deadline = time.monotonic() + 1.0

    def churn(seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311 - a schedule, not a secret
        while time.monotonic() < deadline:
            ours, theirs = socket.socketpair()
            fired = threading.Event()
            watch = watcher.watch(ours, fired.set)
            if rng.random() < 0.5:
                theirs.close()
                if rng.random() < 0.5 and not fired.wait(DEADLINE_S):
                    wrong.append("a hang-up was missed")
                was_first = watch.close()
                if was_first and fired.is_set():
                    wrong.append("fired although close said it never would")
            else:
                if fired.is_set():
                    wrong.append("fired for a peer that was there")
                if not watch.close():
                    wrong.append("taken although the peer was there")
                theirs.close()
            ours.close()

    threads = [threading.Thread(target=churn, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_hang_up_can_be_asked_for(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(b"x")
    assert not has_hung_up(ours.fileno())
    theirs.shutdown(socket.SHUT_WR)
    deadline = time.monotonic() + DEADLINE_S
    while not has_hung_up(ours.fileno()):
        assert time.monotonic() < deadline
