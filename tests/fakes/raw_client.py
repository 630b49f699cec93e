"""A client that sends and sees exact bytes."""

import socket

DEADLINE_S = 10.0


def connect(port: int) -> socket.socket:
    """Return a connection to 127.0.0.1 whose reads fail after ``DEADLINE_S``."""
    return socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)


def read_all(sock: socket.socket) -> bytes:
    """Return everything until the peer closes the connection."""
    received = b""
    while data := sock.recv(65536):
        received += data
    return received


def read_until(sock: socket.socket, end: bytes) -> bytes:
    """Return the bytes up to and including *end*, and read none beyond it.

    Raises:
        ConnectionError: the peer closed first.
    """
    received = b""
    while not received.endswith(end):
        received += receive(sock, 1)
    return received


def receive(sock: socket.socket, length: int) -> bytes:
    """Return exactly so many bytes; raises as ``read_until``."""
    received = b""
    while len(received) < length:
        data = sock.recv(length - len(received))
        if not data:
            raise ConnectionError(f"closed after {received!r}")
        received += data
    return received
