"""What is measured of a model, and what a budget makes of it."""

from dataclasses import replace
from fractions import Fraction

import pytest

from swapper.config.budget import BudgetConfig
from swapper.config.learnt import Footprint, Learnt, can_be_measured
from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId

GIB = 1 << 30
A, B, PINNED = map(ModelId, ("a", "b", "pinned"))
BUDGET = BudgetConfig(
    resources={
        "gpu0": Fraction(24 * GIB),
        "ram": Fraction(64 * GIB),
        "slots": Fraction(2),
    },
    needs={PINNED: {"gpu0": Fraction(4 * GIB)}, B: {"slots": Fraction(1)}},
    pinned=frozenset({PINNED}),
    in_bytes=frozenset({"gpu0", "ram"}),
)
HELD = Footprint(ram_bytes=3 * GIB, gpu_bytes={0: 10 * GIB, 1: 2 * GIB})


@pytest.mark.parametrize(
    ("resource", "held"),
    [
        ("ram", 3 * GIB),
        ("gpu0", 10 * GIB),
        ("vram0", 10 * GIB),
        ("gpu1", 2 * GIB),
        ("gpu7", 0),
        ("gpu", 12 * GIB),
        ("vram", 12 * GIB),
        ("slots", None),
        ("gpu01", None),
        ("gpus", None),
        ("RAM", None),
    ],
)
def test_the_name_tells_which_figure_it_is(resource: str, held: int | None) -> None:
    assert HELD.of(resource) == held
    assert can_be_measured(resource) is (held is not None)


def test_without_a_tool_nothing_is_known_of_gpus() -> None:
    held = replace(HELD, gpu_bytes=None)

    assert (held.of("ram"), held.of("gpu"), held.of("gpu0")) == (3 * GIB, None, None)
    assert BUDGET.untold(held) == ("gpu0",)
    assert BUDGET.untold(None) == ("gpu0", "ram")
    assert A not in BUDGET.with_learnt({A: Learnt(footprint=held)}).needs


def test_what_was_measured_counts_for_who_does_not_say() -> None:
    learnt = {model: Learnt(footprint=HELD) for model in (A, B, PINNED)}

    known = BUDGET.with_learnt(learnt)

    assert known.needs == {**BUDGET.needs, A: {"gpu0": 10 * GIB, "ram": 3 * GIB}}
    assert known.words(known.needs[A]) == "10 GiB of gpu0, 3 GiB of ram"


def test_nothing_takes_more_than_the_pinned_ones_leave() -> None:
    held = replace(HELD, gpu_bytes={0: 23 * GIB})

    needs = BUDGET.with_learnt({A: Learnt(footprint=held)}).needs[A]

    assert needs == {"gpu0": 20 * GIB, "ram": 3 * GIB}


@pytest.mark.parametrize("resources", [{"slots": 2}, {"gpu0": 2, "card": 9 * GIB}])
def test_a_number_or_another_name_is_not_measured(resources: dict[str, int]) -> None:
    budget = BudgetConfig(
        resources={name: Fraction(n) for name, n in resources.items()},
        in_bytes=frozenset({"card"}),
    )

    assert budget.measured == ()
    assert A not in budget.with_learnt({A: Learnt(footprint=HELD)}).needs


def test_a_port_is_no_other_basis() -> None:
    model = ModelConfig(id=A, cmd="serve --port 5800 -c 4096", port=5800)

    moved = replace(model, cmd="serve --port 5931 -c 4096", port=5931)
    larger = replace(model, cmd="serve --port 5800 -c 8192")
    elsewhere = replace(model, env=("CUDA_VISIBLE_DEVICES=1",))

    assert moved.basis == model.basis
    assert len({model.basis, larger.basis, elsewhere.basis}) == 3
