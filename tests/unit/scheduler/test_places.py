"""Places in the queue against the plain way to count them."""

import random

import pytest

from swapper.scheduler.places import Places


@pytest.mark.parametrize("seed", range(20))
def test_places_are_those_of_the_sorted_queue(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a simulation
    places = Places()
    filed: dict[int, float] = {}
    for number in range(300):
        rank = dice.choice((-float("inf"), -5, 0, 0, 0, 1))
        places.add(rank, [number])
        filed[number] = rank
        if dice.random() < 0.3:
            some = [t for t, r in filed.items() if r == rank and dice.random() < 0.5]
            if some:
                places.remove(rank, some)
                filed = {t: r for t, r in filed.items() if t not in some}
        if filed:
            order = sorted(filed, key=lambda t: (filed[t], t))
            asked = dice.choice(order)
            assert places.find(filed[asked], asked) == order.index(asked) + 1
