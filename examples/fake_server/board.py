"""What has happened so far, and who is held back."""

import os
import threading
import time
from collections import Counter
from typing import Any

from fake_server.message import Answer, Controls, json_answer


class Board:
    """Counters and holds; any thread.

    Attributes:
        about: facts for /health; times are of the machine's monotonic clock, so
            that another process can compare them with its own.
    """

    def __init__(self, name: str, ready_after_s: float) -> None:
        now_s = time.monotonic()
        self.about: dict[str, Any] = {
            "name": name,
            "pid": os.getpid(),
            "children": [],
            "started_s": now_s,
            "ready_s": now_s + ready_after_s,
        }
        self._changed = threading.Condition()  # guards everything below
        self._counts = Counter(
            total=0, in_progress=0, held=0, hangups=0, terms=0, flood_bytes=0
        )
        self._by_path: Counter[str] = Counter()
        self._holds: dict[int, str] = {}  # descriptor that takes the release: key

    def listens(self) -> None:
        """Note that the port is open: not ready before that."""
        self.about["ready_s"] = max(self.about["ready_s"], time.monotonic())

    def count(self, name: str, change: int = 1) -> None:
        """Change a counter."""
        with self._changed:
            self._counts[name] += change
            self._changed.notify_all()

    def begin(self, path: str) -> None:
        """Count a request that is now in progress."""
        with self._changed:
            self._by_path[path] += 1
            self._counts["total"] += 1
            self._counts["in_progress"] += 1
            self._changed.notify_all()

    def state(self, controls: Controls) -> Answer:
        """Return the counters, once they are within the bounds asked for."""

        def is_so() -> bool:
            for name, number in self._counts.items():
                least = controls.number(f"min_{name}", number)
                if not least <= number <= controls.number(f"max_{name}", number):
                    return False
            return True

        with self._changed:
            done = self._changed.wait_for(is_so, controls.number("within", 10))
            seen = {**self.about, **self._counts, "by_path": self._by_path}
            return json_answer(seen, 200 if done else 504)

    def release(self, controls: Controls) -> Answer:
        """Wait until enough requests are held, then let them go on."""
        keys = controls.get("key")

        def matching() -> list[int]:
            return [fd for fd, key in self._holds.items() if not keys or key in keys]

        def are_held() -> bool:
            return len(matching()) >= controls.count("count", 1)

        with self._changed:
            done = self._changed.wait_for(are_held, controls.number("within", 10))
            released = matching() if done else []
            for descriptor in released:
                del self._holds[descriptor]
                os.write(descriptor, b"!")
        return json_answer({"released": len(released)}, 200 if done else 504)

    def enter_hold(self, key: str, descriptor: int) -> None:
        """Begin a hold; a byte is written to *descriptor* to end it."""
        with self._changed:
            self._holds[descriptor] = key
            self._counts["held"] += 1
            self._changed.notify_all()

    def leave_hold(self, descriptor: int) -> None:
        """End a hold, released or not."""
        with self._changed:
            self._holds.pop(descriptor, None)
            self._counts["held"] -= 1
            self._changed.notify_all()
