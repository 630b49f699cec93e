"""The lightest cover, against all subsets."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swapper.planner.cover import MOST_EXACT, Amounts, Thing, lightest_cover


def covers(things: Sequence[Thing], chosen: Sequence[int], lacking: Amounts) -> bool:
    return all(
        sum(things[index].frees[place] for index in chosen) >= amount
        for place, amount in enumerate(lacking)
    )


def by_trying_all(things: Sequence[Thing], lacking: Amounts) -> list[int] | None:
    """Return the best of all subsets: weight, count, then the smallest last index."""
    places = range(len(things))
    found = [
        (sum(things[index].weight for index in chosen), count, chosen[::-1])
        for count in range(len(things) + 1)
        for chosen in itertools.combinations(places, count)
        if covers(things, chosen, lacking)
    ]
    return sorted(min(found)[2]) if found else None


@st.composite
def problems(draw: st.DrawFn, most: int = 12) -> tuple[list[Thing], Amounts]:
    """Few different numbers, so that there are many ties; sometimes many."""
    size = draw(st.integers(1, 3))
    largest = draw(st.sampled_from([2, 9, 1000]))
    number = st.integers(0, largest)
    things = draw(
        st.lists(st.builds(Thing, number, st.tuples(*[number] * size)), max_size=most)
    )
    lacking = draw(st.tuples(*[st.integers(1, 3 * largest)] * size))
    return things, lacking


@settings(max_examples=150, derandomize=True, deadline=None)
@given(problems())
def test_the_cover_is_the_lightest_of_all_subsets(
    problem: tuple[list[Thing], Amounts],
) -> None:
    things, lacking = problem

    assert lightest_cover(things, lacking) == by_trying_all(things, lacking)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(problems(most=40))
def test_a_cover_of_any_size_has_nothing_to_spare(
    problem: tuple[list[Thing], Amounts],
) -> None:
    things, lacking = problem
    things = [Thing(thing.weight + 1, thing.frees) for thing in things]
    chosen = lightest_cover(things, lacking)

    assert (chosen is None) is not covers(things, range(len(things)), lacking)
    if chosen is not None:
        assert covers(things, chosen, lacking)
        for index in chosen:
            rest = [other for other in chosen if other != index]
            assert not covers(things, rest, lacking)


def test_weights_too_close_for_floating_point_are_told_apart() -> None:
    huge = 1 << 90
    things = [Thing(huge * size + 9 - size, (size,)) for size in range(1, 10)]

    for lacking in range(1, 46):
        assert lightest_cover(things, (lacking,)) == by_trying_all(things, (lacking,))


def test_twenty_alike_things_are_as_quick_as_few() -> None:
    things = [Thing(7, (3, 5))] * MOST_EXACT

    assert lightest_cover(things, (29, 41)) == list(range(10))


@pytest.mark.parametrize("things", [[], [Thing(1, (4,))] * 2])
def test_there_is_no_cover_if_all_do_not_free_enough(things: list[Thing]) -> None:
    assert lightest_cover(things, (9,)) is None
