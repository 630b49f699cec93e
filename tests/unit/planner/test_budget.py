"""Budget rules as values."""

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.config.budget import BudgetConfig
from swapper.core.ids import ModelId
from swapper.planner import BudgetPlanner, Standing
from swapper.planner.budget import FADING_S, eviction_cost
from tests.fakes.budgets import budget

SMALL, LARGE, EMBED, THIRD = map(ModelId, ("small", "large", "embed", "third"))
GPU = budget(
    {"gpu": 24, "slots": 3},
    small={"gpu": 10, "slots": 1},
    large={"gpu": 14, "slots": 1},
    third={"gpu": 8},
    embed={"gpu": 2},
    pinned=["embed"],
)


def evicted(
    target: ModelId,
    running: Sequence[ModelId],
    known: Mapping[ModelId, Standing] | None = None,
    config: BudgetConfig = GPU,
) -> tuple[ModelId, ...]:
    known = known or {}
    return BudgetPlanner(config).eviction_for(
        target, running, standing=lambda model: known.get(model, Standing())
    )


def test_nothing_goes_while_everything_fits() -> None:
    assert evicted(THIRD, [EMBED, LARGE]) == ()
    assert evicted(SMALL, []) == ()


def test_a_running_target_stops_nothing_even_if_a_reload_made_it_too_much() -> None:
    rules = BudgetPlanner(GPU)

    assert rules.eviction_for(LARGE, [SMALL, THIRD], target_is_running=True) == ()
    assert rules.eviction_for(LARGE, [SMALL, THIRD]) != ()


def test_the_one_that_loads_quickest_goes() -> None:
    slow, quick = Standing(load_s=60), Standing(load_s=5)

    assert evicted(LARGE, [SMALL, THIRD], {SMALL: slow, THIRD: quick}) == (THIRD,)
    assert evicted(LARGE, [SMALL, THIRD], {SMALL: quick, THIRD: slow}) == (SMALL,)


def test_of_equal_loads_the_one_goes_that_was_used_longest_ago() -> None:
    old, fresh = Standing(load_s=9, idle_s=300), Standing(load_s=9, idle_s=5)

    assert evicted(LARGE, [SMALL, THIRD], {SMALL: old, THIRD: fresh}) == (SMALL,)
    assert evicted(LARGE, [SMALL, THIRD], {SMALL: fresh, THIRD: old}) == (THIRD,)


def test_idle_ones_go_before_a_busy_one_whatever_they_cost() -> None:
    config = budget(
        {"x": 4}, small={"x": 2}, large={"x": 1}, third={"x": 1}, embed={"x": 2}
    )
    known = {
        SMALL: Standing(load_s=1, is_busy=True),
        LARGE: Standing(load_s=1000),
        THIRD: Standing(load_s=1000),
    }

    assert evicted(EMBED, [LARGE, SMALL, THIRD], known, config) == (LARGE, THIRD)


def test_a_model_that_is_leaving_costs_nothing_even_if_it_still_serves() -> None:
    known = {
        SMALL: Standing(load_s=60, is_busy=True, is_leaving=True),
        THIRD: Standing(load_s=1, idle_s=9999),
    }

    assert evicted(LARGE, [SMALL, THIRD], known) == (SMALL,)


def test_a_pinned_model_stays_although_it_would_do() -> None:
    config = budget(
        {"x": 3}, small={"x": 1}, large={"x": 1}, third={"x": 2}, pinned=["small"]
    )
    known = {SMALL: Standing(idle_s=9999), LARGE: Standing(load_s=1000)}

    assert evicted(THIRD, [LARGE, SMALL], known, config) == (LARGE,)


def test_nobody_goes_who_frees_nothing_of_what_is_lacking() -> None:
    config = budget(
        {"x": 1, "y": 9}, small={"x": 1}, large={"y": 5}, third={"x": 1, "y": 1}
    )

    assert evicted(THIRD, [LARGE, SMALL], {LARGE: Standing(load_s=0)}, config) == (
        SMALL,
    )


def test_a_model_of_unknown_needs_runs_alone() -> None:
    stranger = ModelId("stranger")
    config = budget({"x": 9}, small={"x": 1}, large={"x": 1})

    assert evicted(stranger, [LARGE, SMALL], config=config) == (LARGE, SMALL)
    assert evicted(LARGE, [SMALL, stranger], config=config) == (stranger,)


def test_a_model_that_needs_nothing_runs_beside_everything() -> None:
    config = budget({"x": 1}, small={}, large={"x": 1}, third={"x": 1})

    assert evicted(SMALL, [LARGE], config=config) == ()
    assert evicted(THIRD, [LARGE, SMALL], config=config) == (LARGE,)


def test_cost_is_the_load_and_fades() -> None:
    fresh = eviction_cost(Standing(load_s=8))

    assert eviction_cost(Standing(load_s=8, idle_s=FADING_S)) == fresh / 2
    assert eviction_cost(Standing(load_s=4)) == fresh / 2
    assert eviction_cost(Standing(load_s=8, is_leaving=True)) == 0
    assert eviction_cost(Standing()) > 0


@pytest.mark.parametrize(
    ("target", "running", "lines"),
    [
        (THIRD, [EMBED, LARGE], []),
        (
            LARGE,
            [EMBED, SMALL],
            ["gpu: large needs 14; 12 of 24 free", "small frees 10"],
        ),
        (
            ModelId("stranger"),
            [SMALL],
            ["stranger runs alone, for it has no resources"],
        ),
        (
            SMALL,
            [ModelId("stranger")],
            ["stranger runs alone, for it has no resources"],
        ),
    ],
)
def test_reasons(target: ModelId, running: list[ModelId], lines: list[str]) -> None:
    assert BudgetPlanner(GPU).reasons(target, running) == lines


# --- any budget --------------------------------------------------------------------


@st.composite
def situations(
    draw: st.DrawFn,
) -> tuple[BudgetConfig, ModelId, list[ModelId], dict[ModelId, Standing]]:
    """Draw a sound configuration, and what could run in it."""
    names = [f"r{number}" for number in range(draw(st.integers(1, 3)))]
    count = draw(st.integers(1, 13))
    amount = st.fractions(0, 8, max_denominator=4)
    models = [ModelId(f"m{number:02}") for number in range(count)]
    needs = {
        m: {name: draw(amount) for name in names}
        for m in models
        if draw(st.integers(0, 9))
    }
    pinned = (
        {m for m in needs if not draw(st.integers(0, 5))}
        if len(needs) == count
        else set()
    )
    taken = {
        name: sum((needs[m][name] for m in pinned), Fraction())
        + max((need[name] for need in needs.values()), default=Fraction())
        for name in names
    }
    resources = {name: taken[name] + draw(amount) for name in names}
    config = BudgetConfig(resources=resources, needs=needs, pinned=frozenset(pinned))
    target = draw(st.sampled_from(models))
    running: list[ModelId] = []
    for model in models:
        if model != target and not config.exceeded([*running, model]):
            running.append(model)
    known = {
        m: Standing(
            draw(st.sampled_from([None, 0.0, 2.5, 40.0])),
            draw(st.sampled_from([0.0, 5.0, 500.0])),
            draw(st.booleans()),
            not draw(st.integers(0, 5)),
        )
        for m in running
    }
    return config, target, running, known


def price(
    victims: Sequence[ModelId], known: Mapping[ModelId, Standing]
) -> tuple[int, int]:
    """Return what counts: how many have to be waited for, and what it costs."""
    standings = [known[m] for m in victims]
    return (
        sum(s.is_busy and not s.is_leaving for s in standings),
        sum(map(eviction_cost, standings)),
    )


@settings(max_examples=200, derandomize=True, deadline=None)
@given(situations())
def test_the_victims_are_the_cheapest_that_make_room(
    situation: tuple[BudgetConfig, ModelId, list[ModelId], dict[ModelId, Standing]],
) -> None:
    """Against all sets, with up to twelve models running."""
    config, target, running, known = situation
    victims = evicted(target, running, known, config)

    assert list(victims) == [m for m in running if m in victims]
    assert not config.pinned & set(victims)
    if target not in config.needs:
        assert list(victims) == running
        return
    strangers = [m for m in running if m not in config.needs]
    movable = [m for m in running if m not in strangers and m not in config.pinned]
    allowed = [
        (*strangers, *chosen)
        for count in range(len(movable) + 1)
        for chosen in itertools.combinations(movable, count)
        if not config.exceeded(
            [target, *(m for m in running if m not in strangers and m not in chosen)]
        )
    ]
    assert tuple(sorted(victims)) in map(tuple, map(sorted, allowed))
    assert price(victims, known) == min(price(chosen, known) for chosen in allowed)
    if not config.exceeded([target, *running]) and not strangers:
        assert victims == ()


@settings(max_examples=50, derandomize=True, deadline=None)
@given(situations())
def test_the_same_question_has_the_same_answer(
    situation: tuple[BudgetConfig, ModelId, list[ModelId], dict[ModelId, Standing]],
) -> None:
    config, target, running, known = situation
    mirrored = dict(reversed(known.items()))

    assert evicted(target, running, known, config) == evicted(
        target, list(running), mirrored, config
    )
