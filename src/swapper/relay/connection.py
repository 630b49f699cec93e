"""One connection to an upstream: opening it, using it, ending it from elsewhere.

A connection belongs to one thread at a time: the one that serves a request, or
nobody's while it lies in the pool. Only ``hang_up`` may be called by other threads;
a cancel reaches it through the binding to the request's token, and a connection
whose binding could not be released has been hit and is never used again.
"""

import contextlib
import errno
import os
import select
import socket
import ssl
import threading
import time
from typing import Any, Final

from swapper.net.hangup import Watch
from swapper.net.stream import SocketReader
from swapper.relay.endpoint import Endpoint, Timeouts
from swapper.sync import Binding, CancelToken

_KEEPALIVE_OPTIONS: Final = ("TCP_KEEPIDLE", "TCP_KEEPINTVL")
_MAX_KEEPALIVE_S: Final = 32767  # the kernel refuses more


class Connection:
    """A connected socket, its reader and its tie to the request it serves.

    Attributes:
        sock: blocking, without timeout; an ``SSLSocket`` for https.
        is_reused: an earlier request has used it.
        is_lost: the upstream has closed it; written under its pool's lock.
        watch: tells the pool of that, from the first time it was idle on.
        idle_since_s: when it was given to the pool, on ``time.monotonic``.
    """

    __slots__ = (
        "_binding",
        "_lock",
        "_poll",
        "_tls",
        "idle_since_s",
        "is_lost",
        "is_reused",
        "reader",
        "sock",
        "watch",
    )

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.reader = SocketReader(sock)
        self.is_reused = False
        self.is_lost = False
        self.watch: Watch | None = None
        self.idle_since_s = 0.0
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._tls: ssl.SSLSocket | None = None
        self._binding: Binding | None = None
        # orders hang_up against close and against the change of socket for TLS: a
        # descriptor closed under a shutdown might be somebody else's by then
        self._lock = threading.Lock()

    def connect(self, address: Any, deadline: float, token: CancelToken) -> None:
        """Connect and bind to *token*, whose cancel ends even the connecting.

        Args:
            address: as ``socket.getaddrinfo`` gives it.
            deadline: on ``time.monotonic``.
            token: of the request.

        Raises:
            TimeoutError: no connection before *deadline*.
            OSError: refused, unreachable or cancelled.
        """
        self.sock.setblocking(False)
        code = self.sock.connect_ex(address)
        self.bind(token)  # after connect_ex: before it a shutdown would be lost
        if code == errno.EINPROGRESS:
            code = self._await_connected(deadline)
        if code:
            raise OSError(code, os.strerror(code))
        if token.cancelled:
            raise ConnectionAbortedError(errno.ECONNABORTED, "cancelled")
        self.sock.setblocking(True)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def keep_alive(self, period_s: int) -> None:
        """Have the kernel notice a peer that is gone; see ``Timeouts.keepalive_s``."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, period_s >= 0)
        for option in _KEEPALIVE_OPTIONS if period_s > 0 else ():
            if hasattr(socket, option):
                number = getattr(socket, option)
                value = min(period_s, _MAX_KEEPALIVE_S)
                self.sock.setsockopt(socket.IPPROTO_TCP, number, value)

    def start_tls(self, context: ssl.SSLContext, host: str, timeout_s: float) -> None:
        """Encrypt the connection.

        Raises:
            OSError: the handshake failed, took longer than *timeout_s* or was
                cancelled.
        """
        with self._lock:
            tls = context.wrap_socket(
                self.sock, server_hostname=host, do_handshake_on_connect=False
            )
            self.sock = self._tls = tls
            self.reader = SocketReader(tls)
        tls.settimeout(timeout_s)
        tls.do_handshake()
        tls.settimeout(None)

    def bind(self, token: CancelToken) -> None:
        """Let a cancel of *token* hang up."""
        self._binding = token.bind(self.hang_up)

    def unbind(self) -> bool:
        """Untie from the token; return False if a cancel came first."""
        return self._binding is None or self._binding.release()

    def hang_up(self) -> None:
        """End the connection now; a thread blocked on it wakes up. Any thread."""
        # OSError: closed, or the upstream was faster
        with self._lock, contextlib.suppress(OSError):
            # not SSLSocket.shutdown, which would have recv return ciphertext
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket. The owner only; a second call does nothing."""
        self.unbind()
        if self.watch is not None:
            self.watch.close()
        with self._lock:
            self.sock.close()

    def is_quiet(self) -> bool:
        """Return whether nothing has come since the last answer, not even an end."""
        return not self._poll.poll(0) and (self._tls is None or not self._tls.pending())

    def is_known_dead(self) -> bool:
        """Return whether the upstream's kernel has refused what was sent last.

        True only if the upstream had closed its side before our bytes arrived, so
        that no program there has read them.
        """
        return self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def _await_connected(self, deadline: float) -> int:
        poll = select.poll()
        poll.register(self.sock, select.POLLOUT)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError("timed out")
        return self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def open_connection(
    endpoint: Endpoint,
    timeouts: Timeouts,
    token: CancelToken,
    tls: ssl.SSLContext | None,
) -> Connection:
    """Return a connection to the first address of the host that takes one.

    Blocks; the name look-up is the one part that a cancel cannot end.

    Args:
        endpoint: where to.
        timeouts: one ``connect_s`` covers all addresses.
        token: the connection comes bound to it.
        tls: encrypts the connection, unless None.

    Raises:
        OSError: the failure of the first address.
    """
    deadline = time.monotonic() + timeouts.connect_s
    failures: list[OSError] = []
    for family, kind, protocol, _, address in socket.getaddrinfo(
        endpoint.host, endpoint.port, type=socket.SOCK_STREAM
    ):
        connection = Connection(socket.socket(family, kind, protocol))
        try:
            connection.connect(address, deadline, token)
            connection.keep_alive(timeouts.keepalive_s)
            if tls is not None:
                connection.start_tls(tls, endpoint.host, timeouts.tls_handshake_s)
        except OSError as exc:
            connection.close()
            failures.append(exc)
            if token.cancelled:
                break
        else:
            return connection
    raise failures[0] if failures else OSError("the host has no address")
