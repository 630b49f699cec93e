"""Group rules (config.md 13.1).

A running model of the target's own group goes if that group has ``swap``; one of
another group goes if the target's group is ``exclusive`` and the other is not
``persistent``. Exclusiveness works one way only: a target in a non-exclusive group
stops nothing elsewhere, not even an exclusive group.
"""

from collections.abc import Mapping, Sequence

from swapper.config.schema import GroupConfig
from swapper.core.ids import ModelId
from swapper.planner.base import Standings, unknown_standing


class GroupPlanner:
    """Evicts by group membership. Pure."""

    __slots__ = ("_group_of",)

    name = "group"

    def __init__(self, groups: Mapping[str, GroupConfig]) -> None:
        self._group_of = {
            member: group for group in groups.values() for member in group.members
        }

    def eviction_for(
        self,
        target: ModelId,
        running: Sequence[ModelId],
        *,
        target_is_running: bool = False,  # noqa: ARG002 - the rules are the same
        standing: Standings = unknown_standing,  # noqa: ARG002 - nothing is weighed
    ) -> tuple[ModelId, ...]:
        """Return the running models that the group rules forbid beside *target*."""
        own = self._group_of[target]
        return tuple(
            model for model in running if self._must_go(own, self._group_of[model])
        )

    def reasons(
        self,
        target: ModelId,
        running: Sequence[ModelId],
        *,
        standing: Standings = unknown_standing,  # noqa: ARG002 - nothing is weighed
    ) -> list[str]:
        """Return the rule by which each one goes; see ``Explaining.reasons``."""
        own = self._group_of[target]
        return [
            f"{model}: group {own.id} runs one at a time"
            if self._group_of[model].id == own.id
            else f"{model}: group {own.id} is exclusive, and group "
            f"{self._group_of[model].id} is not persistent"
            for model in self.eviction_for(target, running)
        ]

    @staticmethod
    def _must_go(own: GroupConfig, other: GroupConfig) -> bool:
        if own.id == other.id:
            return own.swap
        return own.exclusive and not other.persistent
