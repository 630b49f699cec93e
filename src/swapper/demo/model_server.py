"""The bundled stand-in for a model server: it answers, but there is no model in it.

``python -m swapper.demo.model_server --port N --name X [--load-s S]``

It speaks just enough of OpenAI's API for a first look at swapper: chat, plain and
streamed, and embeddings. Every answer says what it is.
"""

import argparse
import json
import threading
import time
import zlib
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, cast

WORD_INTERVAL_S: Final = 0.03
"""Pace of a streamed answer, so that one can see it being streamed."""


class StandInServer(ThreadingHTTPServer):
    """Listens on 127.0.0.1; not ready before ``load_s`` seconds have passed.

    Attributes:
        name: the model it stands in for.
        ready_s: when it is ready, on ``time.monotonic``.
    """

    daemon_threads = True

    def __init__(self, port: int, name: str, load_s: float) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.name = name
        self.ready_s = time.monotonic() + load_s


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def _model(self) -> StandInServer:
        return cast("StandInServer", self.server)

    def do_GET(self) -> None:
        """Answer /health and /v1/models."""
        if self.path == "/health":
            is_ready = time.monotonic() >= self._model.ready_s
            status = "ok" if is_ready else "loading"
            self._send_json(200 if is_ready else 503, {"status": status})
        elif self.path == "/v1/models":
            model = {"id": self._model.name, "object": "model"}
            self._send_json(200, {"object": "list", "data": [model]})
        else:
            self._send_json(404, _error("no such path"))

    def do_POST(self) -> None:
        """Answer /v1/chat/completions and /v1/embeddings."""
        length = int(self.headers.get("Content-Length") or 0)
        try:
            asked = json.loads(self.rfile.read(length))
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            self._send_json(400, _error("the body is not a JSON object"))
        elif self.path == "/v1/embeddings":
            self._send_json(200, embeddings(self._model.name, asked))
        elif self.path != "/v1/chat/completions":
            self._send_json(404, _error("no such path"))
        elif asked.get("stream"):
            self._stream_chat(reply_text(self._model.name, asked))
        else:
            text = reply_text(self._model.name, asked)
            self._send_json(200, completion(self._model.name, text))

    def _stream_chat(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        pace = threading.Event()  # never set: a wait that is only a pause
        for event in chat_events(self._model.name, text):
            self.wfile.write(event)
            pace.wait(WORD_INTERVAL_S)

    def _send_json(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log requests, but not the probes."""
        if getattr(self, "path", "") != "/health":  # unset if it was not understood
            super().log_request(code, size)


def reply_text(name: str, asked: dict[str, Any]) -> str:
    """Return what the stand-in says to a chat request."""
    said = ""
    for message in asked.get("messages") or []:
        if message.get("role") == "user" and isinstance(message.get("content"), str):
            said = message["content"]
    return (
        f"This is {name}, swapper's bundled stand-in, not a language model. "
        f"You said: {said}"
    )


def completion(name: str, text: str) -> dict[str, Any]:
    """Return a chat completion in one piece."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    head: dict[str, Any] = {"model": name, "object": "chat.completion"}
    return {**head, "choices": [choice], "usage": _usage(text)}


def chat_events(name: str, text: str) -> list[bytes]:
    """Return a chat completion as server-sent events, a word each."""
    head: dict[str, Any] = {"model": name, "object": "chat.completion.chunk"}
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1].removesuffix(" ")
    deltas: list[tuple[dict[str, str], str | None]] = [
        *(({"content": word}, None) for word in words),
        ({}, "stop"),
    ]
    chunks = [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        for delta, finish in deltas
    ]
    chunks.append({**head, "choices": [], "usage": _usage(text)})
    lines = [*map(json.dumps, chunks), "[DONE]"]
    return [f"data: {line}\n\n".encode() for line in lines]


def embeddings(name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return four numbers for each input; equal inputs get equal numbers."""
    given = asked.get("input", "")
    sums = [
        zlib.crc32(str(text).encode())
        for text in (given if isinstance(given, list) else [given])
    ]
    data: list[dict[str, Any]] = [
        {
            "object": "embedding",
            "index": index,
            "embedding": [byte / 255 for byte in checksum.to_bytes(4)],
        }
        for index, checksum in enumerate(sums)
    ]
    note = "from swapper's bundled stand-in: these numbers mean nothing"
    answer: dict[str, Any] = {"model": name, "object": "list", "note": note}
    return {**answer, "data": data, "usage": _usage("")}


def _usage(text: str) -> dict[str, int]:
    made = len(text.split())
    return {"prompt_tokens": 1, "completion_tokens": made, "total_tokens": made + 1}


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error"}}


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="swapper.demo.model_server")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--load-s", type=float, default=0.0)
    options = parser.parse_args(argv)
    server = StandInServer(options.port, options.name, options.load_s)
    print(f"{options.name}: listening on port {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
