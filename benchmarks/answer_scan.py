"""What it costs to look into an answer as it passes: token counts, captures.

    python -m benchmarks.answer_scan

CPU time of this process, best of the rounds; beside JSON bodies what ``json.loads``
takes for the same. An event stream passes one event at a time, and at 64 kB; other
bodies pass in pieces of 64 kB.
"""

import gzip
import json
import random
import time
from collections.abc import Callable

from swapper.record.captures import Draft, pack
from swapper.record.tap import ResponseTap

PIECE_BYTES = 65536
ROUNDS = 7
BUDGET_S = 0.15
"""For one round of one line."""

_rng = random.Random(1)  # noqa: S311 - any numbers will do

EVENT = (
    b'data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1694268190,'
    b'"model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,'
    b'"finish_reason":null}]%b}\n\n'
)
EVENTS = {
    "nothing to see": EVENT % b"",
    '"usage":null': EVENT % b',"usage":null',
    "timings": EVENT % b',"timings":{"prompt_n":1,"predicted_n":2}',
}
CHAT = json.dumps(
    {
        "choices": [{"message": {"role": "assistant", "content": "some words " * 90}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 7},
    }
).encode()
_vectors = [[_rng.gauss(0, 0.1) for _ in range(1024)] for _ in range(64)]
BODIES = {
    "1 kB chat": CHAT,
    "1.4 MB embeddings": json.dumps({"data": _vectors, "usage": {}}).encode(),
    "8 MB image": json.dumps({"data": [{"b64": "QUJD" * (2 << 20)}]}).encode(),
    "3 MB text, escapes": json.dumps({"text": 'a "word"\n' * 300_000}).encode(),
}


def cpu_s(run: Callable[[], object]) -> float:
    """Return the seconds that one call takes."""
    best = float("inf")
    for _ in range(ROUNDS):
        count, begun = 0, time.process_time()
        while time.process_time() - begun < BUDGET_S:
            run()
            count += 1
        best = min(best, (time.process_time() - begun) / count)
    return best


def passing(pieces: list[bytes], kind: str, coding: str = "") -> Callable[[], object]:
    """Return what lets an answer pass."""
    headers = [("Content-Type", kind), ("Content-Encoding", coding)]

    def run() -> object:
        tap = ResponseTap("/v1/chat/completions")
        tap.head(200, headers)
        for piece in pieces:
            tap.piece(piece)
        return tap.end(is_complete=True)

    return run


def cut(body: bytes) -> list[bytes]:
    """Return *body* in pieces."""
    return [body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES)]


def events() -> None:
    """Print what events cost."""
    print(f"{'event':24}{'one by one':>14}{'at 64 kB':>14}  us/event")
    for name, event in EVENTS.items():
        single = cpu_s(passing([event] * 1000, "text/event-stream")) / 1000
        body = event * 3000
        many = cpu_s(passing(cut(body), "text/event-stream")) / 3000
        print(f"{name:24}{single * 1e6:14.2f}{many * 1e6:14.2f}")


def bodies() -> None:
    """Print what JSON costs, plain and compressed, and to keep it."""
    print(f"\n{'body':24}{'scan':>10}{'gzip':>10}{'loads':>10}{'pack':>10}  ms per MB")
    for name, body in BODIES.items():
        draft = Draft("/", (), len(body))
        draft.add(body)
        draft.end("/", (), has_body=True)
        runs = (
            passing(cut(body), "application/json"),
            passing(cut(gzip.compress(body)), "application/json", "gzip"),
            lambda body=body: json.loads(body),
            lambda draft=draft: pack(draft.capture()),
        )
        costs = [cpu_s(run) * 1e3 / (len(body) / 1e6) for run in runs]
        print(f"{name:24}" + "".join(f"{cost:10.2f}" for cost in costs))


if __name__ == "__main__":
    events()
    bodies()
