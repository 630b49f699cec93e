"""Decodes the ``matrix`` block (config.md 13.2)."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from swapper.config.decode.section import Item, Section
from swapper.config.document import shortened
from swapper.config.expressions import (
    Expression,
    ExpressionError,
    MatrixConfig,
    SetCycleError,
    SetHeightError,
    evaluation_order,
    inserted_sets,
    parse_expression,
)
from swapper.config.schema import Config
from swapper.core.ids import ModelId

_VARIABLE: Final = re.compile(r"[A-Za-z0-9.-]{1,32}")


def decode_matrix(home: Section, config: Config) -> MatrixConfig:
    """Return the ``matrix`` of *home*; *config* has the models already."""
    matrix = home.section("matrix")
    variables = _variables(matrix, config)
    # A variable goes before a model with the same id.
    names = {**{str(model): model for model in config.models}, **variables}
    costs = _evict_costs(matrix, names, config)
    items = matrix.text_map("sets")
    if "sets" not in matrix.names() and home.is_set("matrix"):
        home.error("matrix", "must have sets, at least one")
    elif not matrix.is_filled("sets") and home.is_set("matrix"):
        matrix.error("sets", "must have at least one set")
    expressions = _expressions(matrix, items, names)
    if len(expressions) < len(items):
        return MatrixConfig(evict_costs=costs)  # errors enough
    try:
        return MatrixConfig(sets=evaluation_order(expressions), evict_costs=costs)
    except SetCycleError as exc:
        matrix.error_item(items[exc.cycle[0]], str(exc))
    except SetHeightError as exc:
        matrix.error_item(items[exc.set_name], str(exc))
    return MatrixConfig(evict_costs=costs)


def _variables(matrix: Section, config: Config) -> dict[str, ModelId]:
    variables: dict[str, ModelId] = {}
    for name, item in matrix.text_map("vars").items():
        model = ModelId(item.text)
        if not _VARIABLE.fullmatch(name):
            message = "a variable has 1 to 32 of the characters A-Z a-z 0-9 . -"
            matrix.error_item(item, message)
        elif model not in config.models:
            matrix.error_item(item, _not_a_model(item.text, config))
        # Kept all the same, so that its uses are not reported as well.
        variables[name] = model
    return variables


def _evict_costs(
    matrix: Section, names: Mapping[str, ModelId], config: Config
) -> Mapping[ModelId, int]:
    costs: dict[ModelId, int] = {}
    for name, (cost, item) in matrix.integer_map("evict_costs").items():
        model = names.get(name)
        if model is None:
            matrix.error_item(item, _not_a_model(name, config, "a variable or "))
        elif model in costs:
            matrix.error_item(item, f"{name} is {model}, which has a cost already")
        else:
            costs[model] = cost
    return MappingProxyType(costs)


def _not_a_model(name: str, config: Config, alternative: str = "") -> str:
    shown = shortened(name)
    if name in config.model_by_name:
        shown += f" is an alias of {config.model_by_name[name]}; it"
    return f"{shown} must be {alternative}the id of a model"


def _expressions(
    matrix: Section, items: Mapping[str, Item], names: Mapping[str, ModelId]
) -> dict[str, Expression]:
    """Return the sets that are sound, as defined."""
    sound: dict[str, Expression] = {}
    for name, item in items.items():
        try:
            expression = parse_expression(item.text, names)
        except ExpressionError as exc:
            matrix.error_item(item, str(exc))
            continue
        missing = [other for other in inserted_sets(expression) if other not in items]
        if missing:
            matrix.error_item(item, f"+{missing[0]}: there is no such set")
        else:
            sound[name] = expression
    return sound
