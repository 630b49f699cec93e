"""Content codings undone as a body passes: gzip and deflate. Pure.

What comes out is handed on in bounded pieces and not kept, so a small body that expands
to a huge one costs time, no memory; and one that expands beyond reason is refused.
``deflate`` is zlib's format (RFC 9110 8.4.1.2) or, as some send it, the bare stream.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from swapper.core.errors import SwapperError

PIECE_BYTES: Final = 65536
"""Most that comes out at once."""

FREE_BYTES: Final = 64 << 20
MAX_RATIO: Final = 200
"""Beyond ``FREE_BYTES`` no more than this many bytes may come out for one."""

_GZIP: Final = 31
_ZLIB: Final = 15
_BARE: Final = -15
_TOO_MUCH: Final = "it expands more than any text would"


class DecodeError(SwapperError):
    """A body is not in the coding that it says it is."""


class Decoder:
    """Undoes one coding. One thread."""

    def __init__(self, coding: str) -> None:
        """Prepare; *coding* is ``gzip`` or ``deflate``."""
        self._is_gzip = coding == "gzip"
        self._inflater = zlib.decompressobj()  # as good as none until it is open
        self._is_open = False
        self._has_ended = False  # a member at least
        self._in_bytes = 0
        self._out_bytes = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what a piece of the body holds, in pieces of at most ``PIECE_BYTES``.

        Raises:
            DecodeError: the body is malformed, or expands too much.
        """
        self._in_bytes += len(data)
        is_full = False
        while data or is_full:
            if not self._is_open:
                data = self._begin(data)
                continue
            inflater = self._inflater
            try:
                piece = inflater.decompress(data, PIECE_BYTES)
            except zlib.error as exc:
                raise DecodeError(str(exc)) from exc
            data, is_full = inflater.unconsumed_tail, len(piece) == PIECE_BYTES
            if inflater.eof:
                data, is_full = inflater.unused_data, False
                self._is_open, self._has_ended = False, True
            if piece:
                self._count(piece)
                yield piece

    def end(self) -> None:
        """Take the end of the body.

        Raises:
            DecodeError: it is not the end of the coding.
        """
        if self._is_open:
            raise DecodeError("unexpected end of compressed data")

    def _begin(self, data: bytes) -> bytes:
        """Return what is to be decoded of *data*, which begins the body or follows it.

        A gzip body may go on with another member, with zeros before it (RFC 1952).
        """
        if self._has_ended:
            data = data.lstrip(b"\0") if self._is_gzip else b""
        if data:
            # A bare stream with bits like zlib's first ones would have to pad with ones.
            is_zlib = data[0] & 0x0F == 8
            wbits = _GZIP if self._is_gzip else _ZLIB if is_zlib else _BARE
            self._inflater = zlib.decompressobj(wbits)
            self._is_open = True
        return data

    def _count(self, piece: bytes) -> None:
        self._out_bytes += len(piece)
        if self._out_bytes > max(FREE_BYTES, MAX_RATIO * self._in_bytes):
            raise DecodeError(_TOO_MUCH)


def decoder_for(content_encoding: str) -> Decoder | None:
    """Return what undoes a ``Content-Encoding``; None for what is looked at as it is."""
    coding = content_encoding.strip().lower()
    return Decoder(coding) if coding in {"gzip", "deflate"} else None
