"""Sounds and pictures as small as their formats allow; pure."""

import binascii
import struct
import zlib
from typing import Final

from fake_server.message import Answer, Request, answer_of, json_answer

CREATED: Final = 1_700_000_000
SAMPLES: Final = 8000  # a second of silence
SAMPLES_PER_PIECE: Final = 1000


def speech(_request: Request, _name: str) -> Answer:
    """Answer /v1/audio/speech: a second of silence (WAV, 8 bit), in pieces."""
    kind = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, SAMPLES, SAMPLES, 1, 8)
    body = b"WAVE" + kind + struct.pack("<4sI", b"data", SAMPLES)
    head = struct.pack("<4sI", b"RIFF", len(body) + SAMPLES) + body
    silence = [b"\x80" * SAMPLES_PER_PIECE] * (SAMPLES // SAMPLES_PER_PIECE)
    return answer_of([head, *silence], "audio/wav")


def images(request: Request, name: str) -> Answer:
    """Answer /v1/images/generations and edits: a pixel coloured after the model."""
    picture = binascii.b2a_base64(pixel(name), newline=False).decode()
    count = request.json().get("n") or 1
    return json_answer({"created": CREATED, "data": [{"b64_json": picture}] * count})


def pixel(name: str) -> bytes:
    """Return a PNG of one pixel; each name has its colour."""
    colour = zlib.crc32(name.encode()).to_bytes(4)[:3]
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(b"\0" + colour)), (b"IEND", b"")
    chunks = [
        struct.pack(">I", len(data)) + kind + data + zlib.crc32(kind + data).to_bytes(4)
        for kind, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
