"""What the scheduler needs of an eviction policy."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeAlias, runtime_checkable

from swapper.config.learnt import Amounts, Lack, Learnt
from swapper.core.ids import ModelId


@dataclass(frozen=True, slots=True)
class Standing:
    """What the scheduler knows of a running model, for planners that weigh.

    Attributes:
        load_s: how long its last load took; None if not known.
        idle_s: for how long it has served nothing; 0 if it serves or loads.
        is_busy: it serves requests, or is being loaded for some.
        is_leaving: it is being stopped already, whatever is decided.
    """

    load_s: float | None = None
    idle_s: float = 0.0
    is_busy: bool = False
    is_leaving: bool = False


Standings: TypeAlias = Callable[[ModelId], Standing]
"""Tells of any running model; a planner that does not weigh need not ask."""

_UNKNOWN = Standing()


def unknown_standing(model: ModelId) -> Standing:  # noqa: ARG001 - the alias's shape
    """Return that nothing is known."""
    return _UNKNOWN


class Planner(Protocol):
    """An eviction policy.

    Implementations are pure: no clock, no memory, no logging. The scheduler calls
    ``eviction_for`` again for every waiting model whenever something changes.
    """

    @property
    def name(self) -> str:
        """Return the name shown in messages, e.g. ``group``."""
        ...

    def eviction_for(
        self,
        target: ModelId,
        running: Sequence[ModelId],
        *,
        target_is_running: bool = False,
        standing: Standings = unknown_standing,
    ) -> tuple[ModelId, ...]:
        """Return the models that must stop before *target* can serve.

        Args:
            target: the model wanted.
            running: every other model that is not stopped, plus the targets of
                swaps in flight; sorted, unique.
            target_is_running: whether the target is ready already and only the
                others are in question.
            standing: what is known of each of *running*; valid during the call.

        Returns:
            A subset of *running* in its order; empty if nothing has to go.
        """
        ...


@runtime_checkable
class Explaining(Protocol):
    """A planner that can say why, as those of swapper do."""

    def reasons(
        self,
        target: ModelId,
        running: Sequence[ModelId],
        *,
        standing: Standings = unknown_standing,
    ) -> Sequence[str]:
        """Return lines that tell why ``eviction_for`` answers as it does.

        The target does not run. Arguments are as there; empty if there is nothing to
        tell.
        """
        ...


@runtime_checkable
class Learning(Planner, Protocol):
    """A planner whose answers depend on what was learnt of models.

    It remembers nothing: whoever learns something asks for another planner.
    """

    def with_learnt(self, learnt: Mapping[ModelId, Learnt]) -> Self:
        """Return the planner of the same configuration that knows *learnt* instead."""
        ...

    def needs_more(
        self, model: ModelId, running: Collection[ModelId], lack: Lack
    ) -> Amounts:
        """Return what a model needs at least that has failed to load beside *running*.

        Nothing if none of these could make room. For ``Learnt.at_least``.
        """
        ...

    def in_words(self, amounts: Amounts) -> str:
        """Return amounts as people write them."""
        ...

    def takes(self, model: ModelId) -> str:
        """Return what a model is taken to need, and how that is known, in words."""
        ...

    def alone(self, model: ModelId) -> str:
        """Return why a model runs alone, a phrase for the log; "" if it does not."""
        ...

    def lesson(self, model: ModelId) -> str:
        """Return what was measured of a model, a phrase; "" for nothing of interest."""
        ...
