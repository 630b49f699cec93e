"""Budget rules: models run together as long as what they take adds up to what there is.

Of all sets of running models whose end makes room for the target, the planner
chooses the one

1. with the fewest busy models, for a swap waits until those have served their requests;
2. that costs least. A model costs the seconds that it takes to load again, less the
   longer nobody has used it: of requests that come in bursts, the next one is the
   less likely the longer the last one is past, about in proportion. One that is
   being stopped already costs nothing.

Pinned models are never among them. A model of which nobody knows what it takes runs
alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from swapper.config.budget import Amounts, BudgetConfig
from swapper.core.ids import ModelId
from swapper.planner.base import Standing, Standings, unknown_standing
from swapper.planner.cover import Thing, lightest_cover

USUAL_LOAD_S: Final = 10.0
"""What a load is taken to last that has not been measured."""

FADING_S: Final = 60.0
"""After so long without use a model costs half of its load."""

_COST_UNITS_PER_S: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPlan:
    """What has to happen for a target, and why.

    Attributes:
        evict: the models to stop, in the order of those running.
        alone: of these, the ones that go because they, or the target, run alone.
        lacking: how much more than there is would be taken, by resource.
    """

    evict: tuple[ModelId, ...] = ()
    alone: tuple[ModelId, ...] = ()
    lacking: Amounts = field(default_factory=lambda: MappingProxyType({}))


def eviction_cost(standing: Standing) -> int:
    """Return what the end of a model costs, in millionths of a second of loading."""
    if standing.is_leaving:
        return 0
    load_s = USUAL_LOAD_S if standing.load_s is None else standing.load_s
    fading = 1 + max(0.0, standing.idle_s) / FADING_S
    return round(max(0.0, load_s) / fading * _COST_UNITS_PER_S)


class BudgetPlanner:
    """Evicts what costs least, so that everything fits. Pure."""

    __slots__ = ("_budget",)

    name = "budget"

    def __init__(self, budget: BudgetConfig) -> None:
        self._budget = budget

    def eviction_for(
        self,
        target: ModelId,
        running: Sequence[ModelId],
        *,
        target_is_running: bool = False,
        standing: Standings = unknown_standing,
    ) -> tuple[ModelId, ...]:
        """Return the cheapest running models whose end makes room.

        Nothing has to go for a target that runs already: it was let in with what it
        takes. A reload with smaller budgets lets run what runs until a start
        makes room.
        """
        if target_is_running or not running:
            return ()
        return self.explain(target, running, standing=standing).evict

    def explain(
        self,
        target: ModelId,
        running: Sequence[ModelId],
        *,
        standing: Standings = unknown_standing,
    ) -> BudgetPlan:
        """Return the plan for a target that does not run, with its reasons."""
        needs = self._budget.needs
        if target not in needs:
            return BudgetPlan(evict=tuple(running), alone=tuple(running))
        alone = tuple(model for model in running if model not in needs)
        known = [model for model in running if model in needs]
        lacking = self._lacking(target, known)
        chosen = set(alone) | set(self._cheapest(known, lacking, standing))
        return BudgetPlan(
            evict=tuple(model for model in running if model in chosen),
            alone=alone,
            lacking=lacking,
        )

    def reasons(
        self,
        target: ModelId,
        running: Sequence[ModelId],
        *,
        standing: Standings = unknown_standing,
    ) -> list[str]:
        """Return why what has to go has to; see ``Explaining.reasons``."""
        plan, budget = self.explain(target, running, standing=standing), self._budget
        if target not in budget.needs:
            return [f"{target} runs alone, for it has no resources"] if running else []
        lines = [f"{m} runs alone, for it has no resources" for m in plan.alone]
        for resource in plan.lacking:
            there = budget.resources[resource]
            free = max(there - budget.taken(running, resource), Fraction())
            needed = budget.text(resource, budget.taken([target], resource))
            lines.append(
                f"{resource}: {target} needs {needed}; {budget.text(resource, free)} "
                f"of {budget.text(resource, there)} free"
            )
            for model in plan.evict:
                freed = budget.taken([model], resource)
                if freed:
                    lines.append(f"{model} frees {budget.text(resource, freed)}")
        return lines

    def _lacking(self, target: ModelId, known: Sequence[ModelId]) -> Amounts:
        together = [target, *known]
        return {
            resource: self._budget.taken(together, resource)
            - self._budget.resources[resource]
            for resource in self._budget.exceeded(together)
        }

    def _cheapest(
        self, known: Sequence[ModelId], lacking: Amounts, standing: Standings
    ) -> Sequence[ModelId]:
        """Return the models that make room for what is lacking."""
        if not lacking:
            return ()
        movable = [
            model
            for model in known
            if model not in self._budget.pinned
            and any(self._budget.taken([model], resource) for resource in lacking)
        ]
        frees = [
            [self._budget.taken([model], resource) for resource in lacking]
            for model in movable
        ]
        standings = [standing(model) for model in movable]
        costs = [eviction_cost(known_of) for known_of in standings]
        dearest = 1 + sum(costs)
        # Whole numbers, which are quicker to add up than fractions.
        scale = math.lcm(
            *(n.denominator for row in (*frees, lacking.values()) for n in row)
        )
        things = [
            Thing(
                cost + dearest * (of.is_busy and not of.is_leaving),
                tuple(int(amount * scale) for amount in row),
            )
            for cost, of, row in zip(costs, standings, frees, strict=True)
        ]
        cover = lightest_cover(
            things, tuple(int(amount * scale) for amount in lacking.values())
        )
        # None only if a configuration was put together by hand.
        return known if cover is None else [movable[index] for index in cover]
