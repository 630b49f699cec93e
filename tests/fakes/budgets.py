"""Budgets in short, and the world under them."""

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from swapper.config.budget import BudgetConfig
from swapper.core.ids import ModelId
from swapper.planner import BudgetPlanner, Planner, Standings
from swapper.planner.base import unknown_standing
from tests.fakes.world import World


def budget(
    resources: Mapping[str, int],
    /,
    pinned: Collection[str] = (),
    **needs: Mapping[str, int],
) -> BudgetConfig:
    """Return a budget; each further name is a model and what it takes."""
    return BudgetConfig(
        resources={name: Fraction(amount) for name, amount in resources.items()},
        needs={
            ModelId(model): {name: Fraction(n) for name, n in amounts.items()}
            for model, amounts in needs.items()
        },
        pinned=frozenset(map(ModelId, pinned)),
    )


def may_run(config: BudgetConfig, models: Collection[ModelId]) -> bool:
    """Tell by the book whether *models* may run at the same time."""
    if len(models) > 1 and any(model not in config.needs for model in models):
        return False
    return all(
        sum(config.needs.get(model, {}).get(name, 0) for model in models) <= amount
        for name, amount in config.resources.items()
    )


class CheckedPlanner(BudgetPlanner):
    """Checks every answer it gives."""

    def __init__(self, config: BudgetConfig) -> None:
        super().__init__(config)
        self.config = config

    def eviction_for(
        self,
        target: ModelId,
        running: Sequence[ModelId],
        *,
        target_is_running: bool = False,
        standing: Standings = unknown_standing,
    ) -> tuple[ModelId, ...]:
        evict = super().eviction_for(
            target, running, target_is_running=target_is_running, standing=standing
        )
        config = self.config
        assert not config.pinned & set(evict)
        staying = [model for model in running if model not in evict]
        assert target_is_running or may_run(config, [*staying, target])
        assert not evict or not may_run(config, [*running, target])
        return evict


class BudgetWorld(World):
    """A world under budgets; each reload takes the next of them.

    Attributes:
        most: how many models have run at a time.
    """

    budgets: ClassVar[tuple[BudgetConfig, ...]]
    reloads = 0
    most = 0

    @property
    def budget(self) -> BudgetConfig:
        """Return the one in force."""
        return self.budgets[self.reloads % len(self.budgets)]

    def check_together(self, model: ModelId, live: list[ModelId]) -> None:
        """Nothing starts that does not fit; what is being stopped counts as well."""
        assert may_run(self.budget, [*live, model])
        self.most = max(self.most, len(live) + 1)

    def _settle(self) -> None:
        super()._settle()
        live = [m for m, p in self.processes.items() if p.phase != "stopped"]
        assert len(self.budgets) > 1 or may_run(self.budget, live)

    def _reload(self) -> None:
        self.reloads += 1
        super()._reload()

    def _make_planner(self) -> Planner:
        return CheckedPlanner(self.budget)
