"""Starting and stopping what is compared, with an upstream for each.

A contender is run in one of three ways: ``direct`` is the upstream alone, a bare proxy is
told the address of an upstream, and whatever manages models gets a configuration whose
model is the upstream, with all features on.
"""

import enum
import http.client
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks import wire
from benchmarks.build import Tools
from benchmarks.swap_overhead import free_ports

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0
POLL_S: Final = 0.002

SWAPPER_COMMAND: Final = (
    f"env PYTHONPATH={shlex.quote(str(Path(__file__).parents[1] / 'src'))}"
    f" {shlex.quote(sys.executable)} -m swapper --config {{config}} --listen {{listen}}"
)
DIRECT: Final = "direct"
YARDSTICK: Final = "go"


class Kind(enum.StrEnum):
    """How a contender is started."""

    DIRECT = "direct"
    BARE = "bare"
    MODELS = "models"


@dataclass(frozen=True, slots=True)
class Contender:
    """A program to measure.

    Attributes:
        command: of a program that manages models; ``{config}`` and ``{listen}`` in it are
            replaced. It must end up as the proxy's own process (``env`` and ``exec`` do),
            for CPU and memory are taken from that.
    """

    name: str
    kind: Kind
    command: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A contender that answers.

    Attributes:
        process: of the proxy; None for ``direct``.
        start_s: from its spawning until ``/health`` was answered.
        hears_events: whether somebody is connected to its ``/api/events``.
    """

    name: str
    port: int
    process: psutil.Process | None
    start_s: float
    hears_events: bool = False

    def cpu_s(self) -> float:
        """Return the CPU time that the proxy itself has used; 0 if there is none."""
        if self.process is None:
            return 0.0
        times = self.process.cpu_times()
        return float(times.user + times.system)

    def rss_mib(self) -> float:
        """Return the proxy's resident memory."""
        rss: int = self._proxy().memory_info().rss
        return rss / 2**20

    def peak_mib(self) -> float:
        """Return the most that its resident memory ever was."""
        status = Path(f"/proc/{self._proxy().pid}/status").read_text(encoding="ascii")
        kib = status.partition("VmHWM:")[2].split()[0]
        return int(kib) / 1024

    def _proxy(self) -> psutil.Process:
        if self.process is None:
            raise ValueError(f"{self.name} has no proxy")
        return self.process


@contextmanager
def running(
    contender: Contender, tools: Tools, *, with_events: bool = True
) -> Iterator[Running]:
    """Run a contender with its upstream, or model, started and used once.

    Raises:
        RuntimeError: it ended, did not answer in time, or not with 200.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        log = folder / "log"
        stack.enter_context(_log_when_it_fails(log))
        port = free_ports(2)
        upstream = [str(tools.upstream), str(port + 1)]
        if contender.kind is not Kind.MODELS:
            stack.enter_context(launched(upstream, log))
            _wait_for_health(port + 1)
        if contender.kind is Kind.DIRECT:
            yield Running(name=contender.name, port=port + 1, process=None, start_s=0)
            return
        began_s = time.monotonic()
        words = _command(contender, tools, port, folder)
        process = stack.enter_context(launched(words, log))
        _wait_for_health(port)
        start_s = time.monotonic() - began_s
        _use_once(port)
        hears_events = with_events and has_events(port)
        if hears_events:
            request = folder / "events"
            request.write_bytes(wire.get("/api/events"))
            listener = [str(tools.load), "-p", str(port), "-f", str(request)]
            stack.enter_context(launched([*listener, "-s", "1000000"], log))
        yield Running(
            name=contender.name,
            port=port,
            process=psutil.Process(process.pid),
            start_s=start_s,
            hears_events=hears_events,
        )


@contextmanager
def launched(words: Sequence[str], log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Run a command until the block ends."""
    env = dict(os.environ)
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program is compiled
    with log.open("ab") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, env=env)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def configuration(upstream: Path, model_port: int) -> str:
    """Return a configuration with everything on that a request can meet.

    Only captures are off: with them on, memory is what the configuration asks for.
    """
    model = {
        "cmd": f"{shlex.quote(str(upstream))} ${{PORT}}",
        "proxy": f"http://{HOST}:${{PORT}}",
        "checkEndpoint": "/health",
        "concurrencyLimit": 1000,  # the default is ten
        "filters": {"setParams": {"temperature": 0.7, "top_p": 0.9}},
    }
    document = {
        "startPort": model_port,
        "captureBuffer": 0,
        "apiKeys": [wire.API_KEY],
        "models": {wire.MODEL: model},
    }
    return json.dumps(document, indent=1)  # which is YAML too


def has_events(port: int) -> bool:
    """Return whether ``/api/events`` answers with a stream."""
    connection = http.client.HTTPConnection(HOST, port, timeout=START_TIMEOUT_S)
    try:
        headers = {"Authorization": f"Bearer {wire.API_KEY}"}
        connection.request("GET", "/api/events", headers=headers)
        response = connection.getresponse()
        kind = response.headers.get_content_type()
        return response.status == 200 and kind == "text/event-stream"
    finally:
        connection.close()


def _command(
    contender: Contender, tools: Tools, port: int, folder: Path
) -> Sequence[str]:
    listen = f"{HOST}:{port}"
    if contender.kind is Kind.BARE:
        target = f"http://{HOST}:{port + 1}"
        return [str(tools.reverse_proxy), "-listen", listen, "-upstream", target]
    config = folder / "config.yaml"
    config.write_text(configuration(tools.upstream, port + 1), encoding="utf-8")
    command = contender.command.replace("{config}", shlex.quote(str(config)))
    return shlex.split(command.replace("{listen}", listen))


def _wait_for_health(port: int) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        connection = http.client.HTTPConnection(HOST, port, timeout=START_TIMEOUT_S)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass  # not yet
        finally:
            connection.close()
        time.sleep(POLL_S)
    raise RuntimeError(f"nothing answers /health on port {port}")


def _use_once(port: int) -> None:
    head, _, body = wire.chat().partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    headers = {name: value for name, _, value in lines}
    connection = http.client.HTTPConnection(HOST, port, timeout=START_TIMEOUT_S)
    try:
        connection.request("POST", "/v1/chat/completions", body, headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"the first request: {response.status} {answer[:300]!r}")


@contextmanager
def _log_when_it_fails(log: Path) -> Iterator[None]:
    try:
        yield
    except Exception:
        if log.exists():
            sys.stderr.write(log.read_bytes()[-4000:].decode(errors="replace"))
        raise
