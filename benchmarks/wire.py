"""The requests that are sent, as bytes; each looks like one of a client library."""

import base64
import json
import os
from typing import Final

MODEL: Final = "m"
API_KEY: Final = "bench-key"
X_BENCH: Final = "X-Bench"
"""Names the header that tells the upstream what to answer: ``native/upstream.c``."""

_BOUNDARY: Final = "f2b9c1d0a7e84c55b1d3"
_CLIENT_HEADERS: Final = (
    ("Host", "127.0.0.1:8080"),
    ("Accept", "application/json"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("User-Agent", "OpenAI/Python 2.14.0"),
    ("X-Stainless-Lang", "python"),
    ("X-Stainless-Package-Version", "2.14.0"),
    ("X-Stainless-OS", "Linux"),
    ("X-Stainless-Arch", "x64"),
    ("X-Stainless-Runtime", "CPython"),
    ("X-Stainless-Retry-Count", "0"),
    ("Authorization", f"Bearer {API_KEY}"),
)


def post(path: str, kind: str, body: bytes, wish: str = "") -> bytes:
    """Return a POST; *wish* is for the upstream."""
    headers = [
        *_CLIENT_HEADERS,
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        *([(X_BENCH, wish)] if wish else ()),
    ]
    return _head("POST", path, headers) + body


def get(path: str) -> bytes:
    """Return a GET."""
    return _head("GET", path, _CLIENT_HEADERS)


def chat(wish: str = "") -> bytes:
    """Return a small chat request."""
    body = {
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        "model": MODEL,
        "max_tokens": 64,
        "temperature": 0.2,
        "stream": wish.startswith("stream"),
    }
    return post(
        "/v1/chat/completions", "application/json", json.dumps(body).encode(), wish
    )


def chat_with_image(image_bytes: int) -> bytes:
    """Return a chat request with an image inside, *image_bytes* long as base64."""
    image = _noise(image_bytes * 3 // 4)
    url = "data:image/png;base64," + base64.b64encode(image).decode()
    content = [
        {"type": "text", "text": "What is in this picture?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    body = {"model": MODEL, "messages": [{"role": "user", "content": content}]}
    return post("/v1/chat/completions", "application/json", json.dumps(body).encode())


def transcription(audio_bytes: int) -> bytes:
    """Return a multipart upload with the model's name before the file."""
    lines = [
        f"--{_BOUNDARY}",
        'Content-Disposition: form-data; name="model"',
        "",
        MODEL,
    ]
    disposition = 'form-data; name="file"; filename="speech.wav"'
    lines += [f"--{_BOUNDARY}", f"Content-Disposition: {disposition}"]
    lines += ["Content-Type: audio/wav", "", ""]
    end = f"\r\n--{_BOUNDARY}--\r\n".encode()
    body = "\r\n".join(lines).encode() + _noise(audio_bytes) + end
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    return post("/v1/audio/transcriptions", kind, body)


def speech(audio_bytes: int) -> bytes:
    """Return a request that is answered with *audio_bytes* of audio."""
    body = json.dumps({"model": MODEL, "input": "Hello", "voice": "alloy"}).encode()
    return post("/v1/audio/speech", "application/json", body, f"bytes {audio_bytes}")


def _head(
    method: str,
    path: str,
    headers: "list[tuple[str, str]] | tuple[tuple[str, str], ...]",
) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


def _noise(count: int) -> bytes:
    """Return bytes that no compressor, and no scanner for line ends, finds easy."""
    block = os.urandom(min(count, 1 << 20) or 1)
    return (block * (count // len(block) + 1))[:count]
