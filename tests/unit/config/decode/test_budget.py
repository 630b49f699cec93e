"""The budget block, what models need, and what can never be kept."""

from fractions import Fraction

import pytest

from swapper.config import Config, parse_config
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId
from swapper.planner import make_planner

A, B = ModelId("a"), ModelId("b")
GIB = 2**30
USE = "routing: {router: {use: budget, settings: {budget: {resources: %s}}}}\n"


def text(a: str = "", b: str = "resources: {}", resources: str = "{gpu: 24GiB}") -> str:
    """Return a file whose line 1 has the router, 3 model a, and 4 model b."""
    own = (f", {more}" if more else "" for more in (a, b))
    models = (
        f'  {name}: {{cmd: serve, proxy: "http://h:1"{more}}}\n'
        for name, more in zip("ab", own, strict=True)
    )
    return USE % resources + "models:\n" + "".join(models)


def load(*args: str) -> Config:
    return parse_config(text(*args), source="c.yaml", environ={})


def problems(document: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(document, source="c.yaml", environ={})
    return [str(problem) for problem in caught.value.problems]


def test_resources_needs_and_pins_are_read() -> None:
    config = load(
        "resources: {gpu: 14GiB, slots: 0.5}",
        "resources: {slots: 1}, pin: yes",
        "{gpu: 24GiB, slots: 2}",
    )

    assert config.router == "budget"
    assert config.budget.resources == {"gpu": 24 * GIB, "slots": 2}
    assert config.budget.needs == {
        A: {"gpu": 14 * GIB, "slots": Fraction(1, 2)},
        B: {"slots": 1},
    }
    assert config.budget.pinned == {B}
    assert config.budget.in_bytes == {"gpu"}
    assert config.groups["(default)"].members == (A, B)
    assert not config.warnings


def test_the_budget_planner_is_made_of_it() -> None:
    config = load("resources: {gpu: 14GiB}", "resources: {gpu: 14GiB}")
    planner = make_planner(config.router, config)

    assert planner.name == "budget"
    assert planner.eviction_for(A, [B]) == (B,)


def test_a_model_without_resources_is_told_to_run_alone() -> None:
    [warning] = load("", "resources: {}", "{cards: 24GiB, gpu: 2}").warnings

    assert str(warning) == (
        "c.yaml:3: models.a: has no resources: it is taken to need all, and runs alone"
    )


def test_a_model_without_resources_is_told_what_is_not_measured() -> None:
    [warning] = load("", "resources: {}", "{gpu0: 24GiB, ram: 9GB, slots: 2}").warnings

    assert str(warning) == (
        "c.yaml:3: models.a: has no resources: gpu0, ram will be measured, and it is "
        "taken to need nothing of slots"
    )


def test_without_resources_beside_a_pinned_model_it_is_measured() -> None:
    config = load("", "resources: {gpu: 12GiB}, pin: true")

    assert not config.warnings
    assert config.budget.measured == ("gpu",)


@pytest.mark.parametrize(
    ("a", "b", "resources", "message"),
    [
        (
            "resources: {gpu: 24 gigs}",
            "resources: {}",
            "{gpu: 24GiB}",
            "c.yaml:3: models.a.resources.gpu: must be a number, or one with a unit "
            "such as 24GiB or 800MB (B, kB, MB, GB, TB, KiB, MiB, GiB, TiB), "
            'not "24 gigs"',
        ),
        (
            "resources: {gpu0: 2GiB}",
            "resources: {}",
            "{gpu: 24GiB, ram: 64GB}",
            "c.yaml:3: models.a.resources.gpu0: gpu0 is no resource of the budget, "
            "which has gpu, ram",
        ),
        (
            "resources: {gpu: 30GiB}",
            "resources: {}",
            "{gpu: 24GiB}",
            "c.yaml:3: models.a.resources.gpu: a needs 30 GiB of gpu, and there is "
            "24 GiB",
        ),
        (
            "resources: {gpu: 14GiB}",
            "resources: {gpu: 12GiB}, pin: true",
            "{gpu: 24GiB}",
            "c.yaml:3: models.a.resources.gpu: a needs 14 GiB of gpu; b is pinned, "
            "which leaves 12 GiB",
        ),
        (
            "",
            "resources: {cards: 12GiB}, pin: true",
            "{cards: 24GiB}",
            "c.yaml:3: models.a: has no resources and so runs alone, but b is pinned",
        ),
        (
            "resources: {gpu: 12GiB}",
            "pin: true",
            "{gpu: 24GiB}",
            "c.yaml:4: models.b.pin: needs resources: without them a model runs alone",
        ),
        (
            "resources: {}",
            "resources: {}",
            "{gpu: -1}",
            "c.yaml:1: routing.router.settings.budget.resources.gpu: must be a number, "
            "or one with a unit such as 24GiB or 800MB (B, kB, MB, GB, TB, KiB, MiB, "
            'GiB, TiB), not "-1"',
        ),
        (
            "resources: {}",
            "resources: {}",
            "{}",
            "c.yaml:1: routing.router.settings.budget.resources: must have at least "
            "one resource",
        ),
    ],
    ids=lambda value: value if value.startswith("c.yaml") else "",
)
def test_what_can_never_be_kept_is_an_error_with_its_line(
    a: str, b: str, resources: str, message: str
) -> None:
    assert message in problems(text(a, b, resources))


def test_two_pinned_models_that_do_not_fit_together_are_both_reported() -> None:
    pinned = "resources: {gpu: 14GiB}, pin: true"

    assert problems(text(pinned, pinned)) == [
        "c.yaml:3: models.a.resources.gpu: a needs 14 GiB of gpu; b is pinned, which "
        "leaves 10 GiB",
        "c.yaml:4: models.b.resources.gpu: b needs 14 GiB of gpu; a is pinned, which "
        "leaves 10 GiB",
    ]


def test_what_fits_exactly_fits() -> None:
    load("resources: {gpu: 12GiB}", "resources: {gpu: 12GiB}, pin: true")


def test_the_budget_router_needs_a_budget() -> None:
    [message] = problems("routing: {router: {use: budget}}")

    assert message == (
        "c.yaml:1: routing.router.use: budget needs routing.router.settings.budget"
    )


def test_resources_without_the_budget_router_have_no_effect() -> None:
    config = parse_config(
        "models: {a: {cmd: serve, proxy: 'http://h', resources: {x: 1}, pin: true}}\n"
        "routing: {router: {settings: {budget: {resources: {x: 1}}}}}"
    )

    effects = [warning.key_path for warning in config.warnings]
    assert effects == [
        "models.a.resources",
        "models.a.pin",
        "routing.router.settings.budget",
    ]
    assert config.router == "group"


@pytest.mark.parametrize(
    ("need", "is_right"), [("12GiB", True), ("13GiB", False)], ids=str
)
def test_targets_of_a_spillover_must_fit_together(need: str, *, is_right: bool) -> None:
    selector = (
        "selectors: {s: {strategy: spillover, targets: [a, b], "
        "settings: {spillover: 2}}}"
    )
    model = "resources: {gpu: %s}" % need  # noqa: UP031 - braces
    document = text(model, model) + selector

    if is_right:
        assert parse_config(document).selectors
    else:
        [message] = problems(document)
        assert "selectors.s.targets: a, b must fit into the budget" in message
