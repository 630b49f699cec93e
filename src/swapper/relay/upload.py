"""Sending a request body that does not go out in one piece with its head.

While it is sent, an eye is kept on the other direction: an upstream that answers
early (a 413, say) need not take the rest. The socket is non-blocking meanwhile.
"""

import select
import ssl
from collections.abc import Iterator
from typing import Final, Protocol

from swapper.core.errors import BadRequestError, ClientGoneError
from swapper.net.http1 import ProtocolError
from swapper.net.stream import TruncatedError
from swapper.relay.buffers import Buffers
from swapper.relay.connection import Connection
from swapper.sync.affinity import AFFINITY

PIECE_BYTES: Final = 3 << 16
"""Large enough to be fast, and small enough for eight uploads to stay below 20 MiB."""
SMALL_BYTES: Final = 1 << 16
_LOOK_EVERY_BYTES: Final = 1 << 20
"""So much is sent between two looks for an early answer while nothing holds it up."""

_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class BodySource(Protocol):
    """A request body as the server gives it."""

    def read1(self, limit_bytes: int, /) -> bytes:
        """Return what is there, at least one byte; b"" at the end."""
        ...


def pieces(
    head: bytes, body: BodySource | bytes, length: int | None
) -> Iterator[bytes | memoryview]:
    """Yield what goes over the wire, *head* first, framing included.

    Args:
        head: the request head, already rendered.
        body: what follows.
        length: of the body in bytes; None sends it chunked.

    Raises:
        ClientGoneError: the body broke off.
        BadRequestError: its framing is malformed.
    """
    yield head
    if isinstance(body, bytes):
        yield memoryview(body)
    elif isinstance(body, Buffers):
        yield from body
    elif length is not None:
        yield from _sized(body, length)
    else:
        while piece := _read(body, PIECE_BYTES):
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
        yield b"0\r\n\r\n"


def read_all(body: BodySource, length: int) -> bytes:
    """Return a whole body that is known to be small.

    Raises:
        ClientGoneError: the body broke off.
    """
    return b"".join(_sized(body, length))


def _sized(body: BodySource, length: int) -> Iterator[bytes]:
    left = length
    while left:
        piece = _read(body, min(left, PIECE_BYTES))
        if not piece:
            raise ClientGoneError(f"the request body ended {left} bytes early")
        left -= len(piece)
        yield piece


def _read(body: BodySource, limit_bytes: int) -> bytes:
    try:
        return body.read1(limit_bytes)
    except (OSError, TruncatedError) as exc:
        raise ClientGoneError("the request body broke off") from exc
    except ProtocolError as exc:
        raise BadRequestError(f"malformed request body: {exc}") from exc


class Upload:
    """A request on its way out; the thread that owns the connection.

    Attributes:
        is_finished: all of it has been sent.
        failure: what ended it early; the upstream may have answered all the same.
    """

    __slots__ = (
        "_connection",
        "_is_dropped",
        "_looks_in_bytes",
        "_pending",
        "_pieces",
        "failure",
        "is_finished",
    )

    def __init__(
        self, connection: Connection, outgoing: Iterator[bytes | memoryview]
    ) -> None:
        self._connection = connection
        self._pieces = outgoing
        self._pending = memoryview(b"")
        self._is_dropped = False
        self._looks_in_bytes = 0  # sent in one go until then, if it goes at all
        self.is_finished = False
        self.failure: OSError | None = None

    def advance(self) -> None:
        """Send until all is sent, sending fails, or something has come back.

        What has come back is left in the connection's reader; the socket is
        blocking again.

        Raises:
            ClientGoneError: the body broke off.
        """
        if self.is_finished or self._is_dropped:
            return
        sock = self._connection.sock
        sock.setblocking(False)
        try:
            with AFFINITY.spread():
                while not self.is_finished and not self._has_answer():
                    self._send_some()
        except OSError as exc:
            self.failure = exc
            self.drop()
        finally:
            sock.setblocking(True)

    def drop(self) -> None:
        """Send no more of it."""
        self._is_dropped = True

    def _send_some(self) -> None:
        if not self._pending:
            piece = next(self._pieces, None)
            if piece is None:
                self.is_finished = True
                return
            self._pending = memoryview(piece)
        try:
            sent = self._connection.sock.send(self._pending)
        except _NOT_NOW:
            self._wait()
        else:
            self._pending = self._pending[sent:]
            self._looks_in_bytes -= sent

    def _wait(self) -> None:
        """Sleep until the socket takes or has more; a hang-up ends it as well."""
        poll = select.poll()
        poll.register(self._connection.sock, select.POLLIN | select.POLLOUT)
        poll.poll()
        self._looks_in_bytes = 0

    def _has_answer(self) -> bool:
        connection = self._connection
        if connection.reader.buffered:
            return True
        if self._looks_in_bytes > 0:
            return False
        self._looks_in_bytes = _LOOK_EVERY_BYTES
        if connection.is_quiet():
            return False
        try:
            data = connection.sock.recv(PIECE_BYTES)
        except _NOT_NOW:
            return False  # part of a TLS record, or one that carries no data
        connection.reader.push_back(data)
        return True
