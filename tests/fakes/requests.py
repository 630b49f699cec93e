"""Requests for tests of handlers, without a server."""

import io
import socket
from typing import Any

from swapper.sync import CancelToken
from swapper.web.request import Request


class FakeClient:
    """A client that stays."""

    def __init__(self) -> None:
        self.token = CancelToken()

    def takeover(self) -> tuple[socket.socket, bytes] | None:
        """Have no socket."""
        return None


def make_request(
    method: str,
    target: str,
    *,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    client: FakeClient | None = None,
) -> Request:
    """Return a request as our server would hand it on."""
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "REQUEST_URI": target,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)) if body else "",
    }
    for name, value in (headers or {}).items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return Request(environ, client or FakeClient())
