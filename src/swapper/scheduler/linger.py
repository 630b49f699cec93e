"""The policy that waits a moment for the next request before it evicts a model.

An agent asks, reads, thinks, and asks the same model again. Evicting its model in that
moment costs two swaps and earns nothing. So, before a swap begins, three rules:

1. *What is likely.* Of the last pauses in the victim's use, those that would end while
   it lingers promise a request that is served at once instead of after two swaps.
   The waiting pay for that with the time it takes, and in vain with all of it. It
   lingers if the expected saving is ``SAFETY`` times the expected cost.
2. *What may be lost.* No more than half of a swap passes in vain, whatever is expected:
   whoever errs loses at most that (as one who rents skis until the rent has come to a
   part of their price).
3. *How long anybody may wait* is not decided here: who has waited for ``maxWait`` is
   owed the turn, and the policy is not asked any more (scheduler/claims.py). Nor does
   a model linger while one of higher priority waits.

Anticipatory disk scheduling has the idea: Iyer and Druschel, SOSP 2001. Pauses of
independent requests promise about as much as they cost, so that the factor in
rule 1 leaves those alone, and chains of requests stand out.

Of several waiting models, the one goes first whose swap serves the most waiting: the
seconds that its requests have waited for, per second that loading and stopping it takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.scheduler.attendance import Attendance
from swapper.scheduler.base import Admission, ModelView, Ticket
from swapper.scheduler.habits import Habits

SAFETY: Final = 3.0
"""How much the expected saving must exceed the expected cost."""

LARGEST_LOSS: Final = 0.5
"""How much of a swap may pass in vain."""

_AHEAD: Final = 1.5
"""How much more waiting a swap must serve to go before that of an older request."""


@dataclass(frozen=True, slots=True)
class Hope:
    """What lingering promises.

    Attributes:
        for_s: how long to linger, from the beginning of the pause.
        expected_s: when the next request is likely, likewise.
    """

    for_s: float
    expected_s: float


def hope(
    pauses: Sequence[float],
    *,
    elapsed_s: float,
    longest_s: float,
    saved_s: float,
    busy_s: float,
    waiting: int,
) -> Hope | None:
    """Return how long it pays to linger; None if it does not. Pure.

    Of m pauses that have lasted this long, let k end by the time t. One more is taken
    to last for ever, so that few of them promise little. The gain is k requests
    that save *saved_s* each and keep those who wait for *busy_s*, the cost the
    time that passes until then, for each who waits:

        k * (saved_s - waiting * busy_s)  against
        waiting * (sum of the k pauses + (m + 1 - k) * t)

    Args:
        pauses: how long earlier ones lasted.
        elapsed_s: how long the present one has lasted.
        longest_s: how long it may last.
        saved_s: what a request saves that need not wait for two swaps.
        busy_s: how long the model is busy once it is asked.
        waiting: how many requests would have to wait.
    """
    lasting = sorted(p for p in pauses if _at_the_latest(p) > elapsed_s)
    best, best_value, spent_s = None, 0.0, 0.0
    for k, pause_s in enumerate(lasting, 1):
        at = _at_the_latest(pause_s)
        if at > longest_s:
            break
        spent_s += at - elapsed_s
        gain = k * (saved_s - waiting * busy_s)
        cost = waiting * (spent_s + (len(lasting) + 1 - k) * (at - elapsed_s))
        if gain - SAFETY * cost > best_value:
            best_value = gain - SAFETY * cost
            best = Hope(at, max(elapsed_s, fmean(lasting[:k])))
    return best


@dataclass(slots=True)
class _Lingering:
    """A model that makes no room yet.

    Attributes:
        since: when it was first asked to.
        until: when it will.
        expected: when its next request is likely.
        target: for whom it was decided.
    """

    since: float
    until: float
    expected: float
    target: ModelId

    def text(self, now: float) -> str:
        """Return it in words, without the model."""
        left_s, expected_s = max(0.0, self.until - now), max(0.0, self.expected - now)
        return (
            f"lingers {left_s:.1f} s more, expected next request in {expected_s:.1f} s"
        )


class LingerPolicy:
    """A ``SwapPolicy``; router thread only."""

    def __init__(self, habits: Habits, attendance: Attendance) -> None:
        """Judge by *habits* and *attendance*, which somebody else keeps up to date."""
        self._habits = habits
        self._attendance = attendance
        self._lingering: dict[ModelId, _Lingering] = {}
        self._held_by: dict[ModelId, ModelId] = {}  # who lingered last, by target
        self._overtaken: dict[ModelId, ModelId] = {}
        self._reasons: list[tuple[ModelId, str]] = []

    # -- SwapPolicy ------------------------------------------------------------

    def arrived(self, ticket: Ticket, now: float) -> None:
        """Note a request; see ``SwapPolicy.arrived``."""
        if ticket.admission is not Admission.UNCOUNTED:
            self._habits.arrives(ticket.model, now)
        if ticket.admission in {Admission.SERVE, Admission.LOAD}:
            self._attendance.waits(ticket)

    def order(self, waiting: Sequence[ModelView], now: float) -> Sequence[ModelView]:
        """Return *waiting* by priority and age, but the most worthwhile one first."""
        line = sorted(waiting, key=lambda model: (-model.priority, model.oldest.id))
        self._overtaken = {}
        if len(line) < 2:
            return line
        oldest = line[0]
        equals = [model for model in line if model.priority == oldest.priority]
        worth = self._worth([model.id for model in equals], now)
        best = max(equals, key=lambda model: worth[model.id])
        if worth[best.id] > _AHEAD * worth[oldest.id]:
            line.remove(best)
            line.insert(0, best)
            self._overtaken[best.id] = oldest.id
        return line

    def not_before(
        self, target: ModelView, evict: Sequence[ModelView], now: float
    ) -> float:
        """Return until when the most promising of *evict* lingers."""
        times = {
            model.id: self._until(model, target, now)
            for model in evict
            if model.state is ProcessState.READY and model.priority >= target.priority
        }
        last = max(times, key=lambda model: times[model], default=None)
        if last is None:
            return now
        self._held_by[target.id] = last
        return times[last]

    def why(self, target: ModelId, now: float) -> str:
        """Return who lingers; see ``SwapPolicy.why``."""
        model = self._held_by.get(target)
        lingering = None if model is None else self._lingering.get(model)
        return "" if lingering is None else f"waits: {model} {lingering.text(now)}"

    # -- for the scheduler around it -------------------------------------------

    def served(self, model: ModelId) -> None:
        """Note that *model* serves a request: it does not linger any more."""
        self._lingering.pop(model, None)

    def begins(self, target: ModelId, now: float) -> None:
        """Note that the swap to *target* begins."""
        older = self._overtaken.pop(target, None)
        if older is not None and self._attendance.waiting_for(older):
            mine, theirs = (self._attendance.waited_s(m, now) for m in (target, older))
            text = (
                f"goes before {older}, {mine:.1f} s of waiting in "
                f"{self._turn_s(target):.1f} s of swapping, against {theirs:.1f} s in "
                f"{self._turn_s(older):.1f} s"
            )
            self._reasons.append((target, text))

    def evicts(self, model: ModelId, now: float) -> None:
        """Note that *model* is stopped to make room."""
        lingered = self._lingering.pop(model, None)
        if lingered is not None:
            why = f"lingered in vain for {now - lingered.since:.1f} s"
            self._reasons.append((model, why))

    def take_reasons(self) -> list[tuple[ModelId, str]]:
        """Return what was decided since the last call, and why; for the log."""
        reasons, self._reasons = self._reasons, []
        return reasons

    # -- figures ---------------------------------------------------------------

    def _until(self, victim: ModelView, target: ModelView, now: float) -> float:
        habits, waiting = self._habits, self._attendance.waiting
        reload_s = habits.load_s(victim.id) or 0.0
        load_s = habits.load_s(target.id)  # what was never loaded is like the victim
        there_s = habits.stop_s(victim.id) + (reload_s if load_s is None else load_s)
        back_s = habits.stop_s(target.id) + reload_s
        longest_s = LARGEST_LOSS * there_s
        found = hope(
            habits.pauses(victim.id),
            elapsed_s=now - victim.idle_since,
            longest_s=longest_s,
            saved_s=there_s + back_s,
            busy_s=habits.busy_s(victim.id),
            waiting=waiting,
        )
        until = now if found is None else victim.idle_since + found.for_s
        known = self._lingering.get(victim.id)
        if known is not None:
            if known.target == target.id:
                known.until = until
            # Or one for whom it does not pay would have what others wait for.
            return max(until, min(known.until, victim.idle_since + longest_s))
        if found is not None:  # told once in each pause
            expected = victim.idle_since + found.expected_s
            begun = _Lingering(now, until, expected, target.id)
            self._lingering[victim.id] = begun
            why = (
                f"{begun.text(now)}; for {target.id} it makes room then; there and back "
                f"takes {there_s + back_s:.1f} s, {waiting} waiting"
            )
            self._reasons.append((victim.id, why))
        return until

    def _worth(self, models: Sequence[ModelId], now: float) -> dict[ModelId, float]:
        """Return seconds of waiting per second of swapping for each of *models*.

        One that was never loaded is taken to be like the others.
        """
        turns = {model: self._turn_s(model) for model in models}
        known = [turn_s for turn_s in turns.values() if turn_s]
        usual_s = fmean(known) if known else 1.0
        return {
            model: self._attendance.waited_s(model, now) / (turn_s or usual_s)
            for model, turn_s in turns.items()
        }

    def _turn_s(self, model: ModelId) -> float:
        """Return what a turn of the model costs; 0 until it was loaded once."""
        return (self._habits.load_s(model) or 0.0) + self._habits.stop_s(model)


def _at_the_latest(pause_s: float) -> float:
    """Return when the request after such a pause has come, with some slack."""
    return 1.25 * pause_s + 0.05
