"""The chunked transfer coding, decoded (RFC 9112 section 7.1): pure, strict."""

import re
from enum import Enum

from swapper.net.http1 import ProtocolError, check_field

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t -~\x80-\xff]*)?")

_MAX_LINE_BYTES = 4096
_MAX_TRAILER_BYTES = 65536


class _Part(Enum):
    SIZE = 0
    DATA = 1
    DATA_END = 2
    TRAILER = 3
    DONE = 4


class ChunkedDecoder:
    """Takes chunked bytes as they come, gives data as it is complete (RFC 9112 7.1).

    Data is handed out as soon as it arrives, not when its chunk is complete.
    Extensions and trailers are read and dropped. One thread.

    Attributes:
        done: the last chunk and its trailer have been read.
    """

    __slots__ = ("_buffer", "_left", "_part", "_trailer_bytes")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._part = _Part.SIZE
        self._left = 0  # bytes of the current chunk still to come
        self._trailer_bytes = 0

    @property
    def done(self) -> bool:
        """Return whether the end of the message has been read."""
        return self._part is _Part.DONE

    def feed(self, data: bytes) -> bytes:
        """Return the body bytes that *data* completes; may be empty.

        Raises:
            ProtocolError: malformed framing; the connection must be closed.
        """
        if self._part is _Part.DATA and not self._buffer and len(data) < self._left:
            self._left -= len(data)  # all of it is data: nothing to copy
            return data
        self._buffer += data
        out: list[bytes] = []
        while self._step(out):
            pass
        return out[0] if len(out) == 1 else b"".join(out)

    def leftover(self) -> bytes:
        """Return the bytes after the end of the message, once ``done``."""
        return bytes(self._buffer)

    def _step(self, out: list[bytes]) -> bool:
        """Read one element; return False when more bytes are needed."""
        match self._part:
            case _Part.SIZE:
                return self._read_size()
            case _Part.DATA:
                return self._read_data(out)
            case _Part.DATA_END:
                return self._read_data_end()
            case _Part.TRAILER:
                return self._read_trailer()
            case _Part.DONE:
                return False

    def _read_size(self) -> bool:
        line = self._line(_MAX_LINE_BYTES)
        if line is None:
            return False
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise ProtocolError("malformed chunk size")
        self._left = int(match.group(1), 16)
        self._part = _Part.DATA if self._left else _Part.TRAILER
        return True

    def _read_data(self, out: list[bytes]) -> bool:
        if not self._buffer:
            return False
        piece = bytes(self._buffer[: self._left])
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        out.append(piece)
        if not self._left:
            self._part = _Part.DATA_END
        return True

    def _read_data_end(self) -> bool:
        if len(self._buffer) < 2:
            if self._buffer and self._buffer[0] != 0x0D:
                raise ProtocolError("chunk data does not end in CRLF")
            return False
        if self._buffer[:2] != b"\r\n":
            raise ProtocolError("chunk data does not end in CRLF")
        del self._buffer[:2]
        self._part = _Part.SIZE
        return True

    def _read_trailer(self) -> bool:
        line = self._line(_MAX_TRAILER_BYTES)
        if line is None:
            return False
        self._trailer_bytes += len(line)
        if self._trailer_bytes > _MAX_TRAILER_BYTES:
            raise ProtocolError("trailer too large")
        if not line:
            self._part = _Part.DONE
        else:
            check_field(line)
        return True

    def _line(self, limit: int) -> bytes | None:
        end = self._buffer.find(b"\n", 0, limit)
        if end < 0:
            if len(self._buffer) >= limit:
                raise ProtocolError("chunk line too long")
            return None
        if end == 0 or self._buffer[end - 1] != 0x0D:
            raise ProtocolError("bare LF in chunked framing")
        line = bytes(self._buffer[: end - 1])
        del self._buffer[: end + 1]
        return line
