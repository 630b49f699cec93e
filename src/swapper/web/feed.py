"""Events on their way to those who listen at ``/api/events``.

Publishing never waits and costs nothing while nobody listens. What is published are
facts and live objects; each listener's own thread makes the text of them when it gets
round to it. A listener that is too slow loses messages and gets the whole picture
again instead.
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
"""Between two messages that only tell of more bytes of the same response."""


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
class LogWritten:
    """A log has more text."""

    source: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Lost:
    """Messages were dropped; what the listener knows may be wrong."""

    count: int


Event: TypeAlias = (
    StatesChanged
    | ProfileChanged
    | ActivityStored
    | Shown
    | Removed
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
        feed = Feed(logs, self._unsubscribe)
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
        for row in rows:
            self._publish(ActivityStored(row))

    def began(self, track: Track) -> None:
        """Publish a new request in flight."""
        self._publish(Shown(track))

    def moved(self, track: Track) -> None:
        """Have a request shown again, soon."""
        for feed in self._feeds:
            feed.touch(track)

    def ended(self, track: Track) -> None:
        """Publish the end of a request."""
        self._publish(Removed(track))

    def _publish(self, event: Event) -> None:
        for feed in self._feeds:
            feed.offer(event)

    def _unsubscribe(self, feed: "Feed") -> None:
        with self._lock:
            self._feeds = tuple(other for other in self._feeds if other is not feed)
            if not self._feeds:
                self._tracker.watcher = None


class Feed:
    """One listener's events; an iterator over lists of them."""

    def __init__(self, logs: Logs, on_close: Callable[["Feed"], None]) -> None:
        """Begin; ask for ``log_history`` first."""
        self._bell = threading.Event()
        self._end = threading.Event()
        self._has_told = False
        self._lock = threading.Lock()  # guards the next four
        self._events: deque[Event] = deque()
        self._touched: dict[Track, None] = {}
        self._lost = 0
        self._is_closed = False
        self._on_close = on_close
        self._logs = {
            "proxy": logs.proxy.subscribe(bell=self._bell),
            "upstream": logs.upstream.subscribe(bell=self._bell),
        }
        # of the listening thread: when a request was last shown, and whether with a head
        self._shown: dict[Track, tuple[float, bool]] = {}

    # --- any thread -----------------------------------------------------------------

    def offer(self, event: Event) -> None:
        """Append *event*, unless the listener is too far behind. Never blocks."""
        with self._lock:
            if self._is_closed:
                return
            if self._lost or len(self._events) >= _MAX_MESSAGES:
                self._lost += 1
            else:
                self._events.append(event)
        self._ring()

    def touch(self, track: Track) -> None:
        """Note that a request is to be shown again; many times are as one."""
        if track in self._touched:  # the common case; a race means one more wake-up
            return
        with self._lock:
            self._touched[track] = None
        self._ring()

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

    def _ring(self) -> None:
        if not self._bell.is_set():
            self._bell.set()

    # --- the listening thread -----------------------------------------------------

    def log_history(self) -> dict[str, bytes]:
        """Return, by source, what the logs held before; only as the very first call."""
        return {event.source: event.text for event in self._new_log()}

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
            found = [*self._new_log(), *self._new_events(now), *self._progress(now)]
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

    def _new_events(self, now: float) -> Iterator[Event]:
        with self._lock:
            events, self._events = self._events, deque()
            lost, self._lost = self._lost, 0
            if lost:
                self._touched.clear()  # the end of some of them may be what was lost
        for event in events:
            if isinstance(event, Shown):
                self._shown[event.track] = (now, event.track.status != 0)
            elif isinstance(event, Removed):
                yield from self._last_words(event.track)
            yield event
        if lost:
            logger.warning("a listener was too slow, events dropped count=%d", lost)
            self._shown.clear()
            yield Lost(lost)

    def _last_words(self, track: Track) -> Iterator[Event]:
        """Show a request once more if it has moved since."""
        self._shown.pop(track, None)
        with self._lock:
            has_moved = track in self._touched
            self._touched.pop(track, None)
        if has_moved:
            yield Shown(track)

    def _progress(self, now: float) -> Iterator[Event]:
        for track in self._due(now):
            with self._lock:
                self._touched.pop(track, None)
            self._shown[track] = (now, track.status != 0)
            yield Shown(track)

    def _due(self, now: float) -> list[Track]:
        with self._lock:
            touched = list(self._touched)
        return [track for track in touched if self._due_at(track) <= now]

    def _due_at(self, track: Track) -> float:
        """Return when *track* may be shown again: a head at once, bytes not so often."""
        shown_at, had_head = self._shown.get(track, (0.0, False))
        return shown_at + (_PROGRESS_INTERVAL_S if had_head else 0.0)

    def _until_due_s(self, now: float) -> float | None:
        with self._lock:
            due = [self._due_at(track) for track in self._touched]
        return max(0.0, min(due) - now) if due else None
