"""What a swap costs beyond the stop of one model and the start of the other.

A client asks for two models in turns, of which only one may run. It waits for

    stop of the old one + start of the new one until it is ready + overhead

The first two are measured by running the very same commands without swapper, once per
swap: from SIGTERM until the process is reaped, and from its spawning until the moment
that the model itself notes as ready on the machine's monotonic clock. The rest is
swapper's, or the peer's, the request on the warm model included.
"""

import argparse
import http.client
import json
import os
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FAKE_MODEL: Final = Path(__file__).parents[1] / "examples" / "fake_model.py"
SWAPPER: Final = f"{shlex.quote(sys.executable)} -m swapper --config {{config}} --listen 127.0.0.1:{{port}}"
HOST: Final = "127.0.0.1"
TIMEOUT_S: Final = 60.0


def model_command(name: str, load_s: float, how: str) -> list[str]:
    """Return the command of a model that takes *load_s*; ``--port`` is missing."""
    command = [sys.executable, "-ES", str(FAKE_MODEL), "--name", name]
    return [*command, f"--{how}-after", str(load_s)]


def call(port: int, path: str, body: object = None) -> Any:
    """Make one request on a new connection and return the JSON answer.

    Raises:
        RuntimeError: the status is not 200.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        if body is None:
            connection.request("GET", path)
        else:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        data = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status} {data[:300]!r}")
    return json.loads(data)


def ask(port: int, model: str) -> float:
    """Return how many seconds a chat request takes; the right model must answer."""
    began_s = time.monotonic()
    answer = call(port, "/v1/chat/completions", {"model": model, "messages": []})
    took_s = time.monotonic() - began_s
    text = answer["choices"][0]["message"]["content"]
    if not text.startswith(model):
        raise RuntimeError(f"asked {model}, was answered {text!r}")
    return took_s


def bare_cycle(name: str, load_s: float, how: str) -> float:
    """Return the seconds that a start and a stop take without anybody's help."""
    command = [*model_command(name, load_s, how), "--port", "0"]
    began_s = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        if process.stdout is None:
            raise RuntimeError("no pipe")
        line = process.stdout.readline()  # comes when the port is open
        port = int(line.partition("port ")[2].partition(",")[0])
        ready_s: float = call(port, "/fake/state")["ready_s"]
        time.sleep(max(0.0, ready_s - time.monotonic()))
        stop_s = time.monotonic()
        process.terminate()
        process.wait()
        return ready_s - began_s + time.monotonic() - stop_s


@dataclass(slots=True)
class Contestant:
    """A running proxy and what was measured of it, in seconds."""

    name: str
    port: int
    model_port: int
    totals_s: list[float] = field(default_factory=list)
    overheads_s: list[float] = field(default_factory=list)
    after_ready_s: list[float] = field(default_factory=list)
    warm_s: list[float] = field(default_factory=list)

    def swap_to(self, model: str, bare_s: float) -> None:
        """Measure one swap; *bare_s* is what it would take at best."""
        total_s = ask(self.port, model)
        answered_s = time.monotonic()
        own_port = self.model_port + (model == "b")
        ready_s = call(own_port, "/fake/state")["ready_s"]
        self.totals_s.append(total_s)
        self.overheads_s.append(total_s - bare_s)
        self.after_ready_s.append(answered_s - ready_s)
        self.warm_s.append(ask(self.port, model))

    def summary(self) -> dict[str, float]:
        """Return milliseconds."""
        return {
            "total_ms": _ms(statistics.median(self.totals_s)),
            "overhead_ms": _ms(statistics.median(self.overheads_s)),
            "overhead_worst_ms": _ms(max(self.overheads_s)),
            "after_ready_ms": _ms(statistics.median(self.after_ready_s)),
            "warm_request_ms": _ms(statistics.median(self.warm_s)),
        }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def free_ports(count: int) -> int:
    """Return the first of *count* free ports in a row, below the ephemeral ones."""
    for first in range(20000 + os.getpid() % 5000, 32000, count):
        try:
            for port in range(first, first + count):
                socket.create_server((HOST, port)).close()
        except OSError:
            continue
        return first
    raise RuntimeError("no free ports")


@contextmanager
def running(name: str, template: str, load_s: float, how: str) -> Iterator[Contestant]:
    """Run a proxy over models ``a`` and ``b`` with ``a`` loaded."""
    first_port = free_ports(3)
    contestant = Contestant(name, first_port, first_port + 1)
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory, "config.yaml")
        lines = [f"startPort: {contestant.model_port}", "models:"]
        for model in ("a", "b"):
            command = shlex.join(model_command(model, load_s, how))
            quoted = json.dumps(f"{command} --port ${{PORT}}")
            proxy = f'"http://{HOST}:${{PORT}}"'
            lines += [f"  {model}:", f"    cmd: {quoted}", f"    proxy: {proxy}"]
        config.write_text("\n".join([*lines, ""]), encoding="utf-8")
        words = shlex.split(template.format(config=config, port=contestant.port))
        with Path(directory, "log").open("w+b") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log)
            try:
                _wait_until_it_listens(process, contestant.port)
                ask(contestant.port, "a")
                yield contestant
            except Exception:
                log.seek(0)
                sys.stderr.write(log.read()[-4000:].decode(errors="replace"))
                raise
            finally:
                _stop(process)


def _wait_until_it_listens(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise RuntimeError(f"the proxy ended with status {process.returncode}")
        try:
            socket.create_connection((HOST, port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError("the proxy does not listen")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def measure(
    load_s: float, how: str, swaps: int, templates: dict[str, str]
) -> tuple[float, list[Contestant]]:
    """Return the median bare time and the contestants, measured in turns."""
    bare_s = []
    with ExitStack() as stack:
        contestants = [
            stack.enter_context(running(name, template, load_s, how))
            for name, template in templates.items()
        ]
        for number in range(swaps):
            model = "ba"[number % 2]
            bare_s.append(bare_cycle(model, load_s, how))
            turn = number % len(contestants)
            for contestant in contestants[turn:] + contestants[:turn]:
                contestant.swap_to(model, bare_s[-1])
    return statistics.median(bare_s), contestants


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table and the JSON line."""
    options = _parse(argv)
    templates = {"swapper": SWAPPER}
    if options.peer:
        templates["peer"] = options.peer
    results = []
    print(
        f"{'load':>6} {'bare':>8}  {'':8} {'total':>8} {'overhead':>9} {'worst':>8}"
        f" {'after ready':>12} {'warm request':>13}   (ms, medians)"
    )
    for load_s in options.load:
        bare_s, contestants = measure(load_s, options.how, options.swaps, templates)
        for contestant in contestants:
            row = contestant.summary()
            print(
                f"{load_s * 1000:6.0f} {bare_s * 1000:8.1f}  {contestant.name:8}"
                f" {row['total_ms']:8.1f} {row['overhead_ms']:9.1f}"
                f" {row['overhead_worst_ms']:8.1f} {row['after_ready_ms']:12.1f}"
                f" {row['warm_request_ms']:13.2f}"
            )
            about = {"load_s": load_s, "bare_ms": _ms(bare_s), "name": contestant.name}
            results.append({**about, **row})
    told = {"swaps": options.swaps, "how": options.how, "results": results}
    print(json.dumps({"benchmark": "swap_overhead", **told}))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.swap_overhead", description=__doc__
    )
    parser.add_argument("--swaps", type=int, default=10, help="per load time")
    parser.add_argument(
        "--load",
        type=lambda text: [float(part) for part in text.split(",")],
        default=[0.0, 0.1, 0.3],
        metavar="S,S",
        help="load times of the models beyond their own start",
    )
    parser.add_argument(
        "--how",
        choices=("listen", "ready"),
        default="listen",
        help="a loading model does not listen, or answers 503",
    )
    parser.add_argument(
        "--peer",
        metavar="CMD",
        help="another proxy to compare, with {config} and {port} in its command",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
