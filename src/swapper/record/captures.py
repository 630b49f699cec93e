"""Requests and answers kept in memory for people to look at (http-api.md section 23).

A ``Draft`` takes one capture while its request is served, ``Captures`` keeps what has
been taken: the newest, compressed, up to a budget. A capture waits as it is until its
row is in the activity log and has an id; compressing it is the work of whoever says so.
zlib's fastest level: text gets a tenth larger than with the default one, in a third of
the time.
"""

import json
import logging
import threading
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from swapper.record.headers import shown_headers
from swapper.record.row import Finished

logger = logging.getLogger(__name__)

_LEVEL: Final = 1

_Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """One request and its answer; a body that is None was not kept.

    Attributes:
        req_path: as in the activity log.
        req_headers: as ``shown_headers`` has them.
        req_body: as it was forwarded.
        resp_headers: as ``shown_headers`` has them, without ``Content-Encoding``.
        resp_body: decompressed.
    """

    req_path: str
    req_headers: Mapping[str, str] = field(repr=False)
    req_body: bytes | None = field(repr=False)
    resp_headers: Mapping[str, str] = field(repr=False)
    resp_body: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeptBodies:
    """Which bodies are kept of requests on a path; headers always are."""

    request: bool = True
    response: bool = True


_BOTH: Final = KeptBodies()
_BY_PATH: Final = {  # http-api.md 23.2: media are left out
    "/v1/audio/speech": KeptBodies(response=False),
    "/v1/images/generations": KeptBodies(response=False),
    "/sdapi/v1/txt2img": KeptBodies(response=False),
    "/v1/audio/voices": KeptBodies(request=False),
    "/v1/audio/transcriptions": KeptBodies(request=False),
    "/v1/images/edits": KeptBodies(request=False, response=False),
    "/sdapi/v1/img2img": KeptBodies(request=False, response=False),
}


def kept_bodies(path: str) -> KeptBodies:
    """Return what is kept on *path*: decoded, as the client asked for it."""
    return _BY_PATH.get(path, _BOTH)


class Readable(Protocol):
    """A body to be read once."""

    def read1(self, limit_bytes: int, /) -> bytes:
        """Return what is there, at least one byte; b"" at the end."""
        ...


class Draft:
    """A capture while it is taken. The thread that serves the request.

    What it holds is never more than its limit: beyond that it gives up.

    Attributes:
        held_bytes: of both bodies.
        is_too_large: it has given up.
    """

    __slots__ = (
        "_bodies",
        "_limit_bytes",
        "_req_body",
        "_req_headers",
        "_req_path",
        "_resp_body",
        "_resp_headers",
        "held_bytes",
        "is_too_large",
    )

    def __init__(self, path: str, headers: _Headers, limit_bytes: int) -> None:
        """Begin.

        Args:
            path: decoded, as the client asked for it.
            headers: of the request, as received.
            limit_bytes: of both bodies together.
        """
        self.held_bytes = 0
        self.is_too_large = False
        self._bodies = kept_bodies(path)
        self._limit_bytes = limit_bytes
        self._req_path = ""
        self._req_headers = headers
        self._req_body: bytes | bytearray | None = None
        self._resp_headers: _Headers = ()
        self._resp_body = bytearray()

    def of_request(self, body: bytes | Readable | None) -> bytes | Readable | None:
        """Return *body*, to be forwarded in its place: what is read of it is kept.

        The first body that was given as bytes stands.
        """
        if not self._bodies.request or isinstance(self._req_body, bytes):
            return body
        if body is None or isinstance(body, bytes):
            if self._has_room(len(body or b"")):
                self._req_body = body or b""
            return body
        return _Kept(body, self)

    def add_request(self, data: bytes) -> None:
        """Take what has been read of the request's body; b"" at its end."""
        if not self._has_room(len(data)):
            return
        if not isinstance(self._req_body, bytearray):
            self._req_body = bytearray()
        self._req_body += data

    def add(self, data: bytes, /) -> None:
        """Take a piece of the answer's decoded body."""
        if self._bodies.response and self._has_room(len(data)):
            self._resp_body += data

    def end(self, req_path: str, headers: _Headers, *, has_body: bool) -> None:
        """Take what is known of the answer at its end.

        Args:
            req_path: as in the activity log.
            headers: of the answer.
            has_body: its body is to be kept.
        """
        self._req_path = req_path
        self._resp_headers = headers
        if not has_body:
            self._bodies = KeptBodies(self._bodies.request, response=False)

    def capture(self) -> Capture:
        """Return what has been taken. After the end, any thread."""
        resp_headers = shown_headers(self._resp_headers)
        resp_headers.pop("Content-Encoding", None)
        body = self._req_body
        return Capture(
            req_path=self._req_path,
            req_headers=shown_headers(self._req_headers),
            req_body=None if body is None else bytes(body),
            resp_headers=resp_headers,
            resp_body=bytes(self._resp_body) if self._bodies.response else None,
        )

    def _has_room(self, count: int) -> bool:
        if not self.is_too_large:
            self.held_bytes += count
            self.is_too_large = self.held_bytes > self._limit_bytes
            if self.is_too_large:
                self._req_body, self._resp_body = None, bytearray()
                self.held_bytes = 0
        return not self.is_too_large


class _Kept:
    """A body of which the draft sees what is read."""

    def __init__(self, body: Readable, draft: Draft) -> None:
        self._body = body
        self._draft = draft

    def read1(self, limit_bytes: int, /) -> bytes:
        """Return what is there; see ``Readable``."""
        data = self._body.read1(limit_bytes)
        self._draft.add_request(data)
        return data


class Captures:
    """What has been taken, first in first out. Any thread; blocks for no one."""

    def __init__(self, budget_bytes: int = 0) -> None:
        """Keep nothing yet; see ``resize``."""
        self._budget_bytes = budget_bytes
        # Guards all that follows.
        self._lock = threading.Lock()
        self._packed: dict[int, bytes] = {}
        self._packed_bytes = 0
        # By identity; holding the row itself keeps its identity from being reused.
        self._waiting: dict[int, tuple[Finished, Draft]] = {}
        self._waiting_bytes = 0

    @property
    def budget_bytes(self) -> int:
        """Return how much is kept, compressed; 0 turns captures off."""
        return self._budget_bytes

    def resize(self, budget_bytes: int) -> None:
        """Go on with another budget; what has no room any more is dropped."""
        with self._lock:
            self._budget_bytes = max(0, budget_bytes)
            self._make_room(0)
            if not self._budget_bytes:
                self._waiting.clear()
                self._waiting_bytes = 0

    def forget(self) -> None:
        """Drop what is kept: its ids will belong to other rows."""
        with self._lock:
            self._packed.clear()
            self._packed_bytes = 0

    def draft(self, path: str, headers: _Headers) -> Draft | None:
        """Return what takes the capture of a request, None if there are none.

        Args:
            path: decoded, as the client asked for it.
            headers: of the request, as received.
        """
        limit_bytes = self._budget_bytes
        return Draft(path, headers, limit_bytes) if limit_bytes else None

    def hold(self, finished: Finished, draft: Draft) -> None:
        """Keep a capture until its row is stored; the oldest make room."""
        if draft.is_too_large:
            _warn(finished, self._budget_bytes)
            return
        with self._lock:
            self._waiting[id(finished)] = finished, draft
            self._waiting_bytes += draft.held_bytes
            while len(self._waiting) > 1 and self._waiting_bytes > self._budget_bytes:
                _, oldest = self._waiting.pop(next(iter(self._waiting)))
                self._waiting_bytes -= oldest.held_bytes

    def stored(self, number: int, finished: Finished) -> None:
        """Compress the capture that belongs to a row, if there is one: milliseconds.

        Args:
            number: the row's id.
            finished: the row, the very object that was held.
        """
        with self._lock:
            _, draft = self._waiting.pop(id(finished), (None, None))
            if draft is None:
                return
            self._waiting_bytes -= draft.held_bytes
        packed = pack(draft.capture())
        with self._lock:
            budget_bytes = self._budget_bytes
            if len(packed) <= budget_bytes:
                self._make_room(len(packed))
                self._packed[number] = packed
                self._packed_bytes += len(packed)
                return
        if budget_bytes:
            _warn(finished, budget_bytes)

    def get(self, number: int) -> Capture | None:
        """Return a row's capture, None if there is none or no longer."""
        with self._lock:
            packed = self._packed.get(number)
        return None if packed is None else unpack(packed)

    def __contains__(self, number: int) -> bool:
        with self._lock:
            return number in self._packed

    def _make_room(self, count: int) -> None:
        """Drop the oldest, with the lock held."""
        while self._packed and self._packed_bytes + count > self._budget_bytes:
            self._packed_bytes -= len(self._packed.pop(next(iter(self._packed))))


def pack(capture: Capture) -> bytes:
    """Return a capture in few bytes: what it is in one line of JSON, then the bodies."""
    bodies = [capture.req_body, capture.resp_body]
    head = [
        capture.req_path,
        capture.req_headers,
        capture.resp_headers,
        *(None if body is None else len(body) for body in bodies),
    ]
    packer = zlib.compressobj(_LEVEL)
    parts = [json.dumps(head).encode() + b"\n", *(body or b"" for body in bodies)]
    return b"".join([*map(packer.compress, parts), packer.flush()])


def unpack(packed: bytes) -> Capture:
    """Return what ``pack`` was given."""
    head, _, bodies = zlib.decompress(packed).partition(b"\n")
    path, req_headers, resp_headers, req_length, resp_length = json.loads(head)
    req_end = req_length or 0
    return Capture(
        req_path=path,
        req_headers=req_headers,
        req_body=None if req_length is None else bodies[:req_end],
        resp_headers=resp_headers,
        resp_body=None if resp_length is None else bodies[req_end:],
    )


def _warn(finished: Finished, budget_bytes: int) -> None:
    logger.warning(
        "capture dropped, it is larger than captureBuffer path=%s budget_bytes=%d",
        finished.req_path,
        budget_bytes,
    )
