"""Sets whose combinations nobody could list."""

import pytest

from swapper.config import combinations
from swapper.config.combinations import Combinations
from swapper.config.expressions import MatrixConfig
from swapper.core.ids import ModelId
from swapper.planner import MatrixPlanner
from tests.fakes.matrices import lists_by_the_book, matrix

GROUPS = [[ModelId(f"g{g}n{n}") for n in range(10)] for g in range(10)]
PRODUCT = " & ".join(f"({' | '.join(group)})" for group in GROUPS)


def test_a_product_of_ten_groups_keeps_the_dearest_of_each() -> None:
    costs = {group[4]: 3 for group in GROUPS}
    running = sorted(model for group in GROUPS for model in group[3:6])
    planner = MatrixPlanner(matrix(costs, s=PRODUCT))

    plan = planner.explain(GROUPS[0][9], running)

    kept = {group[4] for group in GROUPS[1:]}
    assert plan.combination == tuple(sorted({GROUPS[0][9], *kept}))
    assert plan.evict == tuple(model for model in running if model not in kept)
    assert plan.cost == 5 + 9 * 2


def test_ties_of_a_product_go_to_the_first_of_each_group() -> None:
    everything = sorted(model for group in GROUPS for model in group)
    target = GROUPS[5][7]
    running = [model for model in everything if model != target]

    plan = MatrixPlanner(matrix(s=PRODUCT)).explain(target, running)

    assert plan.combination == tuple(
        target if number == 5 else group[0] for number, group in enumerate(GROUPS)
    )


def test_ten_thousand_alternatives_are_a_short_question() -> None:
    names = [f"m{number}" for number in range(10_000)]
    planner = MatrixPlanner(
        matrix(s=" | ".join(names), t=" | ".join(f"t & {name}" for name in names))
    )

    assert planner.eviction_for(ModelId("m9999"), [ModelId("m0")]) == ("m0",)
    plan = planner.explain(ModelId("t"), [ModelId("m7"), ModelId("m8")])
    assert plan.combination == ("m7", "t")


def test_sets_that_insert_another_twice_do_not_double_the_work() -> None:
    levels = {
        f"s{n}": f"(+s{n - 1} | +s{n - 1}) & (+s{n - 1} | c)" for n in range(1, 40)
    }
    planner = MatrixPlanner(matrix(s0="a & (b | d)", **levels))

    plan = planner.explain(ModelId("d"), [ModelId("a"), ModelId("b"), ModelId("c")])

    # a, b and d are together as soon as two choices of s0 are.
    assert plan == MatrixPlanner(
        matrix(s0="a & (b | d)", s1=levels["s1"], s2=levels["s2"])
    ).explain(ModelId("d"), [ModelId("a"), ModelId("b"), ModelId("c")])
    assert plan.evict == ()


def test_a_set_inserted_at_many_different_places_is_solved_right_at_each() -> None:
    # Each place has other models beside the set, which mentions all of them.
    names = [f"m{number}" for number in range(12)]
    levels = {
        f"s{n}": f"(+s & {names[n]} | +s & {names[n - 1]}) & a" for n in range(12)
    }
    config = matrix(s=" & ".join(f"({name} | z{name})" for name in names), **levels)
    weights = {ModelId(name): 3 for name in ("a", *names)}
    weights.update((ModelId(f"z{name}"), 2) for name in names[:4])

    found = {
        best.set_name: best.weight
        for best in Combinations(config.sets).best(weights, ModelId("m3"))
    }

    assert found == {
        name: max(sum(weights[model] for model in mask.relevant) for mask in masks)
        for name, masks in lists_by_the_book(config.sets, frozenset(weights)).items()
    }


@pytest.fixture
def hard() -> MatrixConfig:
    """Return a covering problem: thirty models, eight picks of four each."""
    names = [f"m{number}" for number in range(30)]
    picks = [
        " | ".join(
            " & ".join(
                f"m{(7 * pick + 11 * choice + step * (choice + 1)) % 30}"
                for step in range(4)
            )
            for choice in range(8)
        )
        for pick in range(8)
    ]
    assert all(any(name in pick for pick in picks) for name in names)
    return matrix(s="t & " + " & ".join(f"({pick})" for pick in picks))


def test_a_covering_problem_is_cut_short_but_answered_with_a_combination(
    hard: MatrixConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = sorted(ModelId(f"m{number}") for number in range(30))
    wide = MatrixPlanner(hard).explain(ModelId("t"), running)
    monkeypatch.setattr(combinations, "MAX_OPTIONS", 3)
    narrow = MatrixPlanner(hard).explain(ModelId("t"), running)

    for plan in (wide, narrow):
        kept = [model for model in running if model not in plan.evict]
        assert set(plan.combination) == {"t", *kept}
        # A combination has one choice of each pick: 32 places at the most.
        tree = hard.sets[0].expression
        assert is_combination(tree, frozenset(plan.combination))
    assert wide.cost <= narrow.cost


def is_combination(tree: object, models: frozenset[str]) -> bool:
    """Tell whether *models* hold one choice of each factor, and nothing else."""
    used: set[str] = set()
    for factor in tree.parts:  # type: ignore[attr-defined]  # AllOf
        choices = getattr(factor, "parts", [factor])
        sets = [
            {one.model for one in getattr(choice, "parts", [choice])}
            for choice in choices
        ]
        fitting = [choice for choice in sets if choice <= models]
        if not fitting:
            return False
        used.update(*fitting)
    return used >= models


@pytest.mark.parametrize(
    ("sets", "models", "expected"),
    [
        ({"s": "a & b"}, "ab", True),
        ({"s": "a | b"}, "ab", False),
        ({"s": "(a | c) & (b | c)"}, "ab", True),
        ({"s": "a & b", "t": "b & c"}, "abc", False),
        ({"s": "+t & b", "t": "a | c"}, "ab", True),
        ({"s": "a"}, "ax", False),
        ({"s": "a"}, "x", True),
        ({"s": "a"}, "xx", True),
        ({"s": "a"}, "", True),
    ],
)
def test_models_run_together_if_one_combination_holds_them_all(
    sets: dict[str, str], models: str, expected: object
) -> None:
    found = Combinations(matrix(**sets).sets)

    assert found.can_run_together([ModelId(model) for model in models]) is expected


def test_one_of_each_of_ten_groups_runs_together() -> None:
    found = Combinations(matrix(s=PRODUCT).sets)

    assert found.can_run_together([group[3] for group in GROUPS])
    assert not found.can_run_together([*GROUPS[0][:2], GROUPS[1][0]])
