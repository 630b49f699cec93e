"""Matrix rules as values (config.md 13.4, cases SOL-*)."""

from typing import NamedTuple

import pytest

from swapper.core.ids import ModelId
from swapper.planner import MatrixPlan, MatrixPlanner
from tests.fakes.matrices import matrix, plan_by_the_book

EXAMPLE = matrix(
    {"tts": 20, "big": 4},
    {"c": "chat", "k": "code"},
    a_llm="c | k",
    b_voice="+a_llm & tts",
    c_art="c & img",
    d_all="big",
)
TWO = matrix(one="t & a", two="t & b")
OR_AND = matrix(s="a | b & c")
BOTH = matrix(s="a & b")
RENAMED = matrix(None, {"a": "b"}, s="a")


class Case(NamedTuple):
    config: object
    target: str
    running: str
    set_name: str
    evict: str
    combination: str
    cost: int


CASES = {
    "SOL-1": Case(EXAMPLE, "chat", "", "a_llm", "", "chat", 0),
    "SOL-2": Case(EXAMPLE, "code", "chat", "a_llm", "chat", "code", 1),
    "SOL-3": Case(EXAMPLE, "code", "tts", "b_voice", "", "code tts", 0),
    "SOL-4": Case(EXAMPLE, "chat", "code tts", "b_voice", "code", "chat tts", 1),
    "SOL-5": Case(EXAMPLE, "img", "chat tts", "c_art", "tts", "chat img", 20),
    "SOL-6": Case(EXAMPLE, "big", "chat tts", "d_all", "chat tts", "big", 21),
    "SOL-7": Case(EXAMPLE, "chat", "big", "a_llm", "big", "chat", 4),
    "SOL-8": Case(EXAMPLE, "chat", "big tts", "b_voice", "big", "chat tts", 4),
    "SOL-9": Case(EXAMPLE, "tts", "chat code", "b_voice", "code", "chat tts", 1),
    "SOL-10": Case(EXAMPLE, "tts", "big tts", "", "", "big tts", 0),
    "SOL-11": Case(matrix(s="t & (b | a)"), "t", "a b", "s", "a", "b t", 1),
    "SOL-12": Case(matrix({"a": 5}, s="t & (b | a)"), "t", "a b", "s", "b", "a t", 1),
    "SOL-13": Case(TWO, "t", "a b", "one", "b", "a t", 1),
    "SOL-14": Case(TWO, "t", "b", "two", "", "b t", 0),
    "SOL-15": Case(
        matrix(s="t & (a | b | (a & c))"), "t", "a b c", "s", "b", "a c t", 1
    ),
    "SOL-16 a": Case(OR_AND, "a", "b c", "s", "b c", "a", 2),
    "SOL-16 b": Case(OR_AND, "b", "a c", "s", "a", "b c", 1),
    "SOL-17": Case(BOTH, "t", "a b", "", "a b", "t", 0),
    "SOL-18": Case(BOTH, "a", "b t", "s", "t", "a b", 1),
    "SOL-19": Case(
        matrix(s="t & ((a | c | (a & b)) & b)"), "t", "a b c", "s", "a", "b c t", 1
    ),
    "SOL-20 b": Case(RENAMED, "b", "a", "s", "a", "b", 1),
    "SOL-20 a": Case(RENAMED, "a", "b", "", "b", "a", 0),
}


def ids(names: str) -> tuple[ModelId, ...]:
    return tuple(map(ModelId, names.split()))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_cases_of_the_specification(case: Case) -> None:
    target, running = ModelId(case.target), ids(case.running)
    planner = MatrixPlanner(case.config)  # type: ignore[arg-type]  # the field's type is for reading

    assert planner.explain(target, running) == MatrixPlan(
        set_name=case.set_name,
        combination=ids(case.combination),
        evict=ids(case.evict),
        cost=case.cost,
    )
    others = tuple(model for model in running if model != target)
    is_running = target in running
    evict = planner.eviction_for(target, others, target_is_running=is_running)
    assert evict == ids(case.evict)


def test_sol_10_a_running_target_is_told_the_first_set_that_holds_everything() -> None:
    rules = MatrixPlanner(matrix(one="a", two="a & b", three="a & b & c"))

    assert rules.explain(ModelId("a"), ids("a b")).set_name == "two"


def test_a_ready_target_stops_nothing_even_beside_what_the_matrix_forbids() -> None:
    rules = MatrixPlanner(matrix(s="a | b"))

    assert rules.eviction_for(ModelId("a"), ids("b"), target_is_running=True) == ()
    assert rules.eviction_for(ModelId("a"), ids("b")) == ids("b")


def test_q2_sets_are_tried_as_defined_inserted_ones_first() -> None:
    swapped = matrix(two="t & b", one="t & a")
    inserting = matrix(z="+one | t & b", one="t & a")

    assert MatrixPlanner(swapped).explain(ModelId("t"), ids("a b")).set_name == "two"
    assert MatrixPlanner(inserting).explain(ModelId("t"), ids("a b")).set_name == "one"


def test_evicted_models_keep_the_order_of_those_running() -> None:
    rules = MatrixPlanner(matrix(s="t & (a | b | c | d)"))

    assert rules.eviction_for(ModelId("t"), ids("a b c d")) == ids("b c d")


def test_choices_that_look_alike_are_not_merged_if_their_future_differs() -> None:
    """``a & y`` comes first, but ``a & z`` later leads to more: ``b`` stays."""
    config = matrix(s="t & (a & y | b & y | a & z) & (z | y & w) & (y & z & w)")
    running = ids("a b w y z")

    plan = MatrixPlanner(config).explain(ModelId("t"), running)

    assert plan.evict == ids("a")
    assert plan == plan_by_the_book(config, ModelId("t"), running)
