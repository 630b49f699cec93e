"""The matrix solver against the one by the book, on random small matrices."""

from collections.abc import Sequence
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.config import combinations
from swapper.config.combinations import Combinations
from swapper.config.expressions import (
    AllOf,
    AnyOf,
    Expression,
    Insert,
    MatrixConfig,
    One,
    evaluation_order,
)
from swapper.core.ids import ModelId
from swapper.planner import MatrixPlanner
from tests.fakes.matrices import may_run_together, plan_by_the_book

MODELS = [ModelId(name) for name in "abcdefgh"]
NAMES = [*map(One, MODELS)]


def expressions(leaves: Sequence[Expression]) -> st.SearchStrategy[Expression]:
    def wider(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        parts = st.lists(inner, min_size=2, max_size=4).map(tuple)
        return st.one_of(parts.map(AllOf), parts.map(AnyOf))

    return st.recursive(st.sampled_from(leaves), wider, max_leaves=24)


@st.composite
def matrices(draw: st.DrawFn) -> MatrixConfig:
    leaves: list[Expression] = [*NAMES]
    sets = {}
    for name in ("s", "t", "u")[: draw(st.integers(1, 3))]:
        sets[name] = draw(expressions(leaves))
        leaves += [Insert(name)] * 4
    costs = st.dictionaries(st.sampled_from(MODELS), st.integers(1, 3))
    return MatrixConfig(sets=evaluation_order(sets), evict_costs=draw(costs))


SOME = st.lists(st.sampled_from(MODELS), unique=True).map(sorted)
MANY = st.lists(st.sampled_from(MODELS), min_size=5, unique=True).map(sorted)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    matrices(), st.sampled_from(MODELS), st.one_of(MANY, SOME), st.sampled_from([0, 8])
)
def test_the_plan_is_the_one_by_the_book_ties_included(
    config: MatrixConfig, target: ModelId, running: list[ModelId], surroundings: int
) -> None:
    with patch.object(combinations, "_MAX_SURROUNDINGS", surroundings):
        plan = MatrixPlanner(config).explain(target, running)

    assert plan == plan_by_the_book(config, target, running)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(matrices(), SOME)
def test_models_run_together_if_one_combination_holds_them(
    config: MatrixConfig, models: list[ModelId]
) -> None:
    found = Combinations(config.sets).can_run_together(models)

    assert found == may_run_together(config, models)
