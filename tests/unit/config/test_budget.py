"""Quantities, and sums of them."""

from fractions import Fraction

import pytest

from swapper.config.budget import BudgetConfig, parse_quantity
from swapper.core.ids import ModelId

A, B, P = ModelId("a"), ModelId("b"), ModelId("p")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("24GiB", 24 * 2**30),
        ("24 GiB", 24 * 2**30),
        ("1KiB", 1024),
        ("3MiB", 3 * 2**20),
        ("0.5TiB", 2**39),
        ("1kB", 1000),
        ("800MB", 800 * 10**6),
        ("1.5GB", 1_500_000_000),
        ("2TB", 2 * 10**12),
        ("7B", 7),
        ("2", 2),
        ("0", 0),
        ("0.1", Fraction(1, 10)),
        (".25", Fraction(1, 4)),
        ("1e+16", 10**16),
    ],
)
def test_quantity(text: str, amount: Fraction | int) -> None:
    found = parse_quantity(text)

    assert found.amount == amount
    assert found.has_unit is text.endswith("B")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "GiB",
            "24 gigs",
            "24gib",
            "24Gi",
            "-1",
            "+1",
            "1,5",
            "true",
            "1e999",
        ),
        *("0x10", "inf", "nan", "2  GiB", "2GiB\n", "9" * 21, "1_000", "one", "."),
    ],
)
def test_what_is_no_quantity_is_told_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="a unit such as 24GiB or 800MB"):
        parse_quantity(text)


def test_fractions_add_up_exactly() -> None:
    thirds = {m: {"x": parse_quantity("0.1").amount} for m in (A, B, P)}
    budget = BudgetConfig(resources={"x": parse_quantity("0.3").amount}, needs=thirds)

    assert budget.exceeded([A, B, P]) == ()


BUDGET = BudgetConfig(
    resources={"gpu": Fraction(10 * 2**30), "slots": Fraction(2)},
    needs={
        A: {"gpu": Fraction(6 * 2**30), "slots": Fraction(1)},
        B: {"slots": Fraction(3, 2)},
        P: {"gpu": Fraction(4 * 2**30)},
    },
    pinned=frozenset({P}),
    in_bytes=frozenset({"gpu"}),
)


@pytest.mark.parametrize(
    ("models", "exceeded"),
    [([A], ()), ([A, B], ("slots",)), ([B, P], ()), ([A, A, A], ("gpu", "slots"))],
)
def test_exceeded_resources_are_named(
    models: list[ModelId], exceeded: tuple[str, ...]
) -> None:
    assert BUDGET.exceeded(models) == exceeded


@pytest.mark.parametrize(
    ("models", "can"),
    [([A], True), ([A, P], True), ([A, B], False), ([A, ModelId("x")], False)],
)
def test_models_run_together_beside_the_pinned(
    models: list[ModelId], *, can: bool
) -> None:
    assert BUDGET.can_run_together(models) is can


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [
        ("gpu", 24 * 2**30, "24 GiB"),
        ("gpu", 2**29, "512 MiB"),
        ("gpu", 64 * 10**9, "59.605 GiB"),
        ("gpu", 0, "0 B"),
        ("slots", 2, "2"),
        ("slots", Fraction(1, 2), "0.5"),
    ],
)
def test_amount_is_written_as_people_do(
    resource: str, amount: Fraction | int, text: str
) -> None:
    assert BUDGET.text(resource, Fraction(amount)) == text
