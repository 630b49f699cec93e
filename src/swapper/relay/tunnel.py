"""Bytes both ways after an upstream has switched protocols (101).

One loop in the calling thread serves both directions. Each direction holds at most
one piece that its reader has not taken yet and reads no more until it is gone, so
that a slow reader slows its writer. Frames are not looked at.
"""

import contextlib
import select
import socket
import ssl
from typing import Final

from swapper.net.http1 import Headers, render_head
from swapper.relay.connection import Connection
from swapper.sync import CancelToken

_PIECE_BYTES: Final = 1 << 16
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Tunnel:
    """An upstream connection that has left HTTP; ``run`` or ``close`` it, once.

    Attributes:
        status: 101.
        reason: as the upstream put it.
        headers: for the client, ``Connection`` and ``Upgrade`` among them.
    """

    __slots__ = ("_connection", "headers", "reason", "status")

    def __init__(self, connection: Connection, reason: str, headers: Headers) -> None:
        self.status = 101
        self.reason = reason
        self.headers = headers
        self._connection = connection

    def run(
        self, client: socket.socket, client_early: bytes, token: CancelToken
    ) -> None:
        """Send the 101 to the client, then relay until both sides are done.

        Blocks. The end of one direction is passed on (half-close); the other goes on
        until it ends as well or either connection breaks. The upstream connection is
        closed afterwards; the client's is left to the caller, in the blocking mode
        it had.

        Args:
            client: plain or TLS.
            client_early: bytes after the client's request that were already read.
            token: its cancel ends the tunnel at once.
        """
        upstream = self._connection.sock
        timeout_s = client.gettimeout()
        binding = token.bind(self._connection.hang_up)
        try:
            head = render_head(f"HTTP/1.1 101 {self.reason}".rstrip(), self.headers)
            client.setblocking(False)
            upstream.setblocking(False)
            up = _Flow(client, upstream, client_early)
            down = _Flow(upstream, client, head + self._connection.reader.buffered)
            _relay(up, down, token)
        except OSError:
            pass  # a broken side ends a tunnel like a closed one
        finally:
            binding.release()
            self._connection.close()
            _restore(client, timeout_s)

    def close(self) -> None:
        """End the tunnel without running it."""
        self._connection.close()


class _Flow:
    """One direction.

    Attributes:
        is_done: the source has ended and the end has been passed on.
    """

    __slots__ = ("_has_ended", "_pending", "is_done", "source", "target")

    def __init__(
        self, source: socket.socket, target: socket.socket, early: bytes
    ) -> None:
        self.source = source
        self.target = target
        self.is_done = False
        self._pending = memoryview(early)
        self._has_ended = False

    @property
    def reads(self) -> bool:
        """Return whether bytes from the source are wanted."""
        return not self._pending and not self._has_ended

    @property
    def writes(self) -> bool:
        """Return whether there are bytes the target has not taken."""
        return bool(self._pending)

    def pump(self) -> None:
        """Move what can be moved now.

        Raises:
            OSError: one of the connections broke.
        """
        if self.reads:
            self._read()
        if self._pending:
            self._write()
        if self._has_ended and not self._pending and not self.is_done:
            self.is_done = True
            # for TLS as well: half an SSLSocket cannot be closed
            socket.socket.shutdown(self.target, socket.SHUT_WR)

    def _read(self) -> None:
        try:
            data = self.source.recv(_PIECE_BYTES)
        except _NOT_NOW:
            return
        self._pending = memoryview(data)
        self._has_ended = not data

    def _write(self) -> None:
        try:
            sent = self.target.send(self._pending)
        except _NOT_NOW:
            return
        self._pending = self._pending[sent:]


def _relay(up: _Flow, down: _Flow, token: CancelToken) -> None:
    """Pump both ways; both are tried at every wake-up, for TLS hides what it has."""
    while not token.cancelled:
        up.pump()
        down.pump()
        if up.is_done and down.is_done:
            return
        poll = select.poll()
        _watch(poll, up.source, reads=up.reads, writes=down.writes)
        _watch(poll, down.source, reads=down.reads, writes=up.writes)
        poll.poll()


def _watch(
    poll: "select.poll", sock: socket.socket, *, reads: bool, writes: bool
) -> None:
    """Watch for what is wanted only: a hang-up of an idle side would wake for ever."""
    events = (select.POLLIN if reads else 0) | (select.POLLOUT if writes else 0)
    if events:
        poll.register(sock, events)


def _restore(sock: socket.socket, timeout_s: float | None) -> None:
    with contextlib.suppress(OSError):  # the caller has closed it
        sock.settimeout(timeout_s)
