"""Matrices in short, and the solver by the book (config.md 13.4)."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from swapper.config.expressions import (
    AllOf,
    Expression,
    Insert,
    MatrixConfig,
    MatrixSet,
    One,
    evaluation_order,
    parse_expression,
)
from swapper.core.ids import ModelId
from swapper.planner import MatrixPlan

_NAME = re.compile(r"[\w.-]+")


def matrix(
    costs: Mapping[ModelId, int] | Mapping[str, int] | None = None,
    names: Mapping[str, str] | None = None,
    /,
    **sets: str,
) -> MatrixConfig:
    """Return a matrix; every name is a model, unless *names* says which it stands for."""
    models = {
        name: ModelId(name) for text in sets.values() for name in _NAME.findall(text)
    }
    models.update((name, ModelId(model)) for name, model in (names or {}).items())
    expressions = {name: parse_expression(text, models) for name, text in sets.items()}
    return MatrixConfig(
        sets=evaluation_order(expressions),
        evict_costs={ModelId(model): cost for model, cost in (costs or {}).items()},
    )


class Mask(NamedTuple):
    """The relevant models of a combination, and all of it."""

    relevant: frozenset[ModelId]
    names: frozenset[ModelId]


def plan_by_the_book(
    config: MatrixConfig, target: ModelId, running: Sequence[ModelId]
) -> MatrixPlan:
    """Solve with the lists of masks that the specification describes."""
    lists = lists_by_the_book(config.sets, frozenset({target, *running}))
    if target in running:
        holds = [
            s for s, masks in lists.items() if any(m[0] >= {*running} for m in masks)
        ]
        return MatrixPlan(
            set_name=holds[0] if holds else "", combination=tuple(running)
        )
    plans = []
    for set_name, masks in lists.items():
        for mask in masks:
            if target in mask.relevant:
                evict = tuple(m for m in running if m not in mask.relevant)
                plans.append(
                    MatrixPlan(
                        set_name=set_name,
                        combination=tuple(sorted(mask.names)),
                        evict=evict,
                        cost=sum(config.evict_costs.get(m, 1) for m in evict),
                    )
                )
    alone = MatrixPlan(set_name="", combination=(target,), evict=tuple(running))
    return min(plans, key=lambda plan: plan.cost, default=alone)


def may_run_together(config: MatrixConfig, models: Sequence[ModelId]) -> bool:
    """Tell whether the models are one, or all in one combination."""
    lists = lists_by_the_book(config.sets, frozenset(models))
    return len(set(models)) < 2 or any(
        mask.relevant == set(models) for masks in lists.values() for mask in masks
    )


def lists_by_the_book(
    sets: Sequence[MatrixSet], relevant: frozenset[ModelId]
) -> dict[str, list[Mask]]:
    """Return each set's list of masks."""
    lists: dict[str, list[Mask]] = {}
    for name, expression in ((s.name, s.expression) for s in sets):
        lists[name] = _masks(expression, lists, relevant)
    return lists


def _masks(
    expression: Expression, lists: dict[str, list[Mask]], relevant: frozenset[ModelId]
) -> list[Mask]:
    if isinstance(expression, One):
        one = frozenset({expression.model})
        return [Mask(one & relevant, one)]
    if isinstance(expression, Insert):
        return lists[expression.set_name]
    parts = [_masks(part, lists, relevant) for part in expression.parts]
    if isinstance(expression, AllOf):
        united = [Mask(frozenset(), frozenset())]
        for part in parts:
            longer: list[Mask] = []
            for left in united:
                for right in part:
                    _add(longer, Mask(left[0] | right[0], left[1] | right[1]))
            united = longer
        return united
    masks: list[Mask] = []
    for part in parts:
        for mask in part:
            _add(masks, mask)
    return masks


def _add(masks: list[Mask], new: Mask) -> None:
    if not any(new.relevant <= mask.relevant for mask in masks):
        masks[:] = [mask for mask in masks if not mask.relevant <= new.relevant]
        masks.append(new)
