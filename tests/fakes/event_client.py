"""A listener at ``/api/events``."""

import http.client
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self


class Told(NamedTuple):
    """One message, its inner JSON decoded."""

    type: str
    data: Any


class EventClient:
    """Reads messages as they come; a context manager."""

    def __init__(self, base_url: str, timeout_s: float = 20.0) -> None:
        host = base_url.partition("//")[2]
        self._connection = http.client.HTTPConnection(host, timeout=timeout_s)
        self.seen: list[Told] = []

    def __enter__(self) -> Self:
        """Connect and read the head."""
        self._connection.request("GET", "/api/events")
        self.answer = self._connection.getresponse()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Leave."""
        self._connection.close()

    def next(self) -> Told:
        """Return the next message.

        Raises:
            EOFError: the stream has ended.
        """
        line = self.answer.readline()
        if not line:
            raise EOFError
        assert line == b"event:message\n"
        data = self.answer.readline()
        assert data.startswith(b'data:{"type":"')
        assert self.answer.readline() == b"\n"
        outer = json.loads(data.removeprefix(b"data:"))
        assert set(outer) == {"type", "data"}
        told = Told(outer["type"], json.loads(outer["data"]))
        self.seen.append(told)
        return told

    def until(self, wanted: Callable[[Told], bool]) -> Told:
        """Return the next message that is *wanted*."""
        while not wanted(told := self.next()):
            pass
        return told

    def in_flight(self, operation: str) -> Any:
        """Return the data of the next such in-flight message."""
        return self.until(
            lambda told: told.type == "inflight" and told.data["operation"] == operation
        ).data
