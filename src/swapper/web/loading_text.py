"""What a client is told while its model loads, and when; pure (http-api.md 18.4).

A teller is a state machine without a clock of its own: ``tell`` says what is due now,
``due_s`` when to ask again. How the words reach the client is ``loading_events.py``'s.
"""

import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol, TypeAlias

from swapper.core.ids import ModelId
from swapper.scheduler import Standing

TICK_S: Final = 0.75
HEARTBEAT_S: Final = 5.0
SEPARATOR: Final = "\u2501" * 5

_PIECE_CHARS: Final = 5
_BYTES_PER_S: Final = 75
_REMARK_PAUSE_S: Final = (5, 9)

REMARKS: Final = (
    "Good weights are worth the wait.",
    "Moving several billion numbers, one at a time, very fast.",
    "Please do not tap on the GPU.",
    "The model is stretching its attention heads.",
    "Counting parameters. So far none is missing.",
    "Warming up the matrix multipliers.",
    "Reading the weights from disk, without moving its lips.",
    "There is still time to improve the prompt.",
    "Somewhere a fan has just started to spin.",
    "Unpacking tensors. Mind the edges.",
    "It knew the answer a moment ago, it only has to wake up.",
    "Laying out the tokens in alphabetical order.",
    "Asking the memory for a contiguous favour.",
    "Big models come to those who wait.",
    "Checking that the layers are in the right order.",
    "Rounding a few numbers. Nobody will notice.",
    "A good moment to look out of the window for a while.",
    "The last model left the room tidy, this will not take long.",
    "Filling the cache with high hopes.",
    "Almost everything is loaded except the rest.",
    "Teaching the softmax to be gentle.",
    "Your request is at the tip of its tongue.",
)

Place: TypeAlias = Callable[[], Standing | None]
"""Asks where the request stands; see ``PendingLease.standing``."""


class Teller(Protocol):
    """Decides what to say. One request thread.

    Attributes:
        due_s: when ``tell`` has something to say, on the clock its *now* is of.
    """

    due_s: float

    def tell(self, now: float, place: Place) -> list[str]:
        """Return the pieces of text that are due, each to be an event of its own."""
        ...

    def end(self, now: float, *, has_failed: bool) -> list[str]:
        """Return the last pieces: the wait is over."""
        ...


class Narration:
    """Full sentences: what is loading, the place in the queue, remarks, dots."""

    def __init__(
        self, model: ModelId, now: float, rng: random.Random, *, is_typed: bool
    ) -> None:
        """Begin to narrate.

        Args:
            model: real id.
            now: on a monotonic clock, in seconds.
            rng: for the order of the remarks and the time between them.
            is_typed: longer texts come in pieces, at the pace of a fast typist.
        """
        self.due_s = now
        self._begun_s = now
        self._rng = rng
        self._is_typed = is_typed
        self._tick_due_s = now + TICK_S
        self._remark_due_s = now
        self._remarks = rng.sample(REMARKS, len(REMARKS))
        self._told_place = 0
        self._typing: deque[tuple[str, float]] = deque()  # piece, pause after it
        self._write(SEPARATOR, "\n", f"swapper is loading model: {model}", "\n")

    def tell(self, now: float, place: Place) -> list[str]:
        """Return what is due; see ``Teller.tell``. *place* is asked once a tick."""
        if now < self.due_s:
            return []
        if not self._typing:
            self._tick(now, place())
        told = []
        pause_s = 0.0
        while self._typing and not pause_s:
            piece, pause_s = self._typing.popleft()
            told.append(piece)
        self.due_s = now + pause_s if pause_s else max(now, self._tick_due_s)
        return told

    def end(self, now: float, *, has_failed: bool) -> list[str]:
        """Return what is left to type and the closing lines.

        All at once, without a typist's pauses: the answer does not wait for them.
        """
        outcome = "Failed!" if has_failed else "Done!"
        done = f"{outcome} ({now - self._begun_s:.2f}s)"
        self._write("\n", done, "\n", SEPARATOR, "\n", " ", "\n")
        told = [piece for piece, _ in self._typing]
        self._typing.clear()
        return told

    def _tick(self, now: float, standing: Standing | None) -> None:
        while self._tick_due_s <= now:  # ticks missed while typing count as one
            self._tick_due_s += TICK_S
        place = standing.position if standing is not None else 0
        if standing is not None and place and place != self._told_place:
            self._told_place = place
            text = f"Queue position: #{place}{_estimate(standing)}"
            self._write("\n", text, " ")
        elif now >= self._remark_due_s:
            self._remarks.append(self._remarks.pop(0))
            self._write("\n", self._remarks[-1], " ")
        else:
            self._write(".")
            return
        self._remark_due_s = now + self._rng.randint(*_REMARK_PAUSE_S)

    def _write(self, *texts: str) -> None:
        for text in texts:
            self._typing += _typed(text) if self._is_typed else [(text, 0.0)]


class Heartbeat:
    """One short line every few seconds, so that nobody takes the wait for a hang."""

    def __init__(self, model: ModelId, now: float) -> None:
        """Begin; the first line is due *now*."""
        self.due_s = now
        self._model = model

    def tell(self, now: float, place: Place) -> list[str]:
        """Return what is due; see ``Teller.tell``."""
        if now < self.due_s:
            return []
        self.due_s = now + HEARTBEAT_S
        standing = place()
        where = ""
        if standing is not None:
            at = standing.position
            where = (f", queue position {at}" if at else "") + _estimate(standing)
        return [f"loading {self._model}{where}"]

    def end(self, now: float, *, has_failed: bool) -> list[str]:  # noqa: ARG002 - the Protocol's shape
        """Return nothing: the answer says it all."""
        return []


def _estimate(standing: Standing) -> str:
    """Return what is appended for the time still to wait; "" if that is not known."""
    if standing.estimate_s is None:
        return ""
    seconds = math.ceil(standing.estimate_s)
    if seconds < 120:
        return f", about {seconds} s"
    return f", about {round(seconds / 60)} min"


def _typed(text: str) -> Iterator[tuple[str, float]]:
    """Yield pieces of *text* and the pause after each; none after the last."""
    pieces = list(_cut(text))
    for piece in pieces[:-1]:
        yield piece, len(piece.encode()) / _BYTES_PER_S
    yield pieces[-1], 0.0


def _cut(text: str) -> Iterable[str]:
    return (
        text[start : start + _PIECE_CHARS]
        for start in range(0, len(text), _PIECE_CHARS)
    )
