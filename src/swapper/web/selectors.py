"""Selectors: names that stand for one of several models (http-api.md section 10).

The decisions are pure functions of what is known about the targets. What a selector
has to remember, its requests in progress and whose turn it is, is in one container
that outlives a reload.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from swapper.config import Config, PeerModel, SelectorConfig, Strategy, resolve
from swapper.core.errors import UnavailableError
from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.web.model_name import ModelRequest
from swapper.web.request import Request

Target: TypeAlias = ModelId | PeerModel

_UP: Final = (ProcessState.READY, ProcessState.STARTING)
_ENDING: Final = (ProcessState.STOPPING, ProcessState.SHUTDOWN)


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """What a spillover decision knows about one target.

    Attributes:
        state: of its process; None for a peer's model.
        in_progress: requests that this selector sent there and that have not ended.
    """

    state: ProcessState | None
    in_progress: int

    @property
    def is_active(self) -> bool:
        """Return whether it runs, loads, or has work of ours."""
        return self.state in _UP or (self.in_progress > 0 and self.state not in _ENDING)

    @property
    def is_cold(self) -> bool:
        """Return whether it would have to be started; or a peer without work."""
        return not self.is_active and self.state not in _ENDING


def warmest(states: Sequence[ProcessState | None]) -> int:
    """Return the index of the first target that is ready, else starting, else 0."""
    for wanted in _UP:
        if wanted in states:
            return states.index(wanted)
    return 0


def spill(
    targets: Sequence[TargetFacts], limit: int, turn: int
) -> tuple[int, bool] | None:
    """Return the target for a new request, and whether it was chosen by turn.

    1. All active targets have *limit* requests or more, or none is active: the
       first cold one, if there is one.
    2. The active one with the fewest requests, by turn among equals.
    3. None, if all are stopping.

    Args:
        targets: in the order of the configuration.
        limit: requests in progress at which the next target is started.
        turn: how many requests have been given out by turn so far.
    """
    active = [index for index, facts in enumerate(targets) if facts.is_active]
    cold = [index for index, facts in enumerate(targets) if facts.is_cold]
    fewest = min((targets[index].in_progress for index in active), default=limit)
    if fewest >= limit and cold:
        return cold[0], False
    if not active:
        return None
    equals = [index for index in active if targets[index].in_progress == fewest]
    return equals[turn % len(equals)], True


class SpilloverCounts:
    """What spillover selectors remember; one per swapper. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards both counters
        self._in_progress: Counter[tuple[str, Target]] = Counter()
        self._turns: Counter[str] = Counter()

    def take(
        self,
        selector: SelectorConfig,
        targets: Sequence[tuple[Target, ProcessState | None]],
    ) -> int | None:
        """Choose a target and count a request for it; None if all are stopping.

        Args:
            selector: whose request it is.
            targets: what its targets stand for, and their states, in order.
        """
        with self._lock:
            facts = [
                TargetFacts(state, self._in_progress[selector.id, target])
                for target, state in targets
            ]
            choice = spill(facts, selector.spillover, self._turns[selector.id])
            if choice is None:
                return None
            index, by_turn = choice
            self._in_progress[selector.id, targets[index][0]] += 1
            self._turns[selector.id] += by_turn
            return index

    def release(self, selector: SelectorConfig, target: Target) -> None:
        """Count a request less; once for each one that was taken."""
        with self._lock:
            self._in_progress[selector.id, target] -= 1
            if not self._in_progress[selector.id, target]:
                del self._in_progress[selector.id, target]


class Selectors:
    """Puts a target's name in the place of a selector's. Request threads."""

    def __init__(
        self,
        config: Config,
        states: Callable[[], Mapping[ModelId, ProcessState]],
        counts: SpilloverCounts,
    ) -> None:
        """Prepare; *states* returns those of the models, as last published."""
        self._config = config
        self._states = states
        self._counts = counts

    def apply(self, request: Request, wanted: ModelRequest) -> None:
        """Choose a target if *wanted* names a selector.

        The name put in is the target's as the configuration spells it.

        Raises:
            UnavailableError: no target can be chosen.
            BadRequestError: the name cannot be replaced.
        """
        selector = self._config.selectors.get(wanted.name)
        if selector is None:
            return
        targets = self._targets(selector)
        if not targets:
            raise UnavailableError("selector has no targets")
        request.metadata["selector"] = selector.id
        wanted.rename(self._choose(request, selector, targets))

    def _targets(self, selector: SelectorConfig) -> list[tuple[str, Target]]:
        """Return the names and what they stand for."""
        found = ((name, resolve(self._config, name)) for name in selector.targets)
        return [(name, target) for name, target in found if target is not None]

    def _choose(
        self,
        request: Request,
        selector: SelectorConfig,
        targets: Sequence[tuple[str, Target]],
    ) -> str:
        """Return the name of the target for this request."""
        states = self._states()
        known = [
            (
                target,
                None
                if isinstance(target, PeerModel)
                else states.get(target, ProcessState.STOPPED),
            )
            for _, target in targets
        ]
        match selector.strategy:
            case Strategy.PIN:
                index = 0
            case Strategy.WARM:
                index = warmest([state for _, state in known])
            case Strategy.SPILLOVER:
                index = self._spill(request, selector, known)
        return targets[index][0]

    def _spill(
        self,
        request: Request,
        selector: SelectorConfig,
        targets: Sequence[tuple[Target, ProcessState | None]],
    ) -> int:
        index = self._counts.take(selector, targets)
        if index is None:
            raise UnavailableError(
                f'selector "{selector.id}" has no available spillover targets'
            )
        target = targets[index][0]
        if self._is_uncounted(request, target):
            self._counts.release(selector, target)
        else:
            request.on_close(partial(self._counts.release, selector, target))
        return index

    def _is_uncounted(self, request: Request, target: Target) -> bool:
        """Return whether it is a websocket that bypasses scheduling (16.2)."""
        if isinstance(target, PeerModel) or not request.is_websocket:
            return False
        return self._config.models[target].ignore_websockets
