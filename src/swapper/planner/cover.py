"""Which of several things to give up, so that enough is freed at the least weight.

A covering problem with a few dimensions: each thing frees something of each resource
and has a weight, and what is lacking has to be covered.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Final, TypeAlias

MOST_EXACT: Final = 20
"""Up to so many things the answer is the lightest there is."""

Amounts: TypeAlias = tuple[int, ...]
"""By resource, in an order that all share."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that can be given up.

    Attributes:
        weight: at least 0; sums of weights are compared.
        frees: by resource, at least 0.
    """

    weight: int
    frees: Amounts


def lightest_cover(things: Sequence[Thing], lacking: Amounts) -> list[int] | None:
    """Return the indexes of the lightest set that frees what is *lacking*.

    Of equally light ones that with the fewest, then that whose last index is the
    smallest, and so on. With more than ``MOST_EXACT`` things, those that are heaviest
    for what they free are dropped from all, as long as enough is left.

    Returns:
        Sorted indexes; None if all together do not free enough.
    """
    if not _covers((thing.frees for thing in things), lacking):
        return None
    if len(things) > MOST_EXACT:
        return _some_cover(things, lacking)
    # One number tells weight, count and which, and so there are no ties.
    count = len(things)
    keyed = [
        Thing((thing.weight * (count + 1) + 1) << count | 1 << index, thing.frees)
        for index, thing in enumerate(things)
    ]
    best = _least_key(keyed, lacking)
    return [index for index in range(count) if best >> index & 1]


def _least_key(things: Sequence[Thing], lacking: Amounts) -> int:
    """Return the weight of the lightest cover, where all covers differ in weight.

    Thing by thing, those that free much for their weight first: what each choice so far
    leaves lacking. Only choices go on that may still lead to the lightest cover.
    """
    most = sum(things[index].weight for index in _some_cover(things, lacking))
    order = sorted(things, key=lambda thing: thing.weight / _share(thing, lacking))
    # Exact, for the bounds must be: a rounded one could leave no choice at all.
    useful = [
        sorted(
            (thing for thing in things if thing.frees[place]),
            key=lambda thing: Fraction(thing.weight, thing.frees[place]),
        )
        for place in range(len(lacking))
    ]
    choices = {lacking: 0}  # what is left lacking -> the least weight
    for number, thing in enumerate(order, 1):
        for left, weight in list(choices.items()):
            less = tuple(max(0, x - f) for x, f in zip(left, thing.frees, strict=True))
            heavier = weight + thing.weight
            if heavier < choices.get(less, most + 1):
                choices[less] = heavier
        coming = {other.weight for other in order[number:]}
        rest = _Rest([[t for t in row if t.weight in coming] for row in useful])
        choices = _promising(choices, rest, most)
    [weight] = choices.values()
    return weight


class _Rest:
    """The least that things still to come weigh, if they cover something."""

    def __init__(self, useful: Sequence[Sequence[Thing]]) -> None:
        """Add up, for each resource, the things that free some, the best first."""
        self._steps = [
            (
                list(accumulate((thing.frees[place] for thing in things), initial=0)),
                list(accumulate((thing.weight for thing in things), initial=0)),
            )
            for place, things in enumerate(useful)
        ]

    def least_weight(self, lacking: Amounts) -> int | None:
        """Return a weight that no cover is below; None if there is no cover.

        It is that of the best cover if things could be cut to pieces.
        """
        least = 0
        for amount, (frees, weights) in zip(lacking, self._steps, strict=True):
            step = bisect_left(frees, amount)
            if step == len(frees):
                return None
            if step:
                part = (amount - frees[step - 1]) * (weights[step] - weights[step - 1])
                whole = weights[step - 1]
                least = max(least, whole + part // (frees[step] - frees[step - 1]))
        return least


def _promising(
    choices: dict[Amounts, int], rest: _Rest, most: int
) -> dict[Amounts, int]:
    """Return the choices that may still lead to a cover of weight *most* or less.

    Not those beside which another one lacks no more and is lighter.
    """
    kept: dict[Amounts, int] = {}
    for left, weight in sorted(choices.items(), key=lambda choice: choice[1]):
        more = rest.least_weight(left)
        if more is None or weight + more > most:
            continue
        if not any(all(map(int.__le__, other, left)) for other in kept):
            kept[left] = weight
    return kept


def _some_cover(things: Sequence[Thing], lacking: Amounts) -> list[int]:
    """Return a cover from which nothing can be left out."""

    def heaviest(index: int) -> tuple[float, int]:
        thing = things[index]
        return -thing.weight / _share(thing, lacking), -index

    chosen = set(range(len(things)))
    for index in sorted(chosen, key=heaviest):
        if _covers((things[i].frees for i in chosen - {index}), lacking):
            chosen.remove(index)
    return sorted(chosen)


def _share(thing: Thing, lacking: Amounts) -> float:
    """Return how much of what is lacking a thing covers; above 0, for dividing."""
    parts = zip(thing.frees, lacking, strict=True)
    return max(1e-9, sum(min(freed, x) / x for freed, x in parts))


def _covers(frees: Iterable[Amounts], lacking: Amounts) -> bool:
    freed = map(sum, zip(*frees, strict=True))
    sums = tuple(freed) or (0,) * len(lacking)
    return all(map(int.__le__, lacking, sums))
