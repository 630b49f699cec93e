"""``/api/captures/<id>``: a request and its answer, as they passed (http-api.md 23.5)."""

import base64
import re
from collections.abc import Mapping
from typing import Final

from swapper.core.errors import BadRequestError, NotFoundError
from swapper.core.json import JsonValue
from swapper.record.captures import Capture, Captures
from swapper.web.request import Request
from swapper.web.response import Response, json_response

_ID: Final = re.compile(r"[+-]?[0-9]{1,18}")


class CaptureRoutes:
    """Shows what was captured. Any thread."""

    def __init__(self, captures: Captures) -> None:
        self._captures = captures

    def show(self, request: Request) -> Response:
        """Return the capture that belongs to a row of the activity log.

        Raises:
            BadRequestError: the path names no number.
            NotFoundError: there is no such capture, or no longer.
        """
        if not _ID.fullmatch(request.rest):
            raise BadRequestError("invalid capture ID")
        number = int(request.rest)
        capture = self._captures.get(number)
        if capture is None:
            raise NotFoundError("capture not found")
        return json_response(as_json(number, capture))


def as_json(number: int, capture: Capture) -> Mapping[str, JsonValue]:
    """Return a capture as clients see it (http-api.md 23.4)."""
    return {
        "id": number,
        "req_path": capture.req_path,
        "req_headers": capture.req_headers,
        "req_body": _base64(capture.req_body),
        "resp_headers": capture.resp_headers,
        "resp_body": _base64(capture.resp_body),
    }


def _base64(body: bytes | None) -> str | None:
    return None if body is None else base64.b64encode(body).decode()
