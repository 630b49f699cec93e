"""swapper as a child process, the way people run it."""

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from tests.fakes.model_server import Response, call, fake_model_command
from tests.fakes.ports import free_ports
from tests.fakes.waiting import wait_until

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 40.0

_LISTENS = re.compile(r"(?:listening on|Listening at:|Serving on) (https?://[^\s\"]+)")
_EMBED = "examples.embed:app"
_SERVERS = {
    "swapper": ["swapper", "--listen", "127.0.0.1:0"],
    "gunicorn": [
        *("gunicorn", "--worker-class", "gthread", "--threads", "64"),
        *("--limit-request-line", "8190"),
        *("--bind", "127.0.0.1:0", "--no-control-socket", _EMBED),
    ],
    "waitress": [
        *("waitress", "--threads=64", "--channel-request-lookahead=1"),
        "--no-clear-untrusted-proxy-headers",
        *("--listen=127.0.0.1:0", _EMBED),
    ],
}


def config_text(
    models: Mapping[str, str], extra: str = "", *, start_port: int = 0
) -> str:
    """Return a configuration: model id -> options of the fake model."""
    port = start_port or free_ports(len(models) + extra.count("cmd:"))
    lines = ["healthCheckTimeout: 15", f"startPort: {port}", "models:"]
    for id_, options in models.items():
        command = fake_model_command("--name", id_, *options.split())
        lines += [f"  {id_}:", "    cmd: |", f"      {command}"]
    return "\n".join([*lines, extra, ""])


def processes_with(token: str) -> list[int]:
    """Return the pids of living processes with *token* in their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and any(
                token in word for word in process.cmdline()
            ):
                found.append(process.pid)
        except psutil.Error:
            continue
    return [pid for pid in found if pid != os.getpid()]


class SwapperProgram:
    """swapper with a configuration of its own; a context manager.

    As ``python -m swapper``, or its WSGI application in another server.

    Attributes:
        url: base URL, without a final slash.
        lines: its standard output so far.
    """

    def __init__(
        self, folder: Path, config: str, *flags: str, server: str = "swapper"
    ) -> None:
        self.config = folder / "config.yaml"
        self.config.write_text(config, encoding="utf-8")
        self.token = str(folder)
        self._is_own = server == "swapper"
        own = ["--config", str(self.config)] if self._is_own else []
        self._command = [sys.executable, "-m", *_SERVERS[server], *own, *flags]
        self.url = ""
        self.lines: list[str] = []
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        """Start it and wait until it listens."""
        self.process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            env={**os.environ, "SWAPPER_CONFIG": str(self.config)},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.url = self.wait_for_line(_LISTENS, START_TIMEOUT_S)[1].rstrip("/")
        except TimeoutError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Stop it, by force if need be.

        Raises:
            AssertionError: it did not end in order.
        """
        is_running = self.process.poll() is None
        if is_running:
            self.process.terminate()
        try:
            status = self.process.wait(STOP_TIMEOUT_S)
            # others have their own ways to end, and a test may kill it
            if is_running and self._is_own and self.url:
                assert status in {0, -signal.SIGKILL}, self.lines
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            assert self.process.stdout is not None
            self.process.stdout.close()

    def stop(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_TIMEOUT_S)

    def call(
        self,
        target: str,
        body: bytes | str | Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> Response:
        """Make one request."""
        return call(self.url + target, body, **rest)

    def chat(self, model: str, **more: Any) -> Response:
        """Ask for a short chat completion."""
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": model, "messages": messages, **more}
        return self.call("/v1/chat/completions", body)

    def running(self) -> dict[str, str]:
        """Return model -> state, as ``/running`` shows."""
        rows = self.call("/running").json()["running"]
        return {row["model"]: row["state"] for row in rows}

    def upstream_url(self, model: str, timeout_s: float = 20.0) -> str:
        """Return a ready model's own address, to ask it behind swapper's back."""

        def look() -> list[str]:
            rows = self.call("/running").json()["running"]
            wanted = {"model": model, "state": "ready"}
            return [row["proxy"] for row in rows if wanted.items() <= row.items()]

        return wait_until(look, timeout_s)[0]

    def wait_for_line(
        self, pattern: re.Pattern[str] | str, timeout_s: float = 20.0
    ) -> re.Match[str]:
        """Return the first line of output that matches, waiting for it.

        Raises:
            TimeoutError: it did not come.
        """
        wanted = re.compile(pattern)
        with self._changed:
            found = self._changed.wait_for(
                lambda: (
                    next(filter(None, map(wanted.search, self.lines)), None)
                    or self.process.poll() is not None
                ),
                timeout_s,
            )
        if not isinstance(found, re.Match):
            raise TimeoutError(f"no line like {wanted.pattern!r} in {self.lines}")
        return found

    def wait_for_log(self, pattern: str, timeout_s: float = 20.0) -> str:
        """Return swapper's own log up to the first match, waiting for it."""
        wanted, seen = re.compile(pattern.encode()), b""
        host = self.url.partition("//")[2]
        connection = http.client.HTTPConnection(host, timeout=timeout_s)
        try:
            connection.request("GET", "/logs/stream/proxy")
            answer = connection.getresponse()
            while not wanted.search(seen):
                piece = answer.read1(65536)
                if not piece:
                    raise TimeoutError(f"log ended without {pattern!r}: {seen!r}")
                seen += piece
        finally:
            connection.close()
        return seen.decode()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        self.process.wait()
        with self._changed:  # nothing more will come
            self._changed.notify_all()
