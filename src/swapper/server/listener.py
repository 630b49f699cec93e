"""The HTTP server: werkzeug's threaded one, tuned for many long streams.

``bind`` first, so that a port in use is reported before anything is built; then
``serve_forever`` with the application. Stopping goes in steps that any thread may
take: ``stop_accepting``, ``wait_idle``, ``close``.
"""

import contextlib
import errno
import logging
import math
import queue
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from werkzeug.exceptions import ServiceUnavailable
from werkzeug.serving import ThreadedWSGIServer

from swapper.net.hangup import HangupWatcher
from swapper.net.http1 import MAX_HEAD_BYTES
from swapper.relay import Flow, RelayLoop
from swapper.server.address import (
    ListenAddress,
    is_loopback,
    open_listener,
    parse_listen,
)
from swapper.server.handler import RequestHandler
from swapper.server.response import HttpDate
from swapper.server.table import ConnectionTable
from swapper.server.tls import load_tls
from swapper.server.workers import Workers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

_BACKLOG: Final = 1024
_KEEPALIVE_S: Final = 60
_OUT_OF_RESOURCES: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
)
_RETRY_S: Final = 0.1
_WARNING_INTERVAL_S: Final = 10.0
_JOIN_S: Final = 5.0
_RELAYS: Final = {False: "relay", True: "relay:bulk"}
"""Names of the relay threads, by ``Passage.is_bulk``: no token waits for a download."""

_Accepted: TypeAlias = tuple[socket.socket, tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """What the server puts up with.

    Attributes:
        head_bytes: largest request head; a larger one is answered 431.
        head_timeout_s: for a connection's first byte, and from the first byte of a
            head to its last; answered 408.
        idle_timeout_s: between two requests; the connection is closed silently.
        max_connections: served by a thread at a time; further ones wait in the kernel's
            queue. Those whose response is being relayed do not count.
    """

    head_bytes: int = MAX_HEAD_BYTES
    head_timeout_s: float = 30.0
    idle_timeout_s: float = 75.0
    max_connections: int = 2000


class SwapperServer(ThreadedWSGIServer):
    """Serves a WSGI application. All methods: any thread, unless they say otherwise.

    Attributes:
        limits: see ``ServerLimits``.
        connections: the open connections.
        watcher: notices clients that hang up.
        date: the ``Date`` header.
        port: the one bound, also if 0 was asked for.
    """

    def __init__(
        self,
        listener: socket.socket,
        address: ListenAddress,
        tls: ssl.SSLContext | None,
        limits: ServerLimits,
    ) -> None:
        """Serve on *listener*; ``bind`` makes one."""
        super().__init__(
            listener.getsockname()[0],
            listener.getsockname()[1],
            ServiceUnavailable(),  # until serve_forever is told of a better one
            RequestHandler,
            fd=listener.fileno(),  # which is duplicated
        )
        listener.close()
        self.ssl_context = tls  # not passed on: it would wrap the listening socket
        self.limits = limits
        self.connections = ConnectionTable()
        self.watcher = HangupWatcher()
        self.date = HttpDate()
        self._address = address
        self._workers = Workers(
            self._accept, self._serve_connection, limits.max_connections
        )
        self._relays = {bulk: RelayLoop(name) for bulk, name in _RELAYS.items()}
        self._relayed: queue.SimpleQueue[Callable[[], None] | None] = (
            queue.SimpleQueue()
        )
        self._resumers = Workers(self._next_relayed, _call, limits.max_connections)
        self._stopped = threading.Event()
        self._last_warning_s = -math.inf
        self._tune_listener()

    @classmethod
    def bind(
        cls,
        address: str,
        *,
        tls_cert_file: str = "",
        tls_key_file: str = "",
        limits: ServerLimits | None = None,
    ) -> "SwapperServer":
        """Return a server that listens; nobody is accepted before ``serve_forever``.

        Args:
            address: ``host:port``; ``:port`` listens on every interface.
            tls_cert_file: PEM certificate; turns TLS on.
            tls_key_file: PEM private key; "" looks for it in *tls_cert_file*.
            limits: None for the defaults.

        Raises:
            ValueError: *address* makes no sense.
            OSError: it cannot be listened on, or a TLS file cannot be used.
        """
        where = parse_listen(address)
        tls = load_tls(tls_cert_file, tls_key_file) if tls_cert_file else None
        listener = open_listener(where, _BACKLOG)
        with contextlib.closing(listener):
            return cls(listener, where, tls, limits or ServerLimits())

    @property
    def is_loopback(self) -> bool:
        """Return whether only this machine can connect. May block on a look-up."""
        return is_loopback(self._address.host)

    @property
    def url(self) -> str:
        """Return where this machine reaches the server."""
        scheme = "http" if self.ssl_context is None else "https"
        host = self._address.host or "localhost"
        return f"{scheme}://{ListenAddress(host, self.port)}"

    def serve_forever(  # type: ignore[override]  # no polling, hence no interval
        self, app: "WSGIApplication"
    ) -> None:
        """Serve *app* until ``stop_accepting``. One thread, once.

        Raises:
            RuntimeError: the system has no thread left.
        """
        self.app = app
        try:
            if not self._stopped.is_set():
                self._workers.start()
                self._resumers.start()
            self._stopped.wait()
            self._workers.wait_none_free()
        finally:
            self.server_close()

    def stop_accepting(self) -> None:
        """Refuse new connections; the open ones end with their present response.

        Those that wait for a request are closed at once. Never blocks.
        """
        self._stopped.set()
        with contextlib.suppress(OSError):
            # wakes every accept; closing would not
            self.socket.shutdown(socket.SHUT_RDWR)
        self.connections.drain()

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no request is served any more; return whether that came in time.

        Tunnels, sockets that requests have taken over, are not waited for.
        """
        return self.connections.wait_idle(timeout_s)

    def close(self) -> None:
        """End everything; requests still served lose their connection. Idempotent."""
        self.stop_accepting()
        self.connections.abort()
        for loop in self._relays.values():
            loop.close()
        self._relayed.put(None)
        if not (self._workers.join(_JOIN_S) and self._resumers.join(_JOIN_S)):
            logger.error("some requests go on although their clients are gone")
        self.watcher.close()
        self.server_close()

    def relay(self, flow: Flow, resume: Callable[[], None]) -> bool:
        """Have a relay thread move *flow* to its end; then a worker calls *resume*.

        Returns:
            False if the server has ended; then nothing will happen.
        """
        loop = self._relays[flow.passage.is_bulk]
        return loop.add(flow, lambda: self._relayed.put(resume))

    def _tune_listener(self) -> None:
        """Set what accepted sockets inherit."""
        listener = self.socket
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
            number = getattr(socket, option, None)
            if number is not None:
                listener.setsockopt(socket.IPPROTO_TCP, number, _KEEPALIVE_S)
        if sys.platform != "linux":
            # there, shutting a listener down does not wake those in accept
            listener.settimeout(0.5)

    # --- worker threads ---------------------------------------------------------

    def _accept(self) -> _Accepted | None:
        """Return the next connection; None once nothing is accepted any more."""
        while not self._stopped.is_set():
            try:
                return self.get_request()
            except TimeoutError:
                continue
            except OSError as exc:
                if exc.errno in _OUT_OF_RESOURCES:
                    self._pause_accepting(exc)
        return None

    def _next_relayed(self) -> Callable[[], None] | None:
        """Return what goes on with a connection whose response has been relayed."""
        resume = self._relayed.get()
        if resume is None:
            self._relayed.put(None)  # for the next worker
        return resume

    def _pause_accepting(self, reason: OSError) -> None:
        """Wait a moment: accept would fail again at once, and burn a core."""
        now = time.monotonic()
        if now - self._last_warning_s > _WARNING_INTERVAL_S:
            self._last_warning_s = now
            logger.warning("cannot accept connections: %s", reason)
        self._stopped.wait(_RETRY_S)

    def _serve_connection(self, accepted: _Accepted) -> None:
        request, client_address = accepted
        try:
            if self.ssl_context is not None:
                request = self.ssl_context.wrap_socket(
                    request, server_side=True, do_handshake_on_connect=False
                )
            # closes the connection, unless a response of it is being relayed
            self.finish_request(request, client_address)
        except OSError as exc:
            logger.debug("connection broke: %s", exc)
            request.close()
        except Exception:
            logger.exception("connection failed")
            request.close()


def _call(resume: Callable[[], None]) -> None:
    try:
        resume()
    except Exception:
        logger.exception("connection failed")
