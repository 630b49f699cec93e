"""Connections: exact bytes out, hang-ups noticed at once."""

import binascii
import os
import select
import socket
import struct
from typing import Final, Protocol

from fake_server.message import Request

READ_BYTES: Final = 65536
WEBSOCKET_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HANG_UP: Final = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class ClientGoneError(Exception):
    """The client hung up."""


class HoldBook(Protocol):
    """Knows who waits for which key."""

    def enter_hold(self, key: str, descriptor: int) -> None:
        """Begin a hold; a byte is written to *descriptor* to end it."""

    def leave_hold(self, descriptor: int) -> None:
        """End a hold, released or not."""


class Wire:
    """One connection, used by its own thread.

    Every method raises ClientGoneError as soon as the client is seen to have gone;
    a client that only shuts down its sending side counts as gone.

    Attributes:
        number: of this connection, the first is 1.
    """

    def __init__(self, sock: socket.socket, number: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.number = number
        self._sock = sock
        self._buffer = b""

    def send(self, data: bytes) -> None:
        """Send all of *data* now."""
        try:
            self._sock.sendall(data)
        except OSError:
            raise ClientGoneError from None

    def pause(self, seconds: float = 0) -> None:
        """Wait; with nothing to wait for, only look whether the client is there."""
        self._poll(max(0.0, seconds * 1000))

    def hold(self, key: str, book: HoldBook) -> None:
        """Wait until *key* is released."""
        watched, release = os.pipe()
        book.enter_hold(key, release)
        try:
            self._poll(None, watched)
        finally:
            book.leave_hold(release)
            os.close(release)
            os.close(watched)

    def _poll(self, limit_ms: float | None, *wake: int) -> None:
        poll = select.poll()
        poll.register(self._sock, HANG_UP)
        for descriptor in wake:
            poll.register(descriptor, select.POLLIN)
        if self._sock.fileno() in dict(poll.poll(limit_ms)):
            raise ClientGoneError

    def read(self) -> bytes:
        """Return what is there, at least a byte."""
        data, self._buffer = self._buffer, b""
        try:
            data = data or self._sock.recv(READ_BYTES)
        except OSError:
            data = b""
        if not data:
            raise ClientGoneError
        return data

    def take(self, length: int) -> bytes:
        """Return exactly *length* bytes."""
        parts, missing = [], length
        while missing > 0:
            data = self.read()
            parts.append(data[:missing])
            self._buffer = data[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    def take_to(self, end: bytes) -> bytes:
        """Return the bytes before *end*, which is dropped."""
        data = self.read()
        while end not in data:
            data += self.read()
        found, _, self._buffer = data.partition(end)
        return found

    def take_body(self, request: Request) -> bytes:
        """Return the request's body without its framing."""
        if request.header("expect"):
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.header("transfer-encoding").lower() != "chunked":
            return self.take(int(request.header("content-length") or 0))
        parts = []
        while size := int(self.take_to(b"\r\n").partition(b";")[0], 16):
            parts.append(self.take(size + 2)[:-2])
        while self.take_to(b"\r\n"):
            pass  # a trailer
        return b"".join(parts)

    def reset(self) -> None:
        """Let the end of the connection be an RST instead of a FIN."""
        at_once = struct.pack("ii", 1, 0)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)

    def drain(self) -> None:
        """Read what the client still sends, so that the response is not lost."""
        self._sock.shutdown(socket.SHUT_WR)
        self._sock.settimeout(2)
        while self.read():
            pass

    def close(self) -> None:
        """End the connection."""
        self._sock.close()

    def echo_frames(self) -> None:
        """Echo websocket frames until a close frame (RFC 6455 section 5.2)."""
        while True:
            first, second = self.take(2)
            length = second & 0x7F
            if length > 125:
                length = int.from_bytes(self.take(2 if length == 126 else 8))
            if not second & 0x80:
                self.send(_frame(0x88, (1002).to_bytes(2)))  # frames must be masked
                return
            mask = self.take(4)
            data = _unmasked(self.take(length), mask)
            opcode = first & 0x0F
            if opcode == 8:
                self.send(_frame(0x88, data[:2]))
                return
            if opcode != 10:  # not a pong
                self.send(_frame(0x8A if opcode == 9 else first & 0x8F, data))

    def echo_bytes(self) -> None:
        """Echo bytes until the client hangs up."""
        while True:
            self.send(self.read())


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 4.2.2)."""
    from hashlib import sha1  # noqa: PLC0415 - loads OpenSSL: a third of our start

    digest = sha1(f"{key}{WEBSOCKET_GUID}".encode(), usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False).decode()


def _unmasked(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    whole_mask = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data) ^ int.from_bytes(whole_mask)).to_bytes(size)


def _frame(first: int, data: bytes) -> bytes:
    size = len(data)
    if size < 126:
        return bytes((first, size)) + data
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2) + data
    return bytes((first, 127)) + size.to_bytes(8) + data
