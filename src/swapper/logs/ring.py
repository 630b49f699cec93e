"""The last bytes of a stream, byte-exact, in bounded memory."""

from collections import deque
from typing import Final

HISTORY_BYTES: Final = 102_400
"""How much each monitor remembers (http-api.md 25.2)."""

_SMALL_BYTES: Final = 8192


class ByteRing:
    """Keeps the last *limit* bytes written. Not for several threads at once.

    Large pieces are kept by reference, small ones are merged, so that neither a
    flood nor a stream of single bytes costs more than the limit and one piece.

    Attributes:
        total: bytes ever written.
    """

    __slots__ = ("_held", "_limit", "_pieces", "_tail", "total")

    def __init__(self, limit: int = HISTORY_BYTES) -> None:
        self._limit = limit
        self._pieces: deque[bytes] = deque()  # oldest first; the tail comes after
        self._tail = bytearray()
        self._held = 0  # bytes in _pieces and _tail
        self.total = 0

    def write(self, data: bytes) -> None:
        """Append *data* and forget what is too old."""
        self.total += len(data)
        if len(data) < _SMALL_BYTES:
            self._tail += data
            if len(self._tail) >= _SMALL_BYTES:
                self._freeze_tail()
        else:
            self._freeze_tail()
            self._pieces.append(data[-self._limit :])
        self._held += min(len(data), self._limit)
        while self._pieces and self._held - len(self._pieces[0]) >= self._limit:
            self._held -= len(self._pieces.popleft())

    def since(self, mark: int) -> bytes:
        """Return what is still here of the bytes from position *mark* on."""
        wanted = min(self.total - mark, self._limit)
        if wanted <= 0:
            return b""
        return b"".join((*self._pieces, self._tail))[-wanted:]

    def _freeze_tail(self) -> None:
        if self._tail:
            self._pieces.append(bytes(self._tail))
            self._tail = bytearray()
