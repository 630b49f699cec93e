"""An upstream that sends exactly what a test tells it to, true or not."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

DEADLINE_S = 10.0
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Peer:
    """The upstream's end of one connection; its reads fail after ``DEADLINE_S``.

    Attributes:
        number: 1 for the first connection.
    """

    def __init__(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(DEADLINE_S)
        self.sock = sock
        self.number = number
        self._buffer = b""

    def head(self) -> bytes:
        """Return the next request head with its empty line; b"" at the end."""
        while b"\r\n\r\n" not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                return b""
            self._buffer += data
        head, end, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head + end

    def take(self, length: int) -> bytes:
        """Return exactly *length* bytes, fewer only at the end."""
        while len(self._buffer) < length:
            data = self.sock.recv(65536)
            if not data:
                break
            self._buffer += data
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        return taken

    def skip_to(self, end: bytes) -> int:
        """Drop everything up to *end*; return how many bytes that was."""
        dropped = 0
        while end not in self._buffer:
            keep = self._buffer[-len(end) :]
            dropped += len(self._buffer) - len(keep)
            data = self.sock.recv(1 << 20)
            if not data:
                return dropped
            self._buffer = keep + data
        before, _, self._buffer = self._buffer.partition(end)
        return dropped + len(before)

    def rest(self) -> bytes:
        """Return what comes until the other side closes or resets."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := self.sock.recv(65536):
                self._buffer += data
        rest, self._buffer = self._buffer, b""
        return rest

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def end(self) -> None:
        """Send no more, but go on receiving."""
        self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with a TCP reset."""
        self.sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        self.sock.close()


class ScriptedUpstream:
    """Runs *script* in a thread for each connection, then closes the connection.

    A context manager. What a script raises, other than ``OSError``, fails the test.
    """

    def __init__(
        self,
        script: Callable[[Peer], object],
        *,
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self.connections = 0

    @property
    def url(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept, name="scripted")
        self._accepting.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(DEADLINE_S)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._socks.append(sock)
            thread = threading.Thread(
                target=self._serve, args=(sock, self.connections), name="scripted-peer"
            )
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._socks.append(sock)
            self._script(Peer(sock, number))
        except OSError:
            pass  # the relay went away, as some tests make it
        finally:
            sock.close()


def well_behaved_from(
    number: int, first: Callable[[Peer], object]
) -> Callable[[Peer], None]:
    """Return a script whose connections before *number* run *first*."""

    def script(peer: Peer) -> None:
        if peer.number < number:
            first(peer)
            return
        while peer.head():
            peer.send(GOOD)

    return script
