"""What a handler returns: status, headers, and a body that may still be coming."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Protocol

from swapper.core.json import JsonValue

NOSNIFF: Final = (("X-Content-Type-Options", "nosniff"),)
"""Header of plain texts that a browser shall not take for a page."""


@dataclass(slots=True)
class Response:
    """An HTTP response.

    Attributes:
        headers: (name, value) pairs in order, repeated names allowed.
        body: byte pieces; a list is complete; if it has ``close``, that is called exactly once.
        reason: reason phrase; "" takes the status's own.
    """

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: Iterable[bytes] = field(default_factory=list)
    reason: str = ""

    @property
    def status_line(self) -> str:
        """Return status and reason as WSGI wants them."""
        if self.reason:
            return f"{self.status} {self.reason}"
        try:
            return f"{self.status} {HTTPStatus(self.status).phrase}"
        except ValueError:
            return f"{self.status} Unknown"


class ResponseObserver(Protocol):
    """Sees a response pass on its way to the client.

    Called in the thread that relays at that moment, never in two at once. Must be quick:
    it stands between the client and every other stream of that thread. Must not raise,
    and cannot change anything.
    """

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Take the head, once, before it is sent."""
        ...

    def piece(self, data: bytes) -> None:
        """Take the next piece of the body, without any transfer coding."""
        ...

    def end(self, *, is_complete: bool) -> None:
        """Take the end, exactly once, also if there was no head.

        Args:
            is_complete: the body came to its end; False if it broke off or the client
                left.
        """
        ...


def text_response(
    text: str,
    status: int = 200,
    *,
    content_type: str = "text/plain; charset=utf-8",
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """Return a response whose body is *text* in UTF-8."""
    # clients can name things with half a surrogate pair; JSON reads what it becomes
    body = text.encode("utf-8", "backslashreplace")
    all_headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        *headers,
    ]
    return Response(status, all_headers, [body])


def json_response(
    value: Mapping[str, JsonValue],
    status: int = 200,
    *,
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """Return a response whose body is *value* as JSON."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text_response(text, status, content_type="application/json", headers=headers)


def not_found() -> Response:
    """Return what routing itself says of a path that is not there."""
    return text_response("404 page not found\n", 404, headers=NOSNIFF)


def redirect(location: str, status: int) -> Response:
    r"""Return a redirect without a body; *location* keeps its percent-encoding.

    Browsers read a backslash as a slash, and ``/\host`` as another host.
    """
    place = location.replace("\\", "%5C")
    return Response(status, [("Location", place), ("Content-Length", "0")])
