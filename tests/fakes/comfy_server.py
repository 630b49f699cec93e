"""A server that behaves like ComfyUI's, as a program of its own.

Its page needs assets (with ETag and ranges), a websocket on ``/ws``, ``POST /prompt``
and ``GET /view``. ``python comfy_server.py PORT``.
"""

import hashlib
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from simple_websocket import ConnectionClosed, Server

PAGE = b'<!doctype html><script src="assets/index-%5Bab%5D.js?v=1"></script>'
SCRIPT = b"".join(b"line %d;\n" % n for n in range(5000))
PICTURE = b"\x89PNG" + bytes(range(256)) * 100
FILES = {
    "/": ("text/html", PAGE),
    "/assets/index-[ab].js": ("text/javascript", SCRIPT),
    "/view": ("image/png", PICTURE),
    "/system_stats": ("application/json", b"{}"),
}


class Comfy(BaseHTTPRequestHandler):
    """One connection; websockets by the ``clientId`` they came with."""

    protocol_version = "HTTP/1.1"
    sockets: dict[str, Server] = {}  # noqa: RUF012 - one for all connections

    def do_GET(self) -> None:
        """Answer with a file, a part of it, or that it is still the same."""
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/ws":
            self._talk(query["clientId"][0])
        elif unquote(url.path) in FILES:
            self._send_file(*FILES[unquote(url.path)])
        else:
            self._send(404, "text/plain", b"404: Not Found")

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def do_POST(self) -> None:
        """Take a prompt and tell its client's websocket that it is done."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        told = {"type": "executed", "data": {"prompt_id": "p1"}}
        self.sockets[asked["client_id"]].send(json.dumps(told))
        self._send(200, "application/json", b'{"prompt_id": "p1", "number": 1}')

    def log_request(self, *args: Any) -> None:
        """Keep quiet."""

    def _talk(self, client: str) -> None:
        names = {
            f"HTTP_{name.upper().replace('-', '_')}": value
            for name, value in self.headers.items()
        }
        environ = {**names, "werkzeug.socket": self.connection, "PATH_INFO": "/ws"}
        web_socket = Server.accept(environ)
        self.sockets[client] = web_socket
        web_socket.send(json.dumps({"type": "status", "data": {"sid": client}}))
        try:
            while True:  # what a client sends comes back, as a frame of a preview
                web_socket.send(web_socket.receive())
        except ConnectionClosed:
            self.close_connection = True

    def _send_file(self, kind: str, data: bytes) -> None:
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        fixed = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "no-cache"}
        if self.headers.get("If-None-Match") == tag:
            self._send(304, kind, b"", fixed)
            return
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if wanted is None:
            self._send(200, kind, data, fixed)
            return
        first, last = int(wanted[1]), int(wanted[2] or len(data) - 1)
        if first >= len(data):
            place = {"Content-Range": f"bytes */{len(data)}"}
            self._send(416, kind, b"", fixed | place)
            return
        place = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
        self._send(206, kind, data[first : last + 1], fixed | place)

    def _send(
        self, status: int, kind: str, data: bytes, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def main() -> None:
    """Serve until the process is told to end."""
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Comfy)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    main()
