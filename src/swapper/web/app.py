"""The WSGI application; everything a request passes is on this page.

access log > preflight > cross-site rule > routes > API key > handler > errors
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from swapper.config import Config
from swapper.core.clock import unix_time
from swapper.core.errors import (
    CancelledError,
    ClientGoneError,
    InternalError,
    RequestError,
)
from swapper.logs import RepeatedLine, current_request
from swapper.net.http1 import Framing, lower_names
from swapper.relay import Passage
from swapper.sync import CancelToken
from swapper.web.auth import KeyCheck
from swapper.web.books import Books
from swapper.web.browser import preflight, refuse_cross_site
from swapper.web.client import client_ip
from swapper.web.errors import error_response
from swapper.web.peers import PeerService
from swapper.web.request import Request
from swapper.web.response import Response, redirect
from swapper.web.routes.activity import ActivityRoutes
from swapper.web.routes.captures import CaptureRoutes
from swapper.web.routes.comfyui import ComfyRoutes
from swapper.web.routes.events import EventRoutes
from swapper.web.routes.inference import BODY_PATHS, QUERY_PATHS, InferenceRoutes
from swapper.web.routes.logs import LogRoutes
from swapper.web.routes.metrics import MetricsRoutes
from swapper.web.routes.models import ModelRoutes
from swapper.web.routes.operations import OperationRoutes
from swapper.web.routes.performance import PerformanceRoutes
from swapper.web.routes.profiles import ProfileRoutes
from swapper.web.routes.ui import PageRoutes
from swapper.web.routes.upstream import UpstreamRoutes
from swapper.web.routing import ANY, Handler, Routes
from swapper.web.selectors import Selectors
from swapper.web.services import Services
from swapper.web.serving import ModelService

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

_access_line = RepeatedLine(
    logger, logging.INFO, 'Request %s "%s %s %s" %d %d "%s" %.3fs'
)
_UNLOGGED = ("/wol-health", "/api/performance", "/metrics")
_CLIENT_CLOSED_REQUEST = 499
"""Status in the access log when the client left before the answer."""


class WebApp:
    """Answers requests by one configuration; a reload makes another one.

    Thread-safe: one call per request, in any thread.
    """

    def __init__(self, config: Config, services: Services) -> None:
        self._clients = services.clients
        self._books = services.books
        self._retired = CancelToken()
        self._routes = _routes(config, services, self._retired)

    def retire(self) -> None:
        """End the streams that show this configuration: another one is in force."""
        self._retired.cancel()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        started_s = time.monotonic()
        client, end_watch = self._clients.client(environ)
        request = Request(environ, client)
        request.on_close(end_watch)
        current_request.set(request.id)
        response = self._respond(request)
        response.headers += request.queue_headers()
        _name_request(response, request.id)
        body = _Body(request, response, started_s, self._books)
        try:
            start_response(response.status_line, response.headers)
        except BaseException:
            body.close()  # the server will not, for it never got the body
            raise
        if isinstance(response.body, list):
            return body.finished(response.body)
        return body

    def _respond(self, request: Request) -> Response:
        try:
            if request.method == "OPTIONS":
                return preflight(request)
            refuse_cross_site(request)
            return self._routes.dispatch(request)
        except ClientGoneError:
            if request.track is not None and request.track.is_cancelled:
                return error_response(CancelledError(), request.header("Accept"))
            return Response(_CLIENT_CLOSED_REQUEST, [("Content-Length", "0")])
        except RequestError as exc:
            return error_response(exc, request.header("Accept"))
        except Exception:
            logger.exception("request failed path=%s", request.path)
            return error_response(
                InternalError("internal error; the log has the details"),
                request.header("Accept"),
            )


def _routes(config: Config, services: Services, retired: CancelToken) -> Routes:
    router, captures = services.router, services.tracker.captures
    service = ModelService(config.models, config.priority, router, services.upstreams)
    peers = PeerService(config, services.upstreams, services.ending)
    profile = services.profile
    selectors = Selectors(config, router.states, services.spillover)
    inference = InferenceRoutes(
        config, service, peers, profile, selectors, services.tracker
    ).serve
    models = ModelRoutes(config, router, profile)
    profiles = ProfileRoutes(config, profile)
    operations = OperationRoutes(config, router)
    upstream = UpstreamRoutes(config, service, peers, profile, services.tracker)
    comfy = ComfyRoutes(config, service)
    events = EventRoutes(config, services, retired)
    performance = PerformanceRoutes(services.performance, services.hardware)
    log = LogRoutes(config, services.logs, services.ending, services.books)
    activity = ActivityRoutes(services.store, captures.__contains__)
    capture = CaptureRoutes(captures)
    guard = KeyCheck(config.api_keys).guard
    public: dict[str, dict[str, Handler]] = {
        "/": {"GET": lambda _: redirect("/ui", 302)},
        "/health": {"GET": operations.health},
        "/wol-health": {"GET": operations.health},
        "/upstream": {"GET": lambda _: redirect("/ui/models", 302)},
    }
    guarded: dict[str, dict[str, Handler]] = {
        "/v1/models": {"GET": models.listing},
        "/models": {"GET": models.listing},
        "/running": {"GET": models.running},
        "/unload": {"GET": operations.unload_all},
        "/api/models/unload": {"POST": operations.unload_all_json},
        "/api/profiles": {"GET": profiles.listing},
        "/api/profiles/active": {"PUT": profiles.select},
        "/api/events": {"GET": events.stream},
        "/api/queue": {"GET": operations.queue},
        "/api/version": {"GET": operations.version},
        "/api/performance": {"GET": performance.samples},
        "/api/hardware": {"GET": performance.hardware},
        "/metrics": {"GET": MetricsRoutes(services).page},
        "/api/metrics/activity": {"GET": activity.rows},
        "/api/metrics/stats": {"GET": activity.statistics},
        "/logs": {"GET": log.history},
        "/logs/stream": {"GET": log.stream},
        "/comfyui": {ANY: comfy.to_page},
    }
    for path in BODY_PATHS:
        guarded.setdefault(path, {})["POST"] = inference
    for path in QUERY_PATHS:
        guarded.setdefault(path, {})["GET"] = inference
    guarded_subtrees: dict[str, dict[str, Handler]] = {
        "/upstream/": {ANY: upstream.serve},
        "/comfyui/": {ANY: comfy.serve},
        "/api/inflight/": {"POST": events.cancel},
        "/ui/": {"GET": PageRoutes(config).serve},
        "/logs/stream/": {"GET": log.stream},
        "/api/captures/": {"GET": capture.show},
        "/api/models/unload/": {"POST": operations.unload_one},
    }
    return Routes(
        public | {path: guard(methods) for path, methods in guarded.items()},
        {prefix: guard(methods) for prefix, methods in guarded_subtrees.items()},
    )


class _Whole(list[bytes]):
    """A whole body that wants to be closed."""

    __slots__ = ("close",)

    def __init__(self, pieces: list[bytes], close: Callable[[], None]) -> None:
        super().__init__(pieces)
        self.close = close


class _Body:
    """The response body as the server sees it: counted, and closed exactly once.

    When it has ended it goes to the books.
    """

    def __init__(
        self, request: Request, response: Response, started_s: float, books: Books
    ) -> None:
        self._request = request
        self._response = response
        self._started_s = started_s
        self._ended_s = self._ended_at = 0.0
        self._pieces: Iterator[bytes] = iter(response.body)
        self._bytes = 0
        self._is_complete = False
        self._passage: Passage | None = None
        self._track = request.track
        if self._track is not None:
            self._track.head(response.status, response.headers)
        self._closers: list[Callable[[], object]] = [*request.closers]
        self._books: Books | None = books  # None once it is there
        close_body = getattr(response.body, "close", None)
        if close_body is not None:
            self._closers.insert(0, close_body)

    def __iter__(self) -> "_Body":
        return self

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._is_complete = True
            self.close()
            raise
        except ClientGoneError:
            self.close()
            track = self._track
            is_cancelled = track is not None and track.is_cancelled
            if is_cancelled or "swapper.client" in self._request.environ:
                raise  # whoever is still there sees that it is not the whole answer
            # Nobody is there; servers that are not ours would log a traceback.
            raise StopIteration from None
        self._watching()(piece)
        return piece

    def hand_over(self, framing: Framing, length: int) -> Passage | None:
        """Return the rest for a server that does not wait; see ``RelayedBody``.

        It is to be read to its end or closed; after that ``close`` is due as ever.
        """
        hand_over = getattr(self._response.body, "hand_over", None)
        if hand_over is not None:
            self._passage = hand_over(framing, length)
        if self._passage is not None:
            self._passage.on_piece = self._watching()
            _serve_none()
        return self._passage

    def finished(self, pieces: list[bytes]) -> "_Whole":
        """Return a body that is there already, so that one send can take it all.

        It has ended before that, so whoever has got it finds it in the books.
        """
        see = self._watching()
        for piece in pieces:
            see(piece)
        self._is_complete = True
        self._end()
        return _Whole(pieces, _serve_none)

    def close(self) -> None:
        """Run what waits for the end of the response, each once."""
        if self._passage is not None:
            self._is_complete = self._passage.is_complete
        self._end()
        _serve_none()  # the thread that ends it, mostly the request's own

    @property
    def held_bytes(self) -> int:
        """Return how much is in memory until the books are kept; see ``Ended``."""
        return 0 if self._track is None else self._track.held_bytes

    def keep(self) -> None:
        """Keep the books, and write the line of the access log. See ``Ended``."""
        current_request.set(self._request.id)
        try:
            if self._track is not None:
                self._track.keep()
        finally:
            self._log()
            current_request.set("")

    def _watching(self) -> Callable[[bytes], None]:
        """Return what sees the pieces: the track, which counts them itself."""
        return self._count if self._track is None else self._track.piece

    def _count(self, piece: bytes) -> None:
        self._bytes += len(piece)

    def _end(self) -> None:
        _run_each(self._closers)
        books, self._books = self._books, None
        if books is not None:
            self._ended_s, self._ended_at = unix_time(), time.monotonic()
            self._pieces = iter(())  # need not be held any longer
            self._response.body = ()
            if self._track is not None:
                self._track.end(is_complete=self._is_complete)
                # they refer to each other: all of a request, its body included, would
                # stay until the next garbage collection
                self._request.track = None
            books.add(self)

    def _log(self) -> None:
        request = self._request
        if request.path.startswith(_UNLOGGED):
            return
        environ = request.environ
        _access_line.log(
            _printable(client_ip(environ)),
            request.method,
            _printable(environ.get("PATH_INFO", "")),
            environ.get("SERVER_PROTOCOL", ""),
            self._response.status,
            self._bytes if self._track is None else self._track.resp_bytes,
            _printable(environ.get("HTTP_USER_AGENT", "")),
            self._ended_at - self._started_s,
            created_s=self._ended_s,
            request_id=request.id,
        )


def _serve_none() -> None:
    """Note that this thread has nothing more to do with its request."""
    current_request.set("")


def _run_each(calls: list[Callable[[], object]]) -> None:
    while calls:
        calls.pop(0)()


def _name_request(response: Response, request_id: str) -> None:
    """Tell the client the request's id, in place of an upstream's."""
    headers = response.headers
    names = lower_names(headers)
    if "x-request-id" in names:
        pairs = zip(headers, names, strict=True)
        headers = [pair for pair, name in pairs if name != "x-request-id"]
    response.headers = [*headers, ("X-Request-Id", request_id)]


def _printable(text: str) -> str:
    """Return what WSGI has as latin-1 as UTF-8 that forges no line of the log."""
    if text.isascii() and text.isprintable():
        return text
    decoded = text.encode("latin-1").decode("utf-8", "backslashreplace")
    escaped = (c if c.isprintable() else ascii(c)[1:-1] for c in decoded)
    return "".join(escaped)
