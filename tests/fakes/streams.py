"""Event streams read as they arrive, and what a loading stream says."""

import http.client
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

DEADLINE_S = 30.0


class EventStream:
    """One POST whose answer is read event by event; a context manager.

    Attributes:
        status: of the answer.
        received: everything read so far.
    """

    def __init__(self, base_url: str, target: str, body: Mapping[str, Any]) -> None:
        """Send the request and wait for the head."""
        host = base_url.partition("//")[2]
        self._connection = http.client.HTTPConnection(host, timeout=DEADLINE_S)
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", target, json.dumps(body), headers)
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        self.received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Hang up."""
        self._answer.close()
        self._connection.close()

    def header(self, name: str) -> str | None:
        """Return a header of the answer."""
        return self._answer.headers.get(name)

    def event(self) -> bytes:
        """Return the next event without its blank line; b"" at the end."""
        lines = []
        while (line := self._answer.readline()) and line != b"\n":
            lines.append(line)
        event = b"".join(lines)
        self.received += event + line
        return event

    def wait_for(self, text: str) -> None:
        """Read on until what the loading stream said contains *text*.

        Raises:
            EOFError: the stream ended without it.
        """
        while text not in told(self.received):
            if not self.event():
                raise EOFError(f"no {text!r} in {told(self.received)!r}")

    def rest(self) -> bytes:
        """Return everything to the end, what was read before included."""
        self.received += self._answer.read()
        return self.received


def told(stream: bytes) -> str:
    """Return the loading text of a stream: reasoning and comments."""
    said: list[str] = []
    for line in stream.decode().splitlines():
        if line.startswith(": "):
            said.append(f"{line[2:]}\n")
        elif line.startswith("data: {"):
            choices = json.loads(line[6:]).get("choices", ())
            deltas = [choice.get("delta", {}) for choice in choices]
            said += [delta.get("reasoning_content", "") for delta in deltas]
    return "".join(said)


def last_error(stream: bytes) -> dict[str, Any]:
    """Return the ``error`` member of the last event that has data."""
    lines = [line for line in stream.splitlines() if line.startswith(b"data: {")]
    error: dict[str, Any] = json.loads(lines[-1][6:])["error"]
    return error
