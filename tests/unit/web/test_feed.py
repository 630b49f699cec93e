"""What a listener gets to hear, and that a slow one costs nobody anything."""

from collections.abc import Iterator

import pytest

from swapper.logs import Logs
from swapper.sync import CancelToken
from swapper.web.feed import (
    ActivityStored,
    AllShown,
    EventHub,
    Feed,
    LogWritten,
    Lost,
    ProfileChanged,
    Removed,
    Shown,
)
from swapper.web.request import Request
from swapper.web.tracking import Subject, Track, Tracker


class _Client:
    token = CancelToken()

    def takeover(self) -> None:
        return None


@pytest.fixture
def logs() -> Iterator[Logs]:
    made = Logs("none", None)
    yield made
    made.close()


@pytest.fixture
def tracker() -> Tracker:
    return Tracker()


@pytest.fixture
def hub(tracker: Tracker) -> EventHub:
    return EventHub(tracker)


@pytest.fixture
def feed(hub: EventHub, logs: Logs) -> Feed:
    feed = hub.subscribe(logs)
    feed.log_history()
    return feed


def begin(tracker: Tracker) -> Track:
    environ = {"REQUEST_METHOD": "POST", "REQUEST_URI": "/v1/chat/completions"}
    subject = Subject(
        model="m1",
        route="/v1/chat/completions",
        path="/v1/chat/completions",
        target="/v1/chat/completions",
        is_listed=True,
        is_recorded=True,
    )
    return tracker.begin(Request(environ, _Client()), subject)


def test_nobody_is_told_anything_while_nobody_listens(
    tracker: Tracker, hub: EventHub, logs: Logs
) -> None:
    watchers = [tracker.watcher]
    feed = hub.subscribe(logs)
    watchers.append(tracker.watcher)
    feed.close()
    watchers.append(tracker.watcher)

    assert watchers == [None, hub, None]
    assert list(feed) == []


def test_the_logs_begin_with_their_history_and_go_on(hub: EventHub, logs: Logs) -> None:
    logs.proxy.write(b"before\n")
    feed = hub.subscribe(logs)
    assert feed.log_history() == {"proxy": b"before\n"}
    logs.upstream.write(b"after\n")
    assert next(feed) == [LogWritten("upstream", b"after\n")]


def test_events_come_in_order(hub: EventHub, feed: Feed) -> None:
    hub.profile_changed("coding")
    hub.activity_stored([7, 8])
    assert next(feed) == [
        ProfileChanged("coding"),
        ActivityStored(7),
        ActivityStored(8),
    ]


def test_a_request_is_shown_at_its_head_at_once_then_not_so_often(
    tracker: Tracker, feed: Feed
) -> None:
    track = begin(tracker)
    assert next(feed) == [Shown(track)]
    track.head(200, [])
    assert next(feed) == [Shown(track)]
    for _ in range(100):
        track.piece(b"x")  # within the interval of the last message
    assert next(feed) == [Shown(track)]  # one, when it is due
    assert track.resp_bytes == 100


def test_the_end_comes_after_what_moved_before_it(tracker: Tracker, feed: Feed) -> None:
    track = begin(tracker)
    next(feed)
    track.head(200, [])
    track.piece(b"x")
    track.end(is_complete=True)
    assert next(feed) == [Shown(track), Removed(track)]


def test_a_stream_that_goes_on_is_told_of_again_and_again(
    tracker: Tracker, feed: Feed
) -> None:
    track = begin(tracker)
    track.head(200, [])
    assert next(feed) == [Shown(track)]
    for _ in range(2):
        track.piece(b"x")  # rings no bell: the listener looks by itself
        assert next(feed) == [Shown(track)]


def test_many_rows_are_told_a_few_at_a_time_until_all_are(
    tracker: Tracker, feed: Feed
) -> None:
    tracks = [begin(tracker) for _ in range(20)]
    told = [next(feed) for _ in range(3)]  # nothing has rung since

    assert [len(events) for events in told] == [8, 8, 4]
    assert [event for events in told for event in events] == [*map(Shown, tracks)]


def test_what_began_and_ended_between_two_looks_is_told_at_its_end(
    tracker: Tracker, feed: Feed
) -> None:
    track = begin(tracker)
    track.head(200, [])
    track.end(is_complete=True)
    assert next(feed) == [Shown(track), Removed(track)]


def test_of_many_brief_requests_only_the_last_are_told(
    tracker: Tracker, hub: EventHub, feed: Feed
) -> None:
    """They would cost more than serving them; their rows come all the same."""
    for row in range(100):
        track = begin(tracker)
        track.end(is_complete=True)
        hub.activity_stored([row])
    told = next(feed)

    assert [e.row for e in told if isinstance(e, ActivityStored)] == list(range(100))
    numbers = [e.track.number for e in told if isinstance(e, Removed)]
    assert numbers == [97, 98, 99, 100]


def test_a_request_that_ends_during_a_look_is_told_once(
    tracker: Tracker, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the table that was looked at, and among the brief ones."""
    track = begin(tracker)

    def table_before_the_end() -> list[Track]:
        listed = Tracker.listed(tracker)
        if not track.is_cancelled:
            track.is_cancelled = True
            track.end(is_complete=True)
        return listed

    monkeypatch.setattr(tracker, "listed", table_before_the_end)
    assert next(feed) == [Shown(track)]
    assert next(feed) == [Removed(track)]
    feed.close()
    assert list(feed) == []


def test_a_snapshot_is_not_told_again(
    tracker: Tracker, hub: EventHub, feed: Feed
) -> None:
    track = begin(tracker)
    assert feed.snapshot() == AllShown([track])
    hub.activity_stored([1])
    assert next(feed) == [ActivityStored(1)]


def test_a_slow_listener_loses_messages_and_is_told(
    tracker: Tracker, hub: EventHub, feed: Feed
) -> None:
    track = begin(tracker)
    for row in range(2000):
        hub.activity_stored([row])
    events = next(feed)

    assert len(events) == 1026
    assert events[-2:] == [Lost(2000 - 1024), AllShown([track])]
    hub.activity_stored([1])
    assert next(feed) == [ActivityStored(1)]  # and nothing of what the snapshot has


def test_closing_wakes_the_listener(feed: Feed) -> None:
    feed.close()
    with pytest.raises(StopIteration):
        next(feed)
