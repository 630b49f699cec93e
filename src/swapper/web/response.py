"""What a handler returns: status, headers, and a body that may still be coming."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

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
