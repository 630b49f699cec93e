"""Events on their way to those who listen at ``/api/events``.

Publishing never waits and costs nothing while nobody listens. What is published are
facts; each listener's own thread makes the text of them when it gets round to it. A
listener that is too slow loses messages and gets the whole picture again instead.

Requests in flight are not published at all: the listener's thread compares the table of
them with what it has told. So a request only rings a bell, its stream not even that, and
whatever happens between two looks is one message.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.logs import Logs
from swapper.web.tracking import Track, Tracker

logger = logging.getLogger(__name__)

_MAX_MESSAGES: Final = 1024
"""A listener may be so many messages behind (http-api.md 24.3)."""

_PAUSE_S: Final = 0.02
"""After each list of events. Waking a listener costs the request that does it more than
all its other bookkeeping; 50 lists a second are as good for people to look at."""

_PROGRESS_INTERVAL_S: Final = 0.25
"""Between two messages that only tell of more bytes of the same response ..."""

_PROGRESS_PER_S: Final = 100
"""... and more if that makes more messages: nobody can read them."""

_AT_ONCE: Final = 8
"""Rows of the table told at one look. More of them would keep tokens waiting: making a
row takes as long as relaying several."""

_BRIEF: Final = 4
"""Requests that began and ended between two looks, of which a listener is told; the last
ones. Nobody can read hundreds a second, and their rows in the activity log are told."""


@dataclass(frozen=True, slots=True)
class StatesChanged:
    """A model's process has another state; these are all of them."""

    states: Mapping[ModelId, ProcessState]


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    """Another profile is active, or none."""

    profile: str | None


@dataclass(frozen=True, slots=True)
class ActivityStored:
    """The activity log has another row."""

    row: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A request in flight is to be shown, for the first time or again."""

    track: Track


@dataclass(frozen=True, slots=True)
class Removed:
    """A request is no longer in flight."""

    track: Track


@dataclass(frozen=True, slots=True)
class AllShown:
    """These are all requests in flight, oldest first."""

    tracks: Sequence[Track]


@dataclass(frozen=True, slots=True)
class LogWritten:
    """A log has more text."""

    source: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages were dropped; what the listener knows of states may be wrong."""

    count: int


Event: TypeAlias = (
    StatesChanged
    | ProfileChanged
    | ActivityStored
    | Shown
    | Removed
    | AllShown
    | LogWritten
    | Lost
)


class EventHub:
    """Passes events to all feeds. Any thread; a ``Watcher`` while there are feeds."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._lock = threading.Lock()  # guards changes of _feeds
        self._feeds: tuple[Feed, ...] = ()

    def subscribe(self, logs: Logs) -> "Feed":
        """Return a feed of everything from now on; the logs begin with their history."""
        feed = Feed(logs, self._tracker, self._unsubscribe)
        with self._lock:
            self._feeds = (*self._feeds, feed)
            self._tracker.watcher = self
        return feed

    def states_changed(self, states: Mapping[ModelId, ProcessState]) -> None:
        """Publish the states; *states* is never changed afterwards."""
        self._publish(StatesChanged(states))

    def profile_changed(self, profile: str | None) -> None:
        """Publish the choice of a profile."""
        self._publish(ProfileChanged(profile))

    def activity_stored(self, rows: Sequence[int]) -> None:
        """Publish new rows of the activity log, by their ids."""
        for feed in self._feeds:
            feed.offer(*map(ActivityStored, rows))

    def changed(self) -> None:
        """Have new requests in flight shown, and heads of their responses."""
        for feed in self._feeds:
            feed.ring()

    def ends(self, track: Track) -> None:
        """Have a request removed."""
        for feed in self._feeds:
            feed.ends(track)

    def _publish(self, event: Event) -> None:
        for feed in self._feeds:
            feed.offer(event)

    def _unsubscribe(self, feed: "Feed") -> None:
        with self._lock:
            self._feeds = tuple(other for other in self._feeds if other is not feed)
            if not self._feeds:
                self._tracker.watcher = None


@dataclass(slots=True)
class _Seen:
    """What a listener was last told of a request, and when."""

    track: Track
    at: float
    status: int
    resp_bytes: int

    @property
    def has_changed(self) -> bool:
        track = self.track
        return self.resp_bytes != track.resp_bytes or self.status != track.status

    def is_due(self, now: float, interval_s: float) -> bool:
        """Return whether to tell more: a head at once, bytes not so often."""
        if not self.status:
            return self.track.status != 0
        return self.at + interval_s <= now


class Feed:
    """One listener's events; an iterator over lists of them."""

    def __init__(
        self, logs: Logs, tracker: Tracker, on_close: Callable[["Feed"], None]
    ) -> None:
        """Begin; ask for ``log_history`` and ``snapshot`` first."""
        self._bell = threading.Event()
        self._end = threading.Event()
        self._has_told = False
        self._lock = threading.Lock()  # guards the next three
        self._events: deque[Event] = deque()
        self._lost = 0
        self._is_closed = False
        self._on_close = on_close
        self._tracker = tracker
        self._logs = {
            "proxy": logs.proxy.subscribe(bell=self._bell),
            "upstream": logs.upstream.subscribe(bell=self._bell),
        }
        # written by the listening thread
        self._seen: dict[int, _Seen] = {}
        self._is_behind = False
        # what ended before it was seen; appended to by any thread
        self._brief: deque[Track] = deque(maxlen=_BRIEF)

    # --- any thread -----------------------------------------------------------------

    def offer(self, *events: Event) -> None:
        """Append *events*, unless the listener is too far behind. Never blocks."""
        with self._lock:
            if self._is_closed:
                return
            room = 0 if self._lost else _MAX_MESSAGES - len(self._events)
            self._events.extend(events[:room])
            self._lost += max(0, len(events) - room)
        self.ring()

    def ends(self, track: Track) -> None:
        """Note that a request is over; it must still be in the table.

        Otherwise a look at the table could miss it there and not find it here.
        """
        if track.number not in self._seen:
            self._brief.append(track)
        self.ring()

    def ring(self) -> None:
        """Have the listening thread look around."""
        if not self._bell.is_set():
            self._bell.set()

    def close(self) -> None:
        """End the feed at once; the listening thread wakes up. Idempotent."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self._end.set()
        self._on_close(self)
        for subscription in self._logs.values():
            subscription.close()
        self._bell.set()

    # --- the listening thread -----------------------------------------------------

    def log_history(self) -> dict[str, bytes]:
        """Return, by source, what the logs held before; only as the very first call."""
        return {event.source: event.text for event in self._new_log()}

    def snapshot(self) -> AllShown:
        """Return what is in flight; from now on changes of that are told."""
        now = time.monotonic()
        tracks = self._tracker.listed()
        self._seen = {track.number: _seen(track, now) for track in tracks}
        return AllShown(tracks)

    def __iter__(self) -> Iterator[list[Event]]:
        """Return itself."""
        return self

    def __next__(self) -> list[Event]:
        """Return what has come, at least one event; blocks until there is one."""
        if self._has_told:
            self._end.wait(_PAUSE_S)
        while not self._is_closed:
            self._bell.clear()
            now = time.monotonic()
            found = [*self._new_log(), *self._new_events(), *self._in_flight(now)]
            if found:
                self._has_told = True
                return found
            self._bell.wait(self._until_due_s(now))
        raise StopIteration

    def _new_log(self) -> Iterator[LogWritten]:
        for source, subscription in self._logs.items():
            text = subscription.read(0)
            if text:
                yield LogWritten(source, text)

    def _new_events(self) -> Iterator[Event]:
        with self._lock:
            events, self._events = self._events, deque()
            lost, self._lost = self._lost, 0
        yield from events
        if lost:
            logger.warning("a listener was too slow, events dropped count=%d", lost)
            yield Lost(lost)
            yield self.snapshot()

    def _in_flight(self, now: float) -> Iterator[Event]:
        """Yield how the table differs from what was told of it."""
        listed = {track.number: track for track in self._tracker.listed()}
        # after the table: see ``ends``
        brief = [self._brief.popleft() for _ in range(len(self._brief))]
        for track in brief:
            if track.number not in listed and track.number not in self._seen:
                yield Shown(track)
                yield Removed(track)
        for number in [number for number in self._seen if number not in listed]:
            seen = self._seen.pop(number)
            if seen.has_changed:
                yield Shown(seen.track)
            yield Removed(seen.track)
        left, interval_s = _AT_ONCE, self._interval_s
        for number, track in listed.items():
            told = self._seen.get(number)
            if told is None or told.is_due(now, interval_s):
                if not left:
                    break
                if told is None or told.has_changed:
                    left -= 1
                    yield Shown(track)
                self._seen[number] = _seen(track, now)
        self._is_behind = not left

    @property
    def _interval_s(self) -> float:
        return max(_PROGRESS_INTERVAL_S, len(self._seen) / _PROGRESS_PER_S)

    def _until_due_s(self, now: float) -> float | None:
        """Return when to look at bodies again; all else rings the bell."""
        due = [seen.at for seen in self._seen.values() if seen.status]
        if self._is_behind:
            return 0.0
        return max(0.0, min(due) + self._interval_s - now) if due else None


def _seen(track: Track, now: float) -> _Seen:
    return _Seen(track, now, track.status, track.resp_bytes)
