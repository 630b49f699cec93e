"""Requests to models while they are served: who is there, and what became of them.

A route that has found its model begins a ``Track``. It sees the response pass and notes
its end, whatever that is; the thread of the books makes one ``Finished`` of it for
everybody who keeps some.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias
from urllib.parse import unquote

from swapper.core.clock import unix_time
from swapper.record.captures import Captures, Draft, Readable
from swapper.record.figures import NO_USAGE
from swapper.record.row import Finished
from swapper.record.tap import Answer, ResponseTap
from swapper.relay import Buffers
from swapper.router import Lease
from swapper.web.request import Request

Keeper: TypeAlias = Callable[[Finished], None]
"""Takes a finished request; the thread ``books``, must neither block nor raise."""

_UNSEEN: Final = Answer(usage=NO_USAGE, is_worth_keeping=False)

_HELD_BYTES: Final = 1 << 14
"""An answer of one piece that is no longer than this is looked into by the thread of the
books, for which it is held."""


class Subject(NamedTuple):
    """What a request turned out to be.

    Attributes:
        model: see ``Finished.model``.
        peer: see ``Finished.peer``.
        is_known: see ``Finished.is_known``.
        route: see ``Finished.route``.
        path: raw path as the client asked, below ``/upstream/<model>`` the rest.
        target: path and query as forwarded.
        is_listed: belongs in the table of requests in flight (http-api.md 24.1).
        is_recorded: belongs in the activity log (http-api.md 21.1).
    """

    model: str
    route: str
    path: str
    target: str
    is_listed: bool
    is_recorded: bool
    peer: str = ""
    is_known: bool = True


class Watcher(Protocol):
    """Is told about requests in flight. Any thread; must neither block nor raise."""

    def changed(self) -> None:
        """Note that there is another request in the table, or another response."""
        ...

    def ends(self, track: "Track") -> None:
        """Note that it is over, and leaves the table after this call."""
        ...


class Track:
    """One request to a model, from the moment its model is known.

    Written by the thread that serves or relays, until the end; others may read what is
    public. In that thread nothing may block or take long, for it stands between the
    client and every other stream of that thread.

    Attributes:
        number: counts the requests of this swapper, from 1.
        request: the client's.
        subject: what it turned out to be.
        began_s: Unix time of the beginning.
        began_at: the same on the monotonic clock.
        status: of the response; 0 before its head.
        headers: of the response; empty before its head.
        resp_bytes: of the body so far.
        is_cancelled: somebody has asked for its end.
    """

    __slots__ = (
        "_draft",
        "_ended_at",
        "_ended_s",
        "_error",
        "_first_byte_at",
        "_held",
        "_is_complete",
        "_load_s",
        "_look",
        "_outcome",
        "_queue_s",
        "_tap",
        "_tracker",
        "began_at",
        "began_s",
        "headers",
        "is_cancelled",
        "number",
        "request",
        "resp_bytes",
        "status",
        "subject",
    )

    def __init__(
        self, tracker: "Tracker", number: int, request: Request, subject: Subject
    ) -> None:
        self.number = number
        self.request = request
        self.subject = subject
        self.began_s = unix_time()
        self.began_at = time.monotonic()
        self.status = 0
        self.headers: Sequence[tuple[str, str]] = ()
        self.resp_bytes = 0
        self.is_cancelled = False
        self._tracker = tracker
        self._first_byte_at: float | None = None
        self._queue_s = 0.0
        self._load_s = 0.0
        self._outcome = 0
        self._error = ""
        self._ended_s = self._ended_at = 0.0
        self._is_complete = False
        self._draft: Draft | None = None
        self._held = b""
        self._tap: ResponseTap | None = None
        self._look: Callable[[bytes], None] | None = None  # from the second piece on
        if subject.is_recorded and tracker.captures.budget_bytes:
            path = unquote(subject.path)
            self._draft = tracker.captures.draft(path, request.headers)

    def granted(self, lease: Lease, priority: int) -> None:
        """Note how the time until now was spent, and the model's priority."""
        waited_s = time.monotonic() - self.began_at
        load_s = lease.ready_s - max(lease.started_s, self.began_at)
        self._load_s = min(max(0.0, load_s), waited_s)
        self._queue_s = waited_s - self._load_s
        self.request.metadata["fifo_priority"] = str(priority)

    def cancel(self) -> None:
        """Break the request off. Any thread; whoever serves it notices by itself."""
        self.is_cancelled = True
        self.request.client.token.cancel()

    def forwards(self, body: bytes | Readable | None) -> bytes | Readable | None:
        """Return the request's body, to be forwarded in its place: it may be kept.

        A second call gives another body, but what is kept stays the first, if that was
        given as bytes.
        """
        if self._draft is None:
            return body
        return self._draft.of_request(
            body.joined() if isinstance(body, Buffers) else body
        )

    def failed(self, status: int, message: str) -> None:
        """Note what went wrong behind a response that had begun as a success."""
        self._outcome, self._error = status, message

    # --- while the response passes ------------------------------------------------

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Take the response's head, once, before it is sent."""
        self._first_byte_at = time.monotonic()
        self.headers = headers
        self.status = status  # last: others look at it to know that the head is there
        self._tracker.answered(self)

    def piece(self, data: bytes) -> None:
        """Take the next piece of the body, without any transfer coding."""
        self.resp_bytes += len(data)
        if self._look is not None:
            self._look(data)
        elif data and self.subject.is_recorded:
            self._first_piece(data)

    def end(self, *, is_complete: bool) -> None:
        """Take the end, exactly once, also if there was no head.

        Args:
            is_complete: the body came to its end; False if it broke off or the client
                left.
        """
        self._ended_s, self._ended_at = unix_time(), time.monotonic()
        self._is_complete = is_complete
        self._tracker.ended(self)

    def _first_piece(self, data: bytes) -> None:
        """Hold a first piece that may be all, or begin to look into what passes."""
        if not self._held and len(data) <= _HELD_BYTES:
            self._held = data
            return
        tap = self._tapped()
        tap.piece(data)
        self._look = tap.feeder()

    def _tapped(self) -> ResponseTap:
        """Return what looks into the response; it has seen what has passed."""
        tap = self._tap
        if tap is None:
            tap = self._tap = ResponseTap(self.subject.target, self._draft)
            if self._first_byte_at is not None:
                tap.head(self.status, self.headers)
            if self._held:
                tap.piece(self._held)
                self._held = b""
        return tap

    # --- after the end -------------------------------------------------------------

    @property
    def held_bytes(self) -> int:
        """Return how much of the bodies is in memory for the books' sake."""
        draft = self._draft
        return len(self._held) + (0 if draft is None else draft.held_bytes)

    def keep(self) -> None:
        """Make the books. Once, the thread ``books``."""
        draft, is_complete = self._draft, self._is_complete
        answer = _UNSEEN
        if self.subject.is_recorded:
            answer = self._tapped().end(is_complete=is_complete)
        finished = self._finished(answer)
        if draft is not None and answer.is_worth_keeping:
            has_body = answer.has_body and not self._outcome
            draft.end(finished.req_path, self.headers, has_body=has_body)
            self._tracker.captures.hold(finished, draft)
        self._tracker.keep(finished)

    def _finished(self, answer: Answer) -> Finished:
        subject, first = self.subject, self._first_byte_at
        return Finished(
            request_id=self.request.id,
            model=subject.model,
            peer=subject.peer,
            is_known=subject.is_known,
            method=self.request.method,
            route=subject.route,
            req_path=subject.target.partition("?")[0],
            is_recorded=subject.is_recorded,
            status=self._outcome or self.status,
            resp_content_type=self._content_type(),
            resp_bytes=self.resp_bytes,
            is_truncated=not self._is_complete,
            ended_s=self._ended_s,
            duration_ms=max(_ms(self._ended_at - self.began_at), answer.usage.timed_ms),
            queue_ms=_ms(self._queue_s),
            load_ms=_ms(self._load_s),
            first_byte_ms=None if first is None else _ms(first - self.began_at),
            tokens=answer.usage.tokens,
            error_msg=self._error or answer.error_msg,
            metadata=self.request.metadata,
        )

    def _content_type(self) -> str:
        for name, value in self.headers:
            if name.lower() == "content-type":
                return value
        return ""


class Tracker:
    """All requests to models that are being served. Any thread.

    Attributes:
        captures: take what passes, if there is a budget for it.
        watcher: told of changes as long as there is one.
    """

    def __init__(self, keepers: Iterable[Keeper] = ()) -> None:
        """Know who takes what has finished."""
        self.captures = Captures()
        self.watcher: Watcher | None = None
        self._keepers = tuple(keepers)
        self._numbers = itertools.count(1)
        self._listed: dict[int, Track] = {}  # single operations on it are atomic

    def begin(self, request: Request, subject: Subject) -> Track:
        """Track *request* until its response has ended."""
        track = Track(self, next(self._numbers), request, subject)
        request.track = track
        if subject.is_listed:
            self._listed[track.number] = track
            if self.watcher is not None:
                self.watcher.changed()
        return track

    def listed(self) -> list[Track]:
        """Return what belongs in the table of requests in flight, oldest first."""
        return sorted(self._listed.copy().values(), key=lambda track: track.number)

    def find(self, number: int) -> Track | None:
        """Return a request in the table, None if it has ended."""
        return self._listed.get(number)

    # --- for tracks ----------------------------------------------------------------

    def answered(self, track: Track) -> None:
        """Pass on that there is a response."""
        watcher = self.watcher
        if watcher is not None and track.subject.is_listed:
            watcher.changed()

    def ended(self, track: Track) -> None:
        """Forget a request that is over."""
        if track.subject.is_listed:
            watcher = self.watcher
            if watcher is not None:
                watcher.ends(track)
            self._listed.pop(track.number, None)

    def keep(self, finished: Finished) -> None:
        """Hand out what has finished. The thread ``books``."""
        for keep in self._keepers:
            keep(finished)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
