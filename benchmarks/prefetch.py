"""What reading ahead saves: a model's load from cold files, with it and without.

One model is busy for some seconds while a request for another waits, whose load reads
a file before its server starts. The kernel's cache is emptied before each turn, which
needs root on Linux. Measured is from the end of the busy request to the other's answer.

    python -m benchmarks.prefetch --mib 600 --rounds 5
"""

import argparse
import json
import os
import shlex
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks.agents import running
from benchmarks.swap_overhead import HOST, call, free_ports, model_command

_DROP_CACHES: Final = Path("/proc/sys/vm/drop_caches")
_MIB: Final = 1 << 20
WITH, WITHOUT, CACHED = "read ahead", "not read ahead", "cached"


def configuration(weights: Path, port: int, *, reads_ahead: bool) -> str:
    """Return two models that take turns, of which the second reads *weights*."""
    commands = {
        name: f"{shlex.join(model_command(name, 0.0, 'listen'))} --port ${{PORT}}"
        for name in ("busy", "next")
    }
    read = f"cat {shlex.quote(str(weights))} > /dev/null; exec {commands['next']}"
    models: dict[str, dict[str, object]] = {
        "busy": {"cmd": commands["busy"]},
        "next": {
            "cmd": f"sh -c {shlex.quote(read)}",
            "prefetch": [str(weights)] if reads_ahead else [],
        },
    }
    for model in models.values():
        model["proxy"] = f"http://{HOST}:${{PORT}}"
    return json.dumps({"startPort": port, "models": models})


def turn_s(weights: Path, how: str, busy_s: float) -> float:
    """Return how long the second model took once the first was free."""
    port = free_ports(3)
    text = configuration(weights, port + 1, reads_ahead=how == WITH)
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "log")
        with running(text, port, log), ThreadPoolExecutor(2) as pool:
            call(port, "/v1/chat/completions", {"model": "busy", "messages": []})
            if how != CACHED:
                os.sync()
                _DROP_CACHES.write_text("1", encoding="ascii")
            busy = pool.submit(call, port, "/upstream/busy/x?hold=here")
            call(port, "/upstream/busy/fake/state?min_held=1")
            asked = {"model": "next", "messages": []}
            waiting = pool.submit(call, port, "/v1/chat/completions", asked)
            time.sleep(busy_s)
            call(port, "/upstream/busy/fake/release?key=here", {})
            busy.result()
            began_s = time.monotonic()
            waiting.result()
            return time.monotonic() - began_s


def main(argv: Sequence[str] | None = None) -> int:
    """Take turns, print the medians and the JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prefetch")
    parser.add_argument("--mib", type=int, default=600, help="size of the file")
    parser.add_argument("--busy", type=float, default=3.0, help="seconds to wait")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(argv)
    if not os.access(_DROP_CACHES, os.W_OK):
        print(f"needs to write {_DROP_CACHES}: root on Linux", file=sys.stderr)
        return 2
    took: dict[str, list[float]] = {WITH: [], WITHOUT: [], CACHED: []}
    with tempfile.TemporaryDirectory() as directory:
        weights = Path(directory, "weights.gguf")
        with weights.open("wb") as file:
            for _ in range(options.mib):
                file.write(os.urandom(_MIB))
        for _ in range(options.rounds):
            for how, seconds in took.items():
                seconds.append(turn_s(weights, how, options.busy))
    for how, seconds in took.items():
        told = ", ".join(f"{s:.2f}" for s in seconds)
        print(f"{how:15} median {statistics.median(seconds):.2f} s ({told})")
    print(json.dumps({"mib": options.mib, "seconds": took}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
