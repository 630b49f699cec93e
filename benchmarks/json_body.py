"""What a JSON body costs before it is sent on: finding the model, and editing.

    python -m benchmarks.json_body

Ours against ``json.loads`` (and ``dumps``), alternately in one run; medians of the
rounds in microseconds. "others wait" is the longest time that another thread, which
always wants to run, did not get to while one body was looked at, median of a few; a
thread switch is asked for every half millisecond.
"""

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from swapper.config import FilterConfig
from swapper.web.filters import BodyFilters
from swapper.web.json_edit import JsonDocument
from swapper.web.model_name import ModelRequest

BUDGET_S = 1.5
"""For the rounds of one line."""

MIN_ROUNDS, MAX_ROUNDS = 5, 2000
SWITCH_S = 0.0005
FILTERS = BodyFilters(
    FilterConfig(strip_params=("temperature",), set_params={"top_p": 0.5, "x.y": 1}),
    "real",
)


def chat(content: list[str]) -> bytes:
    """Return a chat request with these messages."""
    messages = [{"role": "user", "content": text} for text in content]
    body = {"messages": messages, "temperature": 0.7, "model": "m", "stream": True}
    return json.dumps(body).encode()


def image(count: int) -> bytes:
    """Return a chat request with an image of *count* base64 characters."""
    url = {"url": "data:image/png;base64," + "QUJD" * (count // 4)}
    content: list[Any] = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": url},
    ]
    return json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": content}]}
    ).encode()


PROSE = 'and then he said \u201cno\u201d and went home to his "friends".\n'
CODE = '    if x == "y":\n        return {"a": [1, 2]}\n'

BODIES = {
    "1 kB chat": chat([PROSE * 5] * 3),
    "100 kB chat": chat([PROSE * 8, CODE * 20] * 70),
    "100 kB image": image(100_000),
    "1 MB, 20,000 messages": chat(["hello"] * 20_000),
    "1 MB, 150,000 token ids": json.dumps(
        {"model": "m", "prompt": list(range(50_000, 200_000))}
    ).encode(),
    "20 MB image": image(20 << 20),
    "20 MB, 300,000 messages": chat(["hello, how are you?"] * 300_000),
}


def find_ours(raw: bytes) -> object:
    """Return the model's text."""
    return JsonDocument(raw).values("model")


def find_json(raw: bytes) -> object:
    """Return the model."""
    return json.loads(raw)["model"]


def edit_ours(raw: bytes) -> object:
    """Return the body with another model, one parameter less and two set."""
    wanted = ModelRequest("m", raw, len(raw), JsonDocument(raw))
    FILTERS.apply(wanted, "m")
    return wanted.body


def edit_json(raw: bytes) -> object:
    """Return the same, made from the parsed body."""
    body = json.loads(raw)
    body["model"] = "real"
    body.pop("temperature", None)
    body["top_p"] = 0.5
    body.setdefault("x", {})["y"] = 1
    return json.dumps(body, ensure_ascii=False).encode()


TASKS = {"find": (find_ours, find_json), "edit": (edit_ours, edit_json)}


def timed(call: Callable[[bytes], object], raw: bytes) -> float:
    """Return how long one call takes, in seconds."""
    start = time.perf_counter()
    call(raw)
    return time.perf_counter() - start


def alternately(
    calls: tuple[Callable[[bytes], object], ...], raw: bytes
) -> list[float]:
    """Return the median of each in seconds."""
    once = sum(timed(call, raw) for call in calls)
    rounds = min(max(int(BUDGET_S / once), MIN_ROUNDS), MAX_ROUNDS)
    taken = [[timed(call, raw) for call in calls] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*taken, strict=True)]


def longest_wait(call: Callable[[bytes], object], raw: bytes) -> float:
    """Return how long another thread had to wait at worst, in seconds."""
    longest, is_over = 0.0, threading.Event()
    is_ticking = threading.Event()

    def tick() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not is_over.is_set():
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
            is_ticking.set()

    ticker = threading.Thread(target=tick)
    ticker.start()
    is_ticking.wait()
    longest = 0.0
    call(raw)
    is_over.set()
    ticker.join()
    return longest


def main() -> None:
    """Print a line for each task and body."""
    sys.setswitchinterval(SWITCH_S)
    print(f"{'':32}{'ours':>10}{'json':>10}{'ratio':>8}   others wait: ours, json")
    for task, calls in TASKS.items():
        for name, raw in BODIES.items():
            ours, parsed = (median * 1e6 for median in alternately(calls, raw))
            waits = [
                statistics.median(longest_wait(call, raw) for _ in range(MIN_ROUNDS))
                for call in calls
            ]
            print(
                f"{task + ' ' + name:32}{ours:10.0f}{parsed:10.0f}{ours / parsed:8.2f}"
                f"   {waits[0] * 1e6:11.0f}{waits[1] * 1e6:11.0f}"
            )


if __name__ == "__main__":
    main()
