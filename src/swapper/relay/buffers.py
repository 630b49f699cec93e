"""A request body in hand that lies in several places: nobody copies it to send it."""

from collections.abc import Iterable, Iterator
from typing import Final

_SMALL_BYTES: Final = 1 << 16


class Buffers:
    """Buffers that follow one another; short neighbours are joined. One thread."""

    __slots__ = ("_buffers", "_length", "_unread")

    def __init__(self, texts: Iterable[bytes | memoryview]) -> None:
        """Take *texts* in order; what they view must not change."""
        self._buffers: list[memoryview] = []
        short: list[bytes | memoryview] = []
        for text in texts:
            if len(text) < _SMALL_BYTES:
                short.append(text)
                continue
            self._buffers += (memoryview(b"".join(short)), memoryview(text))
            short.clear()
        self._buffers.append(memoryview(b"".join(short)))
        self._length = sum(map(len, self._buffers))
        self._unread: Iterator[bytes] | None = None

    def __len__(self) -> int:
        """Return the length in bytes."""
        return self._length

    def __iter__(self) -> Iterator[memoryview]:
        """Return the buffers in order, as often as wanted."""
        return (buffer for buffer in self._buffers if buffer)

    def joined(self) -> bytes:
        """Return everything as one object."""
        return b"".join(self._buffers)

    def read1(self, limit_bytes: int, /) -> bytes:
        """Return the next bytes, for whoever knows a body to be read once."""
        if self._unread is None:
            self._unread = self._slices(limit_bytes)
        return next(self._unread, b"")

    def _slices(self, limit_bytes: int) -> Iterator[bytes]:
        for buffer in self:
            for at in range(0, len(buffer), limit_bytes):
                yield bytes(buffer[at : at + limit_bytes])
