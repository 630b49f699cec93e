"""Budget rules: models run together as long as what they take adds up to what there is.

Of all sets of running models whose end makes room for the target, the planner
chooses the one

1. with the fewest busy models, for a swap waits until those have served their requests;
2. that costs least. A model costs the seconds that it takes to load again, less the
   longer nobody has used it: of requests that come in bursts, the next one is the
   less likely the longer the last one is past, about in proportion. One that is
   being stopped already costs nothing.

Pinned models are never among them. A model of which nobody knows what it takes runs
alone, but for the pinned ones. What was measured counts for who does not say.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from fractions import Fraction
from types import MappingProxyType
from typing import Final, Self

from swapper.config.budget import BudgetConfig
from swapper.config.learnt import Amounts, Lack, Learnt
from swapper.core.ids import ModelId
from swapper.planner.base import Standing, Standings, unknown_standing
from swapper.planner.cover import Thing, lightest_cover

USUAL_LOAD_S: Final = 10.0
"""What a load is taken to last that has not been measured."""

FADING_S: Final = 60.0
"""After so long without use a model costs half of its load."""

_WORTH_TELLING: Final = Fraction(21, 20)
"""So many times what a model says has it to hold before anybody is told."""

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

    __slots__ = ("_budget", "_given", "_learnt")

    name = "budget"

    def __init__(self, budget: BudgetConfig) -> None:
        """Take over what the configuration says; nothing was learnt beside it."""
        self._given = self._budget = budget
        self._learnt: Mapping[ModelId, Learnt] = {}

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
            go = tuple(m for m in running if m not in self._budget.pinned)
            return BudgetPlan(evict=go, alone=go)
        together = {target, *running} - self._budget.pinned
        alone = tuple(m for m in running if m not in needs and len(together) > 1)
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
            return [self._alone(target)] if running else []
        lines = [self._alone(model) for model in plan.alone]
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

    # -- learning; see ``planner.base.Learning`` -----------------------------------

    def with_learnt(self, learnt: Mapping[ModelId, Learnt]) -> Self:
        """Return the planner of the same configuration that knows this instead."""
        taught = copy(self)
        taught._learnt = learnt  # noqa: SLF001 - its own copy
        taught._budget = self._given.with_learnt(learnt)  # noqa: SLF001 - likewise
        return taught

    def needs_more(
        self, model: ModelId, running: Collection[ModelId], lack: Lack
    ) -> Amounts:
        """Return what a model needs at least that has failed to load."""
        return self._budget.more_than_free(model, running, lack)

    def in_words(self, amounts: Amounts) -> str:
        """Return amounts for the log."""
        return self._budget.words(amounts)

    def takes(self, model: ModelId) -> str:
        """Return what a model is taken to need, and how that is known."""
        needs, given = self._budget.needs.get(model), self._given.needs.get(model)
        if needs is None:
            return self.alone(model)
        known = "as measured" if given is None else "as its resources say"
        learnt = self._learnt.get(model, Learnt())
        failed = ", ".join(
            n for n, least in learnt.at_least.items() if needs.get(n) == least
        )
        if failed:
            known += f", but for {failed}: with less a load has failed"
        return f"takes {self._budget.words(needs)}, {known}"

    def alone(self, model: ModelId) -> str:
        """Return why a model runs alone, "" if it does not."""
        return "" if model in self._budget.needs else f"runs alone, {self._why(model)}"

    def lesson(self, model: ModelId) -> str:
        """Return what was measured of a model, if anybody should know."""
        known, budget = self._learnt.get(model), self._budget
        if known is None or known.footprint is None:
            return ""
        held = budget.held(known.footprint)
        given = self._given.needs.get(model)
        if given is None:
            return f"holds {budget.words(held)}, as measured" if held else ""
        more = {
            name: amount
            for name, amount in held.items()
            if name in given and amount > given[name] * _WORTH_TELLING
        }
        if not more:
            return ""
        says = budget.words({name: given[name] for name in more})
        return f"holds {budget.words(more)}; its resources say {says}"

    def _alone(self, model: ModelId) -> str:
        return f"{model} runs alone, {self._why(model)}"

    def _why(self, model: ModelId) -> str:
        """Return why it is not known what a model takes."""
        known, measured = self._learnt.get(model), self._budget.measured
        footprint = None if known is None else known.footprint
        why = "for it has no resources"
        if not measured:
            return why
        if footprint is None:
            return f"{why} and was not measured yet"
        untold = ", ".join(self._budget.untold(footprint))
        return f"{why} and no tool tells what it holds of {untold}"

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
