"""examples/fake_model.py for tests: as a model's command, or run directly."""

import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

FAKE_MODEL = Path(__file__).parents[2] / "examples" / "fake_model.py"
TIMEOUT_S = 20.0

_LISTENS = re.compile(r"listens on port (\d+), pids ([\d ]+)")


def fake_model_command(*options: str) -> str:
    """Return ``cmd`` text for a config file; the port is ``${PORT}``."""
    return f"{shlex.join(_python())} --port ${{PORT}} {shlex.join(options)}".strip()


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response; header names as received, in order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        """Return the first value of a header, in whatever case."""
        values = (v for n, v in self.headers if n.lower() == name.lower())
        return next(values, None)


def call(
    url: str,
    body: bytes | str | Mapping[str, Any] | None = None,
    *,
    method: str = "",
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Response:
    """Make one request on a connection of its own; a mapping is sent as JSON."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    sent = dict(headers or {})
    if isinstance(body, Mapping):
        body = json.dumps(body)
        sent.setdefault("Content-Type", "application/json")
    try:
        usual = "GET" if body is None else "POST"
        connection.request(method or usual, target, body, sent)
        answer = connection.getresponse()
        received = answer.read()
        return Response(answer.status, tuple(answer.getheaders()), received)
    finally:
        connection.close()


def fake_state(base_url: str, **bounds: float) -> dict[str, Any]:
    """Return the counters of the model at *base_url*, waiting until they are so.

    Args:
        base_url: of the model itself or of its ``/upstream/MODEL``.
        bounds: ``min_hangups=1, max_in_progress=0, within=5``.

    Raises:
        TimeoutError: the counters did not get there.
    """
    answer = call(f"{base_url}/fake/state?{urlencode(bounds)}")
    if answer.status != 200:
        raise TimeoutError(f"{bounds}: {answer.body.decode()}")
    state: dict[str, Any] = answer.json()
    return state


def fake_release(base_url: str, key: str | None = None, count: int = 1) -> int:
    """Wait until *count* requests are held, let them go on, return how many.

    Raises:
        TimeoutError: there were not so many.
    """
    query: dict[str, object] = {"count": count}
    if key is not None:
        query["key"] = key
    answer = call(f"{base_url}/fake/release?{urlencode(query)}", b"")
    if answer.status != 200:
        raise TimeoutError(f"fewer than {count} requests are held under {key!r}")
    released: int = answer.json()["released"]
    return released


class FakeModel:
    """A fake model run as a child process; a context manager that waits till it listens.

    Its output is read up to the line that tells the port; what comes later stays in
    the pipe, ``process.stdout``.
    """

    def __init__(self, *options: str, name: str = "fake", port: int = 0) -> None:
        """Prepare; *port* 0 lets it choose one."""
        own = ["--port", str(port), "--name", name]
        self._command = [*_python(), *own, *options]
        self.port = port
        self.pids: tuple[int, ...] = ()

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            ChildProcessError: it ended before it listened.
        """
        self.process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if listens := _LISTENS.search(line):
                self.port = int(listens[1])
                self.pids = tuple(map(int, listens[2].split()))
                return self
        self._end()
        raise ChildProcessError(f"the fake model ended: {self.process.returncode}")

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Kill it and the processes it started."""
        self._end()

    def _end(self) -> None:
        self.process.kill()
        for pid in self.pids[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(
        self, target: str, body: bytes | str | Mapping[str, Any] | None = None
    ) -> Response:
        return call(f"{self.url}{target}", body)

    def state(self, **bounds: float) -> dict[str, Any]:
        """Return the counters; see ``fake_state``."""
        return fake_state(self.url, **bounds)

    def release(self, key: str | None = None, count: int = 1) -> int:
        """Let held requests go on; see ``fake_release``."""
        return fake_release(self.url, key, count)


def _python() -> list[str]:
    return [sys.executable, "-ES", str(FAKE_MODEL)]  # without site: a faster start
