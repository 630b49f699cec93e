"""``RequestError`` to HTTP: the only place (http-api.md section 4)."""

import html
from collections.abc import Mapping
from typing import Final, cast

from swapper.core import wire
from swapper.core.errors import ConcurrencyLimitError, RequestError
from swapper.core.json import JsonValue
from swapper.web.response import Response, json_response, text_response

_KINDS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_request_error", "bad_request"),
    401: ("authentication_error", "unauthorized"),
    403: ("authentication_error", "forbidden"),
    404: ("invalid_request_error", "not_found"),
    409: ("invalid_request_error", "conflict"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    502: ("server_error", "bad_gateway"),
    503: ("server_error", "service_unavailable"),
    504: ("server_error", "gateway_timeout"),
}


def error_response(error: RequestError, accept: str) -> Response:
    """Return *error* in the form the client's ``Accept`` header asks for.

    By plain substring, in this order: text/plain, text/html, else JSON. A refusal
    for concurrency is always JSON.
    """
    message = str(error)
    headers = tuple(error.headers.items())
    if not isinstance(error, ConcurrencyLimitError):
        if "text/plain" in accept:
            text = f"{wire.SRC}: {message}"
            return text_response(
                text, error.status, content_type="text/plain", headers=headers
            )
        if "text/html" in accept:
            page = (
                f"<html><body><h1>{wire.SRC}</h1>"
                f"<p>{html.escape(message)}</p></body></html>"
            )
            return text_response(
                page, error.status, content_type="text/html", headers=headers
            )
    return json_response(error_envelope(error), error.status, headers=headers)


def error_envelope(error: RequestError) -> dict[str, JsonValue]:
    """Return the OpenAI-shaped envelope; ``error.detail`` only if there is any."""
    kind, code = kind_and_code(error.status)
    body: dict[str, JsonValue] = {
        "message": str(error),
        "type": kind,
        "param": None,
        "code": error.code or code,
    }
    if error.detail:
        body["detail"] = cast("Mapping[str, JsonValue]", error.detail)
    return {"src": wire.SRC, "error": body}


def kind_and_code(status: int) -> tuple[str, str]:
    """Return ``error.type`` and the usual ``error.code`` of a status."""
    if status in _KINDS:
        return _KINDS[status]
    if 400 <= status < 500:
        return "invalid_request_error", "invalid_request"
    return "server_error", "internal_error"
