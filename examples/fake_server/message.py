"""Requests and responses as values; pure."""

import json
from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote

Json = dict[str, Any]

REASONS: Final = {101: "Switching Protocols", 200: "OK", 404: "Not Found"}


class Controls(dict[str, list[str]]):
    """What one request asks for; the last value of a name counts."""

    def text(self, name: str, default: str = "") -> str:
        """Return a value, *default* if it was not given."""
        return self.get(name, [default])[-1]

    def number(self, name: str, default: float = 0) -> float:
        """Return a numeric value, *default* if it was not given."""
        return float(self.text(name, str(default)))

    def count(self, name: str, default: int = 0) -> int:
        """Return a whole number, *default* if it was not given."""
        return int(self.text(name, str(default)))


class Request(NamedTuple):
    """A request as it arrived; target and headers are untouched."""

    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]
    controls: Controls
    body: bytes = b""

    @property
    def path(self) -> str:
        """Return the decoded path."""
        return unquote(self.target.partition("?")[0])

    @property
    def is_upgrade(self) -> bool:
        """Return whether the client wants another protocol."""
        return bool(self.header("upgrade")) and "status" not in self.controls

    def header(self, name: str) -> str:
        """Return the first value of a header given in lower case, else ""."""
        return next((value for key, value in self.headers if key.lower() == name), "")

    def json(self) -> Json:
        """Return the body if it is a JSON object, else an empty one."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def parse_request(head: str, defaults: str) -> Request:
    """Return the request of a head, body not read yet.

    Args:
        head: request line and headers without the empty line.
        defaults: controls in query form for every request but /health.
    """
    line, *lines = head.split("\r\n")
    method, target, version = line.split(" ")
    split = (entry.partition(":") for entry in lines)
    headers = [(name, value.strip()) for name, _, value in split]
    path, _, query = target.partition("?")
    given = [
        (name[7:].lower().replace("-", "_"), value)
        for name, value in headers
        if name.lower().startswith("x-fake-")
    ]
    controls = Controls()
    usual = "" if path == "/health" else defaults
    for name, value in chain(_query(usual), _query(query), given):
        controls.setdefault(name, []).append(value)
    return Request(method, target, version, headers, controls)


def _query(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True)


class Answer(NamedTuple):
    """A response; *length* is the size of all *pieces* together."""

    status: int
    content_type: str
    pieces: Iterable[bytes]
    length: int
    headers: list[tuple[str, str]]


def answer_of(pieces: list[bytes], content_type: str, status: int = 200) -> Answer:
    """Return an answer whose pieces are all known."""
    return Answer(status, content_type, pieces, sum(map(len, pieces)), [])


def json_answer(value: object, status: int = 200) -> Answer:
    """Return a JSON document."""
    return answer_of([json.dumps(value).encode()], "application/json", status)


def render_head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Return a response head, without any check."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Fake')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def render(answer: Answer) -> bytes:
    """Return a whole response with a Content-Length."""
    headers = [("Content-Type", answer.content_type)]
    headers.append(("Content-Length", str(answer.length)))
    return render_head(answer.status, headers) + b"".join(answer.pieces)
