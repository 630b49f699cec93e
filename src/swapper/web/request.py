"""One HTTP request as the handlers see it: a view of the WSGI environ.

Nothing is parsed before somebody asks. Works under any WSGI server; what only some
of them tell (raw target, raw headers, the client's socket) has a fallback.
"""

import itertools
import re
import secrets
from collections.abc import Callable
from functools import cached_property
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import parse_qsl, quote, unquote

from swapper.core.errors import BadRequestError
from swapper.net.http1 import Headers, remembered
from swapper.relay import is_upgrade
from swapper.router import Wait
from swapper.web.client import Client

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from swapper.web.tracking import Track

QUEUE_POSITION = "X-Queue-Position"

_SANE_ID = re.compile(r"[A-Za-z0-9._:@/+=~-]{1,128}")
_RUN = secrets.token_hex(5)  # so that two runs of swapper do not share ids
_numbers = itertools.count(1)

_PATH_SAFE = "/!$&'()*+,;=:@~-._%"
_UNPREFIXED = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


def _environ_key(header: str) -> str:
    key = header.upper().replace("-", "_")
    return key if key in _UNPREFIXED else f"HTTP_{key}"


_key_of = remembered(_environ_key)


class Request:
    """A request; belongs to the thread that serves it.

    Attributes:
        client: who is at the other end of the connection.
        id: names the request in logs and for client and upstream, who see it as
            ``X-Request-Id``: the client's own if that is a sane one.
        closers: what runs, each once, when the response has ended.
        track: sees the response pass, once the request's model is known.
        rest: for subtree routes, the raw path after the route's prefix, without a
            leading slash; set by the router table.
        used_key: the entry of ``apiKeys`` that let the request in, "" if no key was
            asked for. A secret: never logged, never sent to a peer.
        metadata: what the activity log shall tell about the request.
        waited: how it has waited for its model, for the client to know.
        is_metered: the answer is looked into, for its token counts.
    """

    def __init__(self, environ: "WSGIEnvironment", client: Client) -> None:
        self.environ = environ
        self.client = client
        self.method: str = environ["REQUEST_METHOD"]
        self.path, self.query = _split_target(environ)
        self.rest = ""
        self.used_key = ""
        self.metadata: dict[str, str] = {}
        self.waited: Wait | None = None
        self.is_metered = False
        self.closers: list[Callable[[], object]] = []
        self.track: Track | None = None
        self._headers: Headers | None = environ.get("swapper.raw_headers")
        asked = environ.get("HTTP_X_REQUEST_ID", "")
        self.id: str = asked if _SANE_ID.fullmatch(asked) else _new_id()

    def queue_headers(self) -> list[tuple[str, str]]:
        """Return what the answer, good or bad, tells about the wait."""
        if self.waited is None:
            return []
        return [
            (QUEUE_POSITION, str(self.waited.position)),
            ("X-Queue-Wait", f"{self.waited.seconds:.3f}"),
        ]

    def on_close(self, callback: Callable[[], object]) -> None:
        """Run *callback* once the response has ended, in whatever way."""
        self.closers.append(callback)

    @property
    def rest_segments(self) -> list[str]:
        """Return ``rest`` split at slashes, each segment percent-decoded."""
        return [unquote(segment) for segment in self.rest.split("/")]

    @property
    def target(self) -> str:
        """Return path and query exactly as sent, unless the query was replaced."""
        return self.path + self.query_suffix

    def header(self, name: str) -> str:
        """Return a header's value, "" if absent; repeated ones joined by commas."""
        return str(self.environ.get(_key_of(name), ""))

    @property
    def query_suffix(self) -> str:
        """Return the query with its question mark, "" if there is none."""
        return f"?{self.query}" if self.query else ""

    @property
    def moved_status(self) -> int:
        """Return the status that has this method repeated elsewhere for good."""
        return 301 if self.method in {"GET", "HEAD"} else 308

    @property
    def headers(self) -> Headers:
        """Return the headers as (name, value) pairs, as received if known."""
        if self._headers is None:
            self._headers = tuple(
                (_header_name(key), str(value))
                for key, value in self.environ.items()
                if key.startswith("HTTP_") or (key in _UNPREFIXED and value)
            )
        return self._headers

    @property
    def is_websocket(self) -> bool:
        """Return whether the client asks for a websocket (http-api.md 16.1)."""
        return self.method == "GET" and is_upgrade(self.headers)

    @cached_property
    def query_items(self) -> list[tuple[str, str]]:
        """Return the query's pairs, decoded, in order, blank values kept."""
        return parse_qsl(self.query, keep_blank_values=True)

    def replace_query(self, query: str) -> None:
        """Change the query for whoever looks at it from now on."""
        self.query = query
        self.__dict__.pop("query_items", None)

    def query_value(self, name: str) -> str | None:
        """Return the first value of a query parameter, None if absent."""
        return next((value for key, value in self.query_items if key == name), None)

    @property
    def input(self) -> IO[bytes]:
        """Return the body as a file, bounded at its end."""
        return cast("IO[bytes]", self.environ["wsgi.input"])

    @property
    def pieces(self) -> "Pieces":
        """Return the body to be read as it comes; not if ``input`` has been read."""
        # our server's own, without the buffer that a file needs
        return Pieces(self.environ.get("swapper.body") or self.input)

    @property
    def content_length(self) -> int | None:
        """Return the body's length in bytes; None if it is chunked.

        Raises:
            BadRequestError: the header is not a number.
        """
        if self.header("Transfer-Encoding"):
            return None
        text = self.header("Content-Length").strip()
        if not text:
            return 0
        if not (text.isascii() and text.isdigit()):
            raise BadRequestError(f"Content-Length {text!r} is not a number")
        return int(text)


class Pieces:
    """A body, or a file, with ``read1``, which not every server's input has."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Read *stream* from where it stands."""
        self._read = getattr(stream, "read1", None) or stream.read

    def read1(self, limit_bytes: int, /) -> bytes:
        """Return what is there, at least one byte; b"" at the end."""
        data: bytes = self._read(limit_bytes)
        return data


def _split_target(environ: "WSGIEnvironment") -> tuple[str, str]:
    """Return raw path and query; the host of an absolute target is ignored."""
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if raw is None:  # a server that tells only the decoded path
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        quoted = quote(path.encode("latin-1"), safe=_PATH_SAFE.replace("%", ""))
        return quoted or "/", environ.get("QUERY_STRING", "")
    target = str(raw).partition("#")[0]
    if not target.startswith("/"):
        scheme, separator, after = target.partition("://")
        if separator and scheme.isalpha():
            target = "/" + after.partition("/")[2]
    path, _, query = target.partition("?")
    return path, query


def _new_id() -> str:
    return f"{_RUN}-{next(_numbers):x}"


def _header_name(key: str) -> str:
    return key.removeprefix("HTTP_").replace("_", "-").title()
