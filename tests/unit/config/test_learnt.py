"""What is measured of a model, and what a budget makes of it."""

from dataclasses import replace
from fractions import Fraction

import pytest

from swapper.config.budget import BudgetConfig
from swapper.config.learnt import Footprint, Lack, Learnt, can_be_measured
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


# --- what a load has failed for --------------------------------------------------------

FULL = BudgetConfig(
    resources={"gpu0": Fraction(24), "ram": Fraction(64), "slots": Fraction(2)},
    needs={
        A: {"gpu0": Fraction(10), "ram": Fraction(20), "slots": Fraction(1)},
        B: {"gpu0": Fraction(4), "ram": Fraction(10), "slots": Fraction(1)},
        PINNED: {"gpu0": Fraction(2)},
    },
    pinned=frozenset({PINNED}),
    in_bytes=frozenset({"gpu0", "ram"}),
)


@pytest.mark.parametrize(
    ("lack", "more"),
    [
        (Lack.GPU, {"gpu0": 20}),  # 18 were free; a tenth more, in whole bytes
        (Lack.RAM, {"ram": 60}),
        (Lack.UNTOLD, {"gpu0": 20, "ram": 60}),
    ],
)
def test_it_needs_a_tenth_more_than_was_free(lack: Lack, more: object) -> None:
    assert FULL.more_than_free(A, [B, PINNED], lack) == more


def test_never_more_than_the_pinned_ones_leave() -> None:
    beside = BudgetConfig(
        resources=FULL.resources,
        needs={**FULL.needs, B: {"gpu0": Fraction(1)}},
        pinned=FULL.pinned,
        in_bytes=FULL.in_bytes,
    )

    assert beside.more_than_free(A, [B, PINNED], Lack.GPU) == {"gpu0": 22}


def test_what_others_have_grown_to_is_not_taken_for_free() -> None:
    grown = replace(FULL, needs={**FULL.needs, B: {"gpu0": Fraction(23)}})

    assert grown.more_than_free(A, [B], Lack.GPU) == {"gpu0": 11}


@pytest.mark.parametrize(
    ("model", "beside"),
    [(A, []), (A, [PINNED]), (PINNED, [A]), (ModelId("stranger"), [B])],
)
def test_nothing_is_raised_if_nobody_could_make_room(
    model: ModelId, beside: list[ModelId]
) -> None:
    assert FULL.more_than_free(model, beside, Lack.GPU) == {}


def test_resources_that_are_no_bytes_will_do() -> None:
    needs = {A: {"slots": Fraction(1)}, B: {"slots": Fraction(1)}}

    plain = replace(FULL, needs=needs, pinned=frozenset())

    assert plain.more_than_free(A, [B], Lack.GPU) == {"slots": Fraction(11, 10)}


def test_what_failed_counts_if_it_is_more() -> None:
    learnt = {
        A: Learnt(at_least={"gpu0": Fraction(12), "ram": Fraction(5)}),
        B: Learnt(at_least={"gone": Fraction(1), "gpu0": Fraction(99)}),
        PINNED: Learnt(at_least={"gpu0": Fraction(9)}),
    }

    needs = FULL.with_learnt(learnt).needs

    assert needs[A] == {"gpu0": 12, "ram": 20, "slots": 1}
    assert needs[B] == {"gpu0": 22, "ram": 10, "slots": 1}
    assert needs[PINNED] == FULL.needs[PINNED]
