import gzip
import zlib

import pytest

from swapper.record.decode import (
    FREE_BYTES,
    PIECE_BYTES,
    DecodeError,
    Decoder,
    decoder_for,
)
from tests.fakes.answers import raw_deflate

TEXT = b'{"usage": {"prompt_tokens": 1}}' * 50


def gzipped(text: bytes) -> bytes:
    """The same at any time: bodies name their tests, which all workers must agree on."""
    return gzip.compress(text, mtime=0)


def decode(coding: str, *pieces: bytes) -> bytes:
    decoder = decoder_for(coding)
    assert decoder is not None
    decoded = b"".join(part for piece in pieces for part in decoder.feed(piece))
    decoder.end()
    return decoded


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzipped(TEXT)),
        ("gzip", gzipped(TEXT[:99]) + gzipped(TEXT[99:])),
        ("gzip", gzipped(b"") + b"\0\0\0" + gzipped(TEXT) + b"\0" * 512),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
        ("deflate", zlib.compress(TEXT) + b"whatever"),
    ],
)
def test_a_body_may_be_cut_anywhere(coding: str, body: bytes) -> None:
    for cut in range(len(body) + 1):
        assert decode(coding, body[:cut], body[cut:]) == TEXT
    assert decode(coding, *(body[at : at + 1] for at in range(len(body)))) == TEXT


def test_what_is_flushed_comes_out_at_once() -> None:
    packer = zlib.compressobj(wbits=31)
    decoder = Decoder("gzip")
    for event in (b"data: 1\n\n", b"data: 2\n\n"):
        sent = packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)
        assert b"".join(decoder.feed(sent)) == event


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", TEXT),
        ("gzip", gzipped(TEXT) + b"garbage"),
        ("gzip", gzipped(TEXT)[:-1]),
        ("gzip", b"\x1f"),
        ("gzip", zlib.compress(TEXT)),
        ("deflate", TEXT),
        ("deflate", zlib.compress(TEXT)[:-1]),
        ("deflate", raw_deflate(TEXT)[:-1]),
    ],
)
def test_what_is_not_in_its_coding_is_refused(coding: str, body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(coding, body)


@pytest.mark.parametrize("coding", ["", "identity", "br", "zstd", "x-gzip", "gzip, br"])
def test_other_codings_are_not_undone(coding: str) -> None:
    assert decoder_for(coding) is None


def test_a_bomb_comes_out_in_pieces_and_not_for_ever() -> None:
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(80))
    decoder, seen = Decoder("deflate"), 0

    pieces = decoder.feed(bomb)
    while seen + PIECE_BYTES <= FREE_BYTES:
        piece = next(pieces)
        assert len(piece) <= PIECE_BYTES
        seen += len(piece)
    with pytest.raises(DecodeError, match="expands"):
        next(pieces)

    assert FREE_BYTES - PIECE_BYTES <= seen <= FREE_BYTES
