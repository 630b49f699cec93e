"""Budgets in short."""

from collections.abc import Collection, Mapping
from fractions import Fraction

from swapper.config.budget import BudgetConfig
from swapper.core.ids import ModelId


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
