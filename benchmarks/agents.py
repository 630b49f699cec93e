"""Two agents that share a machine: what lingering is worth, with real processes.

Each agent has a model of its own, of which only one may run. It asks, reads the answer,
thinks a moment, and asks again, so many times. The schedulers are measured in turns:

    python -m benchmarks.agents

That is examples/traces/two_agents.jsonl in a tenth of the time; ``python -m swapper.sim``
tells what to expect.
"""

import argparse
import json
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.swap_overhead import HOST, call, free_ports, model_command

MODELS: Final = ("a", "b")
SCHEDULERS: Final = ("fifo", "adaptive")
START_TIMEOUT_S: Final = 60.0
STARTED: Final = "start model="
LINGERED: Final = "lingered in vain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one scheduler made of it.

    Attributes:
        makespan_s: from the first request to the last answer.
        longest_s: the longest that an agent waited for one answer.
        loads: models started.
        in_vain: how often a model lingered and nobody came.
    """

    makespan_s: float
    longest_s: float
    loads: int
    in_vain: int


def configuration(scheduler: str, load_s: float, max_wait_s: int, port: int) -> str:
    """Return the text of a configuration, which as JSON is YAML too."""
    models = {
        name: {
            "cmd": f"{shlex.join(model_command(name, load_s, 'listen'))} --port ${{PORT}}",
            "proxy": f"http://{HOST}:${{PORT}}",
        }
        for name in MODELS
    }
    own = {scheduler: {"maxWait": max_wait_s}}
    routing = {"scheduler": {"use": scheduler, "settings": own}}
    return json.dumps({"startPort": port, "models": models, "routing": routing})


@contextmanager
def running(text: str, port: int, log: Path) -> Iterator[None]:
    """Run swapper with this configuration until the block ends."""
    config = log.with_name("config.yaml")
    config.write_text(text, encoding="utf-8")
    words = [sys.executable, "-m", "swapper", "--config", str(config)]
    words += ["--listen", f"{HOST}:{port}"]
    with (
        log.open("wb") as out,
        subprocess.Popen(words, stdout=out, stderr=out) as proxy,
    ):
        try:
            _wait_until_it_answers(proxy, port)
            yield
        finally:
            proxy.send_signal(signal.SIGTERM)


def _wait_until_it_answers(proxy: "subprocess.Popen[bytes]", port: int) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if proxy.poll() is not None:
            raise RuntimeError(f"swapper ended with status {proxy.returncode}")
        try:
            call(port, "/running")
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise TimeoutError("swapper does not answer")


def agent(port: int, model: str, options: argparse.Namespace) -> float:
    """Work through a chain of requests; return the longest wait for an answer."""
    longest_s = 0.0
    path = f"/v1/chat/completions?delay={options.answer}"
    for _ in range(options.requests):
        began_s = time.monotonic()
        call(port, path, {"model": model, "messages": []})
        longest_s = max(longest_s, time.monotonic() - began_s)
        time.sleep(options.think)
    return longest_s


def measure(scheduler: str, options: argparse.Namespace) -> Round:
    """Run both agents once against a new swapper."""
    port = free_ports(3)
    text = configuration(scheduler, options.load, options.max_wait, port + 1)
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "log")
        with running(text, port, log), ThreadPoolExecutor(len(MODELS)) as pool:
            began_s = time.monotonic()
            waits = pool.map(lambda model: agent(port, model, options), MODELS)
            longest_s = max(waits)
            makespan_s = time.monotonic() - began_s - options.think
        told = log.read_text(encoding="utf-8")
    return Round(
        makespan_s=makespan_s,
        longest_s=longest_s,
        loads=told.count(STARTED),
        in_vain=told.count(LINGERED),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print a table and the JSON line."""
    options = _parse(argv)
    rounds: dict[str, list[Round]] = {name: [] for name in SCHEDULERS}
    print(f"{'':10}{'makespan':>10}{'loads':>8}{'longest wait':>14}{'in vain':>9}")
    for _ in range(options.rounds):
        for name in SCHEDULERS:
            one = measure(name, options)
            rounds[name].append(one)
            print(
                f"{name:10}{one.makespan_s:8.1f} s{one.loads:8}{one.longest_s:12.1f} s"
                f"{one.in_vain:9}",
                flush=True,
            )
    medians = {
        name: {
            "makespan_s": round(statistics.median(r.makespan_s for r in done), 2),
            "loads": statistics.median(r.loads for r in done),
            "longest_s": round(max(r.longest_s for r in done), 2),
        }
        for name, done in rounds.items()
    }
    print(json.dumps({"benchmark": "agents", "results": medians}))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agents")
    parser.add_argument("--rounds", type=int, default=2, help="of each scheduler")
    parser.add_argument("--requests", type=int, default=20, help="of each agent")
    parser.add_argument("--answer", type=float, default=0.2, help="seconds")
    parser.add_argument("--think", type=float, default=0.03, help="seconds")
    parser.add_argument("--load", type=float, default=1.0, help="seconds per load")
    parser.add_argument("--max-wait", type=int, default=6, help="seconds")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
