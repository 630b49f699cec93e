"""The chunked transfer coding (RFC 9112 section 7.1): pure, strict.

Decoded, for whoever wants the data; or checked and passed on as it came, for whoever
wants the same coding on the other side.
"""

import re
from enum import Enum
from typing import Final

from swapper.net.http1 import ProtocolError, check_field

LAST_CHUNK: Final = b"0\r\n\r\n"

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t -~\x80-\xff]*)?")

_PLAIN_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})\r\n")

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
        self._left = _size(line)
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
        line = _line(self._buffer, 0, limit)
        if line is not None:
            del self._buffer[: len(line) + 2]
        return line


class ChunkTracker:
    """Checks chunked bytes that are passed on, and finds their end. One thread.

    What comes out is what went in, but for extensions and trailers, which are dropped,
    and for lines that are not complete yet: nothing goes out that has not been checked,
    and the last chunk only together with its empty line. Accepts what
    ``ChunkedDecoder`` accepts.

    Attributes:
        done: the last chunk and its trailer have been seen.
        payload_bytes: length of the data so far, without framing.
    """

    __slots__ = (
        "_held",
        "_left",
        "_part",
        "_payload",
        "_trailer_bytes",
        "done",
        "payload_bytes",
    )

    def __init__(self, payload: list[bytes] | None = None) -> None:
        """Begin before the first chunk.

        Args:
            payload: gets the data, in pieces as they arrive; None if nobody wants it.
        """
        self.done = False
        self.payload_bytes = 0
        self._payload = payload
        self._held = b""  # an element that is not complete; after the end, the rest
        self._part = _Part.SIZE
        self._left = 0  # bytes of the current chunk still to come
        self._trailer_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """Return what of *data*, and of what was held back, can be passed on.

        Raises:
            ProtocolError: malformed framing; the message must not be ended properly.
        """
        if self._left > len(data):  # in the middle of a chunk
            self._take(data)
            return data
        if self._held:
            data = self._held + data
        # pos: checked up to here; start: not yet in out
        start, pos = 0, self._whole_chunks(data)
        if pos and pos == len(data):
            self._held = b""
            return data
        out: list[bytes] = []
        while (step := self._step(data, pos)) is not None:
            end, instead = step
            if instead is not None:
                out += (data[start:pos], instead)
                start = end
            pos = end
        self._held = data[pos:]
        if start == 0 and pos == len(data):
            return data
        return b"".join((*out, data[start:pos]))

    def leftover(self) -> bytes:
        """Return the bytes after the end of the message, once ``done``."""
        return self._held

    def _whole_chunks(self, data: bytes) -> int:
        """Take the plain chunks at the start that are all there, as most are.

        Returns:
            Where the last of them ends; 0 if there is none.
        """
        pos, payload = 0, self._payload
        while self._part is _Part.SIZE:
            line = _PLAIN_SIZE_LINE.match(data, pos)
            if line is None:
                break
            size, start = int(line[1], 16), line.end()
            end = start + size
            if not size or data[end : end + 2] != b"\r\n":
                break
            self.payload_bytes += size
            if payload is not None:
                payload.append(data[start:end])
            pos = end + 2
        return pos

    def _step(self, data: bytes, pos: int) -> tuple[int, bytes | None] | None:
        """Check one element.

        Returns:
            Where it ends and what goes out instead of it, None for itself; or None if
            it is not complete.
        """
        match self._part:
            case _Part.SIZE:
                return self._size_line(data, pos)
            case _Part.DATA:
                return self._data(data, pos)
            case _Part.DATA_END:
                return self._data_end(data, pos)
            case _Part.TRAILER:
                return self._trailer_line(data, pos)
            case _Part.DONE:
                return None

    def _size_line(self, data: bytes, pos: int) -> tuple[int, bytes | None] | None:
        plain = _PLAIN_SIZE_LINE.match(data, pos)
        if plain is not None:
            end, instead = plain.end(), None
            self._left = int(plain.group(1), 16)
        else:
            line = _line(data, pos, _MAX_LINE_BYTES)
            if line is None:
                return None
            self._left = _size(line)
            end, instead = pos + len(line) + 2, b"%x\r\n" % self._left
        if self._left:
            self._part = _Part.DATA
            return end, instead
        self._part = _Part.TRAILER
        return end, b""

    def _data(self, data: bytes, pos: int) -> tuple[int, bytes | None] | None:
        piece = data[pos : pos + self._left]
        if not piece:
            return None
        self._take(piece)
        if not self._left:
            self._part = _Part.DATA_END
        return pos + len(piece), None

    def _data_end(self, data: bytes, pos: int) -> tuple[int, bytes | None] | None:
        if not data.startswith(b"\r\n", pos):
            if not b"\r\n".startswith(data[pos : pos + 2]):
                raise ProtocolError("chunk data does not end in CRLF")
            return None
        self._part = _Part.SIZE
        return pos + 2, None

    def _trailer_line(self, data: bytes, pos: int) -> tuple[int, bytes | None] | None:
        line = _line(data, pos, _MAX_TRAILER_BYTES)
        if line is None:
            return None
        self._trailer_bytes += len(line)
        if self._trailer_bytes > _MAX_TRAILER_BYTES:
            raise ProtocolError("trailer too large")
        end = pos + len(line) + 2
        if line:
            check_field(line)
            return end, b""
        self._part, self.done = _Part.DONE, True
        return end, LAST_CHUNK

    def _take(self, piece: bytes) -> None:
        self._left -= len(piece)
        self.payload_bytes += len(piece)
        if self._payload is not None:
            self._payload.append(piece)


def _size(line: bytes) -> int:
    match = _SIZE_LINE.fullmatch(line)
    if match is None:
        raise ProtocolError("malformed chunk size")
    return int(match.group(1), 16)


def _line(data: bytes | bytearray, pos: int, limit: int) -> bytes | None:
    """Return a line without its CRLF; None if it is not complete."""
    end = data.find(b"\n", pos, pos + limit)
    if end < 0:
        if len(data) - pos >= limit:
            raise ProtocolError("chunk line too long")
        return None
    if end == pos or data[end - 1] != 0x0D:
        raise ProtocolError("bare LF in chunked framing")
    return bytes(data[pos : end - 1])
