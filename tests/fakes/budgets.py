"""Budgets in short, and the world under them."""

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import ClassVar, Self

from swapper.config.budget import BudgetConfig
from swapper.config.learnt import Footprint, Learnt
from swapper.core.ids import ModelId, RunId
from swapper.planner import BudgetPlanner, Planner, Standings
from swapper.planner.base import unknown_standing
from swapper.process.messages import Started
from swapper.router.messages import Measured
from swapper.scheduler.lack import lack_of
from tests.fakes.world import Action, World


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
    others = [model for model in models if model not in config.pinned]
    if len(others) > 1 and any(model not in config.needs for model in others):
        return False
    return all(
        sum(config.needs.get(model, {}).get(name, 0) for model in models) <= amount
        for name, amount in config.resources.items()
    )


class CheckedPlanner(BudgetPlanner):
    """Checks every answer it gives.

    Attributes:
        config: what it goes by, with all that was learnt.
    """

    def __init__(self, config: BudgetConfig) -> None:
        super().__init__(config)
        self.config = config

    def with_learnt(self, learnt: Mapping[ModelId, Learnt]) -> Self:
        taught = super().with_learnt(learnt)
        taught.config = self._given.with_learnt(learnt)
        return taught

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
    measured = 0
    learning = False
    """Models are measured now and then, and hold something else each time."""

    @property
    def budget(self) -> BudgetConfig:
        """Return the one in force, with all that was learnt."""
        planner = self.fifo._planner
        assert isinstance(planner, CheckedPlanner)
        return planner.config

    def check_together(self, model: ModelId, live: list[ModelId]) -> None:
        """Nothing starts that does not fit; what is being stopped counts as well."""
        assert may_run(self.budget, [*live, model])
        self.most = max(self.most, len(live) + 1)

    def _settle(self) -> None:
        super()._settle()
        if self.learning:
            return  # what runs may have grown; what starts is checked above
        live = [m for m, p in self.processes.items() if p.phase != "stopped"]
        assert len(self.budgets) > 1 or may_run(self.budget, live)

    def _reload(self) -> None:
        self.reloads += 1
        super()._reload()

    def last_words(self) -> tuple[str, ...]:
        """Starts that fail do so for lack of memory."""
        return ("CUDA error: out of memory",) if self.learning else ()

    def note_start(self, started: Started) -> None:
        """Count failures that nothing is tried again for."""
        if started.error is None or lack_of(started.error) is None:
            super().note_start(started)

    def _make_planner(self) -> Planner:
        return CheckedPlanner(self.budgets[self.reloads % len(self.budgets)])

    def _actions(self) -> list[Action]:
        actions = super()._actions()
        if self.learning:
            for process in self.processes.values():
                if process.phase == "ready" and process.run is not None:
                    actions += [partial(self._measure, process.model, process.run)] * 9
        return actions

    def _measure(self, model: ModelId, run: RunId) -> None:
        """Tell something new; of an earlier run, now and then, which nobody believes."""
        self.measured += 1
        held = Footprint(ram_bytes=self.measured * 7 % 11)
        self.tell(Measured(model, RunId(run - self.measured % 5 // 4), held))
