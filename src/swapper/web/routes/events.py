"""``/api/events`` and the requests in flight (http-api.md section 24)."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring
from typing import Final, assert_never

from swapper.config import Config
from swapper.core.errors import NotFoundError
from swapper.core.ids import ModelId
from swapper.core.json import JsonValue
from swapper.core.rfc3339 import rfc3339
from swapper.core.states import ProcessState
from swapper.record.headers import shown_headers
from swapper.sync import CancelToken
from swapper.web.client import client_ip
from swapper.web.feed import (
    ActivityStored,
    AllShown,
    Event,
    Feed,
    LogWritten,
    Lost,
    ProfileChanged,
    Removed,
    Shown,
    StatesChanged,
)
from swapper.web.listing import status_list
from swapper.web.request import Request
from swapper.web.response import Response, json_response
from swapper.web.services import Services
from swapper.web.tracking import Track

_SOURCES: Final = ("proxy", "upstream")
_NUMBER = re.compile(r"[0-9]{1,19}")


class EventRoutes:
    """Streams what happens; cancels requests."""

    def __init__(
        self, config: Config, services: Services, retired: CancelToken
    ) -> None:
        """Prepare.

        Args:
            config: whose models are shown.
            services: what the events are about.
            retired: cancelled when another configuration is in force.
        """
        self._config = config
        self._services = services
        self._retired = retired

    def stream(self, request: Request) -> Response:
        """Return the present state of everything, and then each change, live.

        Ends when the client leaves, swapper ends or another configuration is in force.
        """
        feed = self._services.hub.subscribe(self._services.logs)
        request.on_close(feed.close)
        for token in (request.client.token, self._services.ending, self._retired):
            request.on_close(token.bind(feed.close).release)
        headers = [
            ("Content-Type", "text/event-stream"),
            ("Cache-Control", "no-cache"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Accel-Buffering", "no"),
        ]
        body = _EventBody(feed, self._config, self._services)
        return Response(200, headers, body)

    def cancel(self, request: Request) -> Response:
        """Cancel the request whose number stands in the path.

        Raises:
            NotFoundError: it is not in flight.
        """
        number, _, verb = request.rest.partition("/")
        track = None
        if verb == "cancel" and _NUMBER.fullmatch(number):
            track = self._services.tracker.find(int(number))
        if track is None:
            raise NotFoundError("inflight request not found")
        track.cancel()
        return json_response({"msg": "ok"})


class _EventBody:
    """A feed as a response body."""

    def __init__(self, feed: Feed, config: Config, services: Services) -> None:
        self._feed = feed
        self._config = config
        self._services = services
        self._is_first = True

    def __iter__(self) -> "_EventBody":
        return self

    def __next__(self) -> bytes:
        """Return the next messages as soon as there are any."""
        if self._is_first:
            self._is_first = False
            messages = self._beginning()
        else:
            events = next(self._feed)
            messages = (text for event in events for text in self._told(event))
        return "".join(messages).encode("utf-8", "replace")

    def close(self) -> None:
        """End the feed."""
        self._feed.close()

    def _beginning(self) -> Iterator[str]:
        history = self._feed.log_history()
        for source in _SOURCES:
            yield _log_message(source, history.get(source, b""))
        yield self._states(self._services.router.states())
        activity: dict[str, JsonValue] = {
            "session_id": list(self._config.session_headers)
        }
        yield _message("uiConfig", {"activity": activity})
        yield _message("profileChanged", {"active": self._services.profile.id})
        yield from self._told(self._feed.snapshot())

    def _told(self, event: Event) -> Iterator[str]:
        match event:
            case LogWritten(source, text):
                yield _log_message(source, text)
            case StatesChanged(states):
                yield self._states(states)
            case ProfileChanged(profile):
                yield _message("profileChanged", {"active": profile})
                yield self._states(self._services.router.states())
            case ActivityStored(row):
                yield _ACTIVITY % row
            case Shown(track):
                shown = in_flight_row(track)
                yield _message("inflight", {"operation": "upsert", "request": shown})
            case Removed(track):
                yield _REMOVE % track.number
            case AllShown(tracks):
                yield _snapshot([in_flight_row(track) for track in tracks])
            case Lost():
                yield self._states(self._services.router.states())
            case _:
                assert_never(event)

    def _states(self, states: Mapping[ModelId, ProcessState]) -> str:
        return _message("modelStatus", status_list(self._config, states))


def _snapshot(rows: list[JsonValue]) -> str:
    snapshot: dict[str, JsonValue] = {"operation": "snapshot"}
    return _message("inflight", snapshot | ({"requests": rows} if rows else {}))


def in_flight_row(track: Track) -> dict[str, JsonValue]:
    """Return how a request in flight is shown (http-api.md 24.1)."""
    request = track.request
    row: dict[str, JsonValue] = {
        "id": str(track.number),
        "timestamp": rfc3339(track.began_s),
        "model": track.subject.model,
        "req_path": track.subject.path,
        "method": request.method,
        "req_headers": dict(shown_headers(request.headers)),
        "remote_ip": client_ip(request.environ),
        "resp_headers": dict(shown_headers(track.headers)),
        "resp_bytes": track.resp_bytes,
        "elapsed_ms": round((time.monotonic() - track.began_at) * 1000),
        "request_id": request.id,
    }
    if request.metadata:
        row["metadata"] = dict(request.metadata)
    return row


def _log_message(source: str, text: bytes) -> str:
    shown = text.decode("utf-8", "replace")
    return _message("logData", {"data": shown, "source": source})


# What is sent most often; see ``_message``.
_ACTIVITY: Final = 'event:message\ndata:{"type":"activity","data":"{\\"id\\":%d}"}\n\n'
_REMOVE: Final = (
    'event:message\ndata:{"type":"inflight","data":'
    '"{\\"operation\\":\\"remove\\",\\"id\\":\\"%d\\"}"}\n\n'
)

_to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _message(kind: str, data: JsonValue) -> str:
    inner = encode_basestring(_to_json(data))  # a string that holds JSON
    return f'event:message\ndata:{{"type":"{kind}","data":{inner}}}\n\n'
