"""What a handler returns: status, headers, and a body that may still be coming."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from swapper.core.json import JsonValue


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
    body = text.encode()
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


def redirect(location: str, status: int) -> Response:
    """Return a redirect without a body; *location* keeps its percent-encoding."""
    return Response(status, [("Location", location), ("Content-Length", "0")])
