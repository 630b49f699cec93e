"""Reading a blocking socket: heads within limits, bodies as they arrive.

One thread at a time uses a reader. Timeouts are the socket's own
(``SO_RCVTIMEO``, set by whoever made the socket): ``settimeout`` would cost a
``poll`` before each ``recv``. A receive timeout only wakes the loop here so that it
can look at its deadline; a body has none.
"""

import socket
import struct
import time
from typing import Final, Protocol

from swapper.net.chunked import ChunkedDecoder
from swapper.net.http1 import Framing, ProtocolError

READ_BYTES = 65536

_END: Final = b"\r\n\r\n"


class TruncatedError(ProtocolError):
    """The peer closed the connection in the middle of a message."""


def set_receive_timeout(sock: socket.socket, seconds: float) -> None:
    """Let ``recv`` on a blocking socket give up with ``BlockingIOError``.

    Args:
        sock: a blocking socket.
        seconds: 0 waits for ever.
    """
    # 0 means for ever to the kernel as well: a tiny time must not become that
    microseconds = max(1, int(seconds * 1e6)) if seconds > 0 else 0
    sock.setsockopt(
        socket.SOL_SOCKET,
        socket.SO_RCVTIMEO,
        struct.pack("ll", *divmod(microseconds, 1_000_000)),
    )


class SocketReader:
    """The buffered reading side of one socket.

    Attributes:
        body_deadline: on ``time.monotonic``, for ``read1``; None, as it is at first,
            waits for as long as it takes.
    """

    __slots__ = ("_buffer", "_sock", "body_deadline")

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = b""
        self.body_deadline: float | None = None

    def wait_for_head(self, deadline: float | None) -> bool:
        """Wait for the first bytes of a head; return False if the peer closed first.

        Raises:
            TimeoutError: *deadline* passed.
            OSError: the connection broke.
        """
        self._buffer = self._buffer.lstrip(b"\r\n")
        while not self._buffer:
            data = self._receive(READ_BYTES, deadline)
            if not data:
                return False
            self._buffer = data.lstrip(b"\r\n")
        return True

    @property
    def has_head(self) -> bool:
        """Return whether ``read_head`` would not have to wait."""
        return self._buffer.find(_END) >= 0

    def read_head(self, limit_bytes: int, deadline: float | None) -> bytes:
        """Return one head including its empty line; b"" if the peer closed first.

        Empty lines before the head are skipped (RFC 9112 section 2.2).

        Args:
            limit_bytes: largest head taken.
            deadline: on ``time.monotonic``; None waits for as long as it takes.

        Raises:
            ProtocolError: 431 when the head is larger than *limit_bytes*.
            TruncatedError: the peer closed in mid head.
            TimeoutError: *deadline* passed.
            OSError: the connection broke.
        """
        whole = self._buffer
        if (
            not whole.startswith((b"\r", b"\n"))
            and 0 <= (end := whole.find(_END)) <= limit_bytes - 4
        ):
            # the usual case: one recv has brought all of it
            self._buffer = whole[end + 4 :]
            return whole[: end + 4] if self._buffer else whole
        buffer = bytearray(whole.lstrip(b"\r\n"))
        searched = 0
        while True:
            end = buffer.find(_END, searched)
            if end >= 0 and end + 4 <= limit_bytes:
                self._buffer = bytes(buffer[end + 4 :])
                return bytes(buffer[: end + 4])
            if end >= 0 or len(buffer) > limit_bytes:
                raise ProtocolError(f"head larger than {limit_bytes} bytes", 431)
            searched = max(0, len(buffer) - 3)
            try:
                data = self._receive(READ_BYTES, deadline)
            except OSError:
                self._buffer = bytes(buffer)  # kept for a caller that tries again
                raise
            if not data:
                if buffer:
                    raise TruncatedError("connection closed in the middle of a head")
                return b""
            buffer += data if buffer else data.lstrip(b"\r\n")

    def read1(self, limit_bytes: int) -> bytes:
        """Return what is there, at least one byte; b"" at the end of the stream.

        Raises:
            TimeoutError: ``body_deadline`` passed.
            OSError: the connection broke.
        """
        if self._buffer:
            data, self._buffer = (
                self._buffer[:limit_bytes],
                self._buffer[limit_bytes:],
            )
            return data
        return self._receive(limit_bytes, self.body_deadline)

    def push_back(self, data: bytes) -> None:
        """Put *data* in front of what will be read next."""
        self._buffer = data + self._buffer

    @property
    def buffered(self) -> bytes:
        """Return the bytes received and not yet read."""
        return self._buffer

    def take_buffered(self) -> bytes:
        """Return the bytes received and not yet read, and forget them."""
        data, self._buffer = self._buffer, b""
        return data

    def _receive(self, limit_bytes: int, deadline: float | None) -> bytes:
        while True:
            # before each recv: a peer that sends a byte now and then is late as well
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError("the peer sent nothing in time")
            try:
                return self._sock.recv(limit_bytes)
            except BlockingIOError:
                continue


class Body(Protocol):
    """A message body being read."""

    @property
    def complete(self) -> bool:
        """Return whether the whole body has been read."""
        ...

    def read1(self, limit_bytes: int) -> bytes:
        """Return what is there, at least one byte; b"" once ``complete``.

        Raises:
            TruncatedError: the peer closed before the end.
            ProtocolError: malformed framing.
            OSError: the connection broke.
        """
        ...


class LengthBody:
    """A body of known length; length 0 is a message without a body.

    Attributes:
        left: bytes still to come.
    """

    __slots__ = ("_reader", "left")

    def __init__(self, reader: SocketReader, length: int) -> None:
        self._reader = reader
        self.left = length

    @property
    def complete(self) -> bool:
        """Return whether the whole body has been read."""
        return self.left == 0

    def read1(self, limit_bytes: int) -> bytes:
        """Return what is there; see ``Body.read1``."""
        if not self.left:
            return b""
        data = self._reader.read1(min(limit_bytes, self.left))
        if not data:
            raise TruncatedError(f"connection closed {self.left} bytes early")
        self.left -= len(data)
        return data


class ChunkedBody:
    """A chunked body; framing is taken off, data handed out as it arrives."""

    __slots__ = ("_decoder", "_reader")

    def __init__(self, reader: SocketReader) -> None:
        self._reader = reader
        self._decoder = ChunkedDecoder()

    @property
    def complete(self) -> bool:
        """Return whether the whole body has been read."""
        return self._decoder.done

    def read1(self, limit_bytes: int) -> bytes:
        """Return what is there; see ``Body.read1``."""
        while not self.complete:
            data = self._decode(self._reader.read1(limit_bytes))
            if data:
                return data
        return b""

    def _decode(self, raw: bytes) -> bytes:
        if not raw:
            raise TruncatedError("connection closed in the middle of a chunk")
        data = self._decoder.feed(raw)
        if self._decoder.done:
            self._reader.push_back(self._decoder.leftover())
        return data


class CloseBody:
    """A body that ends when the peer closes the connection."""

    __slots__ = ("_ended", "_reader")

    def __init__(self, reader: SocketReader) -> None:
        self._reader = reader
        self._ended = False

    @property
    def complete(self) -> bool:
        """Return whether the whole body has been read."""
        return self._ended

    def read1(self, limit_bytes: int) -> bytes:
        """Return what is there; see ``Body.read1``."""
        data = b"" if self._ended else self._reader.read1(limit_bytes)
        self._ended = not data
        return data


def open_body(reader: SocketReader, framing: Framing, length: int) -> Body:
    """Return the body that follows a head with this framing."""
    match framing:
        case Framing.CHUNKED:
            return ChunkedBody(reader)
        case Framing.CLOSE:
            return CloseBody(reader)
        case Framing.LENGTH | Framing.NONE:
            return LengthBody(reader, length)
