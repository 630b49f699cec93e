"""Finished requests, and waiting for what a store does with them."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from swapper.record.row import Finished
from swapper.record.store import Stored
from tests.fakes.model_server import Response
from tests.fakes.program import SwapperProgram

TIMEOUT_S = 20.0

ACTIVITY = "/api/metrics/activity"


def activity(program: SwapperProgram, query: str = "") -> list[dict[str, Any]]:
    """Return the rows of a program's log as they are now, newest first."""
    answer = program.call(f"{ACTIVITY}?limit=999&{query}")
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def row_of(program: SwapperProgram, send: Callable[[], Response]) -> dict[str, Any]:
    """Return the one row that a request leaves; it comes behind the response."""
    before = max((row["id"] for row in activity(program)), default=0)
    answer = send()
    [row] = wait_for_rows(program, 1, after=before)
    assert row["request_id"] == answer.header("X-Request-Id")
    return row


def wait_for_rows(
    program: SwapperProgram, count: int, *, after: int = 0
) -> list[dict[str, Any]]:
    """Return the rows behind *after* once there are *count* of them, newest first."""
    deadline, pause = time.monotonic() + TIMEOUT_S, threading.Event()
    while time.monotonic() < deadline:
        found = activity(program, f"min_id={after + 1}")
        if len(found) >= count:
            return found
        pause.wait(0.02)
    raise TimeoutError(f"{len(found)} rows behind {after} and not {count}")


def wait_for_capture(program: SwapperProgram, row: dict[str, Any]) -> dict[str, Any]:
    """Return what was captured of a row's request; it comes a moment behind the row."""
    deadline, pause = time.monotonic() + TIMEOUT_S, threading.Event()
    while time.monotonic() < deadline:
        answer = program.call(f"/api/captures/{row['id']}")
        if answer.status == 200:
            found: dict[str, Any] = answer.json()
            return found
        pause.wait(0.02)
    raise TimeoutError(f"row {row['id']} got no capture")


def finished(**changes: Any) -> Finished:
    """Return a finished request; what is not given is like a short chat's."""
    facts: dict[str, Any] = {
        "request_id": "r-1",
        "model": "m1",
        "peer": "",
        "is_known": True,
        "method": "POST",
        "route": "/v1/chat/completions",
        "req_path": "/v1/chat/completions",
        "is_recorded": True,
        "status": 200,
        "resp_content_type": "application/json",
        "resp_bytes": 41,
        "is_truncated": False,
        "ended_s": 1767323045.75,
        "duration_ms": 41,
        "queue_ms": 3,
        "load_ms": 20,
        "first_byte_ms": 30,
    }
    return Finished(**(facts | changes))


class Listener:
    """Is told what was stored, and can be waited for."""

    def __init__(self) -> None:
        self.batches: list[list[Stored]] = []
        self._changed = threading.Condition()

    def __call__(self, stored: Sequence[Stored]) -> None:
        """Take a batch; the store's thread."""
        with self._changed:
            self.batches.append(list(stored))
            self._changed.notify_all()

    @property
    def ids(self) -> list[int]:
        """Return the ids of all rows so far."""
        return [row.id for batch in self.batches for row in batch]

    def wait_for(self, count: int) -> list[int]:
        """Return the ids once there are *count* rows."""
        with self._changed:
            found = self._changed.wait_for(lambda: len(self.ids) >= count, TIMEOUT_S)
        assert found, f"{len(self.ids)} rows were stored and not {count}"
        return self.ids
