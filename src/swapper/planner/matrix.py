"""Matrix rules (config.md 13.2 to 13.4): sets of models that may run together.

The target joins the combination that keeps what is dearest to stop: over all sets in
evaluation order and their combinations that hold the target, the first one with
the lowest cost, which is the sum of the evict costs of running models outside
of it. A target in no set runs alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from swapper.config.combinations import Combination, Combinations
from swapper.config.expressions import MatrixConfig
from swapper.core.ids import ModelId
from swapper.planner.base import Standings, unknown_standing

_USUAL_COST = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixPlan:
    """What has to happen for a target, and why.

    Attributes:
        set_name: the set that allows it; "" if the target is in none, or if it is
            running and no set holds everything that runs.
        combination: all models of the chosen combination, sorted; where there is no
            set, the models that will run.
        evict: the models to stop, in the order of those running.
        cost: of stopping them; 0 where there is no set.
    """

    set_name: str
    combination: tuple[ModelId, ...]
    evict: tuple[ModelId, ...] = ()
    cost: int = 0


class MatrixPlanner:
    """Evicts by the cheapest combination. Pure."""

    __slots__ = ("_combinations", "_costs")

    name = "matrix"

    def __init__(self, matrix: MatrixConfig) -> None:
        self._combinations = Combinations(matrix.sets)
        self._costs = dict(matrix.evict_costs)

    def eviction_for(
        self,
        target: ModelId,
        running: Sequence[ModelId],
        *,
        target_is_running: bool = False,
        standing: Standings = unknown_standing,  # noqa: ARG002 - costs are configured
    ) -> tuple[ModelId, ...]:
        """Return the running models outside of the cheapest combination.

        Nothing has to go for a target that runs already, whatever runs beside it
        (rule 1). As long as every start was planned here, what runs together fits
        into one combination anyway; a reload with another matrix may
        leave models running that no longer do, and those are let finish until
        a start makes room.
        """
        if target_is_running or not running:
            return ()
        return _outside(self._cheapest(target, running), running)

    def explain(self, target: ModelId, running: Sequence[ModelId]) -> MatrixPlan:
        """Return the plan for a target with its reasons; for logs and tests.

        Args:
            target: the model wanted.
            running: sorted and unique; with the target if that is running too.
        """
        if target in running:
            found = self._combinations.best(dict.fromkeys(running, 1), target)
            holding = (
                best.set_name for best in found if len(best.held) == len(running)
            )
            return MatrixPlan(set_name=next(holding, ""), combination=tuple(running))
        best = self._cheapest(target, running)
        evict = _outside(best, running)
        if best is None:
            return MatrixPlan(set_name="", combination=(target,), evict=evict)
        return MatrixPlan(
            set_name=best.set_name,
            combination=best.models(),
            evict=evict,
            cost=sum(map(self._cost, evict)),
        )

    def reasons(
        self,
        target: ModelId,
        running: Sequence[ModelId],
        *,
        standing: Standings = unknown_standing,  # noqa: ARG002 - costs are configured
    ) -> list[str]:
        """Return the set that decides and what it costs; see ``Explaining.reasons``."""
        plan = self.explain(target, running)
        if not plan.set_name:
            return [f"{target} is in no set, and runs alone"] if running else []
        together = f"set {plan.set_name} allows {' & '.join(plan.combination)}"
        costs = [f"stopping {m} costs {self._cost(m)}" for m in plan.evict]
        return [together, *costs]

    def _cheapest(
        self, target: ModelId, running: Sequence[ModelId]
    ) -> Combination | None:
        """Return the first combination with the target that keeps the most."""
        weights = {model: self._cost(model) for model in running}
        # Dearer than all others together: whatever can hold the target does.
        weights[target] = 1 + sum(weights.values())
        most = sum(weights.values())
        cheapest: Combination | None = None
        for found in self._combinations.best(weights, target):
            if cheapest is None or found.weight > cheapest.weight:
                cheapest = found
            if cheapest.weight == most:
                break
        return cheapest

    def _cost(self, model: ModelId) -> int:
        return self._costs.get(model, _USUAL_COST)


def _outside(
    combination: Combination | None, running: Sequence[ModelId]
) -> tuple[ModelId, ...]:
    if combination is None:
        return tuple(running)
    return tuple(model for model in running if model not in combination.held)
