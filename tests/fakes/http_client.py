"""Reads answers off a raw connection, one at a time and not a byte further."""

import socket
from dataclasses import dataclass

from tests.fakes.raw_client import read_all, read_until, receive


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response as it stood on the wire.

    Attributes:
        headers: names in lower case, in order.
        chunks: the pieces of a chunked body; otherwise the body as one piece.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: tuple[bytes, ...]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value


def read_head(sock: socket.socket) -> Answer:
    """Return status and headers; the body is left to be read."""
    lines = read_until(sock, b"\r\n\r\n").decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ")[1])
    pairs = (line.partition(":") for line in lines[1:-2])
    return Answer(status, tuple((n.lower(), v.strip()) for n, _, v in pairs), ())


def read_chunk(sock: socket.socket) -> bytes:
    """Return the next chunk; b"" for the last one, whose end is read as well."""
    size = int(read_until(sock, b"\r\n"), 16)
    data = receive(sock, size)
    assert receive(sock, 2) == b"\r\n"
    return data


def read_answer(sock: socket.socket, method: str = "GET") -> Answer:
    """Return the next response, its body read by whatever framing it has."""
    head = read_head(sock)
    chunks: list[bytes] = []
    if method == "HEAD" or head.status in {204, 304} or head.status < 200:
        pass
    elif head.all("transfer-encoding") == ["chunked"]:
        while chunk := read_chunk(sock):
            chunks.append(chunk)
    elif lengths := head.all("content-length"):
        chunks.append(receive(sock, int(lengths[0])))
    else:
        chunks.append(read_all(sock))
    return Answer(head.status, head.headers, tuple(chunks))
