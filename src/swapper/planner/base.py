"""What the scheduler needs of an eviction policy."""

from collections.abc import Sequence
from typing import Protocol

from swapper.core.ids import ModelId


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
    ) -> tuple[ModelId, ...]:
        """Return the models that must stop before *target* can serve.

        Args:
            target: the model wanted.
            running: every other model that is not stopped, plus the targets of
                swaps in flight; sorted, unique.
            target_is_running: whether the target is ready already and only the
                others are in question.

        Returns:
            A subset of *running* in its order; empty if nothing has to go.
        """
        ...
