"""Decodes the ``budget`` block and what models say they need.

A configuration that a budget can never keep is refused here, with the line: then the
planner always finds room, and no request has to be refused for lack of it.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Final

from swapper.config.budget import BudgetConfig, Quantity, parse_quantity
from swapper.config.decode.section import Item, Section
from swapper.config.document import shortened
from swapper.core.ids import ModelId

BUDGET: Final = "budget"
"""Name of the router."""

_NO_EFFECT: Final = f"has no effect unless routing.router.use is {BUDGET}"


def decode_needs(document: Section, router: str) -> BudgetConfig:
    """Return what models need and which are pinned, with nothing to fit into.

    Args:
        document: has the models.
        router: the one in use; ours, without budgets, have no use for any of it.
    """
    needs: dict[ModelId, Mapping[str, Fraction]] = {}
    pinned: set[ModelId] = set()
    for model, section in document.sections("models").items():
        if section.is_set("resources"):
            amounts = {
                resource: quantity.amount
                for resource, _, quantity in _quantities(section)
            }
            needs[ModelId(model)] = MappingProxyType(amounts)
        if section.boolean("pin"):
            pinned.add(ModelId(model))
        for key in ("resources", "pin"):
            if router in {"group", "matrix"} and section.is_filled(key):
                section.warn(key, _NO_EFFECT)
    return BudgetConfig(needs=MappingProxyType(needs), pinned=frozenset(pinned))


def decode_budget(
    document: Section, settings: Section, needs: BudgetConfig
) -> BudgetConfig:
    """Return the budget of *settings*, having checked that *needs* can be met."""
    section = settings.section(BUDGET)
    if settings.is_set(BUDGET) and not section.is_filled("resources"):
        section.error("resources", "must have at least one resource")
    found = list(_quantities(section))
    budget = BudgetConfig(
        resources=MappingProxyType({name: q.amount for name, _, q in found}),
        needs=needs.needs,
        pinned=needs.pinned,
        in_bytes=frozenset(name for name, _, q in found if q.has_unit),
    )
    for model, own in document.sections("models").items():
        if own.is_set("resources"):
            _check_needs(ModelId(model), own, budget)
        else:
            _check_alone(ModelId(model), own, budget)
    return budget


def _quantities(section: Section) -> Iterator[tuple[str, Item, Quantity]]:
    for resource, item in section.text_map("resources").items():
        try:
            yield resource, item, parse_quantity(item.text)
        except ValueError as exc:
            section.error_item(item, f'{exc}, not "{shortened(item.text)}"')


def _check_alone(model: ModelId, section: Section, budget: BudgetConfig) -> None:
    others, measured = sorted(budget.pinned - {model}), budget.measured
    if model in budget.pinned:
        section.error("pin", "needs resources: without them a model runs alone")
    elif others and not measured:
        message = f"has no resources and so runs alone, but {_are_pinned(others)}"
        section.error("", message)
    elif not measured:
        section.warn("", "has no resources: it is taken to need all, and runs alone")
    elif unmeasured := [name for name in budget.resources if name not in measured]:
        message = (
            f"has no resources: {', '.join(measured)} will be measured, and it is "
            f"taken to need nothing of {', '.join(unmeasured)}"
        )
        section.warn("", message)


def _check_needs(model: ModelId, section: Section, budget: BudgetConfig) -> None:
    others = sorted(budget.pinned - {model})
    for resource, item, quantity in _quantities(section):
        there = budget.resources.get(resource)
        if there is None:
            known = ", ".join(budget.resources) or "none"
            message = f"{resource} is no resource of the budget, which has {known}"
            section.error_item(item, message)
            continue
        left = there - budget.taken(others, resource)
        needed = f"{model} needs {budget.text(resource, quantity.amount)} of {resource}"
        if quantity.amount > there:
            message = f"{needed}, and there is {budget.text(resource, there)}"
            section.error_item(item, message)
        elif quantity.amount > left and (left >= 0 or model in budget.pinned):
            most = budget.text(resource, max(left, Fraction()))
            message = f"{needed}; {_are_pinned(others)}, which leaves {most}"
            section.error_item(item, message)


def _are_pinned(models: list[ModelId]) -> str:
    return f"{', '.join(models)} {'is' if len(models) == 1 else 'are'} pinned"
