"""A client's connection: its socket, its reader and who is told when it breaks.

The request thread owns it; what other threads may call stands at the end.
"""

import contextlib
import select
import socket
import ssl
import struct
import time
from collections.abc import Callable
from typing import Final

from swapper.core.errors import ClientGoneError
from swapper.net.hangup import HangupWatcher, Watch
from swapper.net.stream import Body, SocketReader, set_receive_timeout
from swapper.server.body import DRAIN_BYTES
from swapper.server.tls import close_tls, refuse_plain_http, shake_hands
from swapper.sync import CancelToken

_LINGER_S: Final = 2.0
_LINGER_BYTES: Final = 16 << 20
_DRAIN_S: Final = 0.25
_PIECE_BYTES: Final = 1 << 16
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_LOOK_INTERVAL_S: Final = 1.0
_TIMER_SLACK_S: Final = 0.02
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Connection:
    """One accepted connection.

    Attributes:
        reader: the buffered reading side.
        has_answered: the head of the present request's answer has been sent.
        is_taken: a request has taken the socket over; it no longer speaks HTTP.
    """

    def __init__(
        self,
        sock: socket.socket,
        watcher: HangupWatcher,
        on_takeover: Callable[["Connection"], None],
    ) -> None:
        """Wrap an accepted socket; no I/O.

        Args:
            sock: plain, or TLS before its handshake.
            watcher: told to watch it from the first request on.
            on_takeover: called when a request takes the socket over.
        """
        self.sock = sock
        self.reader = SocketReader(sock)
        self.has_answered = False
        self.is_taken = False
        self._watcher = watcher
        self._on_takeover = on_takeover
        self._watch: Watch | None = None
        self._timeout_s: float | None = None  # as the socket has it
        # written by the request thread, read by the watcher; see start_request
        self._token: CancelToken | None = None
        self._has_hung_up = False  # the other way round

    # --- the request thread ---------------------------------------------------

    def prepare(self, handshake_timeout_s: float) -> None:
        """Set socket options; with TLS, shake hands.

        Raises:
            OSError: the connection broke or the handshake failed.
        """
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if isinstance(self.sock, ssl.SSLSocket):
            try:
                shake_hands(self.sock, handshake_timeout_s)
            except ssl.SSLError as exc:
                if exc.reason == "HTTP_REQUEST":
                    refuse_plain_http(self.sock)
                    self._linger()
                raise

    def read_head(
        self, limit_bytes: int, wait_timeout_s: float, head_timeout_s: float
    ) -> bytes:
        """Return the next request head; b"" if the client closed instead.

        Args:
            limit_bytes: largest head taken.
            wait_timeout_s: for its first byte.
            head_timeout_s: from its first to its last byte.

        Raises:
            ProtocolError: the head is too large or broken off.
            TimeoutError: it did not come in time.
            OSError: the connection broke.
        """
        reader = self.reader
        if not reader.has_head:
            self._set_timeout(wait_timeout_s)
        # the kernel's timer may be early, and the next look would be a timeout later
        due = time.monotonic() + wait_timeout_s - _TIMER_SLACK_S
        if not reader.wait_for_head(due):
            return b""
        deadline = None
        if not reader.has_head:
            # rare: most heads come in one piece
            self._set_timeout(min(_LOOK_INTERVAL_S, head_timeout_s))
            deadline = time.monotonic() + head_timeout_s
        head = reader.read_head(limit_bytes, deadline)
        self._be_patient()
        return head

    def start_request(self) -> "ClientConnection":
        """Return the client of a request that starts now."""
        self.has_answered = False
        token = CancelToken()
        # Token first, flag second; the watcher does it the other way round, so at
        # least one of the two sees what the other has written.
        self._token = token
        if self._watch is None:
            self._watch = self._watcher.watch(self.sock, self.cancel)
        if self._has_hung_up:
            token.cancel()
        return ClientConnection(token, self)

    def end_request(self) -> None:
        """Stop telling the request about hang-ups."""
        self._token = None

    def send(self, data: bytes) -> None:
        """Send all of *data*; blocks for as long as the client takes to read.

        Raises:
            ClientGoneError: the connection broke, or is no longer the server's.
        """
        if self.is_taken:
            raise ClientGoneError("the connection was taken over")
        try:
            self.sock.sendall(data)
        except OSError as exc:
            raise ClientGoneError("the client's connection broke") from exc

    def send_continue(self) -> None:
        """Ask the client for its body, unless it has got its answer already.

        Raises:
            ClientGoneError: as ``send``.
        """
        if not self.has_answered:
            self.send(_CONTINUE)

    def drain(self, body: Body) -> bool:
        """Read what may be left of a small request body; return whether that was all.

        What does not come at once is not waited for.

        Raises:
            ProtocolError: the body is malformed or broken off.
            OSError: it did not come, or the connection broke.
        """
        left = DRAIN_BYTES
        self._set_timeout(_DRAIN_S)
        self.reader.body_deadline = time.monotonic() + _DRAIN_S
        try:
            while not body.complete and left > 0:
                left -= len(body.read1(left))
        finally:
            self.reader.body_deadline = None
        return body.complete

    def has_unread(self) -> bool:
        """Return whether the client has sent more than was read, or its end."""
        if self.reader.buffered:
            return True
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def take_over(self) -> tuple[socket.socket, bytes]:
        """Give the socket to the request; see ``ClientConnection.takeover``."""
        self.is_taken = True
        if self._watch is not None:
            self._watch.close()
        self._set_timeout(0)
        self._on_takeover(self)
        return self.sock, self.reader.take_buffered()

    def say_goodbye(self, *, lingers: bool) -> None:
        """Say that nothing follows; the response that went before is whole.

        Args:
            lingers: read on for a moment. Closing with unread bytes would reset the
                connection, and a reset may take the answer with it before the
                client has read it (RFC 9112 section 9.6).
        """
        with contextlib.suppress(OSError):
            if isinstance(self.sock, ssl.SSLSocket):
                close_tls(self.sock)
            if lingers:
                self._linger()

    def reset_on_close(self) -> None:
        """Let the client see an error, not an end, when the socket is closed."""
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def close(self) -> None:
        """Close the socket. After that nothing may be called but ``cancel``."""
        if self._watch is not None:
            self._watch.close()
        self.sock.close()

    def _linger(self) -> None:
        """Send the end and drop what still comes; the bytes themselves, TLS or not."""
        deadline = time.monotonic() + _LINGER_S
        left = _LINGER_BYTES
        sock = self.sock
        socket.socket.shutdown(sock, socket.SHUT_WR)
        while left > 0 and (left_s := deadline - time.monotonic()) > 0:
            sock.settimeout(left_s)
            data = socket.socket.recv(sock, _PIECE_BYTES)
            if not data:
                return
            left -= len(data)

    def _set_timeout(self, seconds: float) -> None:
        """Limit a single ``recv``; 0 does not."""
        if seconds == self._timeout_s:
            return
        self._timeout_s = seconds
        if isinstance(self.sock, ssl.SSLSocket):
            # TLS repeats a recv that SO_RCVTIMEO has ended
            self.sock.settimeout(seconds or None)
        else:
            set_receive_timeout(self.sock, seconds)

    def _be_patient(self) -> None:
        """Let bodies and responses take their time.

        A plain socket needs nothing: its reader tries again, and sending has a
        timeout of its own, which is none.
        """
        if isinstance(self.sock, ssl.SSLSocket):
            self._set_timeout(0)

    # --- any thread -----------------------------------------------------------

    def hang_up_reading(self) -> None:
        """Wake the request thread if it waits for a head. Not after ``close``."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RD)

    def hang_up(self) -> None:
        """Break the connection; whoever blocks on it wakes up. Not after ``close``."""
        with contextlib.suppress(OSError):
            # not SSLSocket.shutdown, which would have recv return ciphertext
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def cancel(self) -> None:
        """Cancel the present request and those to come: the client has left."""
        self._has_hung_up = True
        token = self._token
        if token is not None:
            token.cancel()


class ClientConnection:
    """The client of one request: ``environ["swapper.client"]``.

    Attributes:
        token: cancelled, in the watcher's thread, when the client closes or
            half-closes its connection while the request is being served.
    """

    __slots__ = ("_connection", "token")

    def __init__(self, token: CancelToken, connection: Connection) -> None:
        self.token = token
        self._connection = connection

    def takeover(self) -> tuple[socket.socket, bytes]:
        """Return the client's socket, and what was already read from it.

        To be called when the request's body has been read. From now on the server
        writes nothing on the socket, and closes it when the application returns. It
        blocks without a timeout. The token no longer follows the client, whose
        half-close the new owner will read. Request thread.
        """
        return self._connection.take_over()
