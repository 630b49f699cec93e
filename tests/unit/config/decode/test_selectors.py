"""config.md section 17: selectors."""

from collections.abc import Callable

import pytest

from swapper.config import Config, SelectorConfig, Strategy

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

PEERS = 'peers: {p: {proxy: "http://h:1", models: [x, u]}, q: {proxy: "http://h:2", models: [x, v]}}'
TOGETHER = "groups: {g: {swap: false, members: [a, b]}}"
AL = "aliases: [al]"


def selector(strategy: str, targets: str, more: str = "") -> str:
    return f"selectors: {{s: {{strategy: {strategy}, targets: {targets}{more}}}}}"


def test_sel_1_defaults(load: Load) -> None:
    assert load(selector("pin", "[a]")).selectors["s"] == SelectorConfig(
        id="s", strategy=Strategy.PIN, targets=("a",), spillover=1
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{targets: [a]}", "strategy"),
        ("{strategy: Pin, targets: [a]}", "strategy"),
        ("{strategy: pin}", "targets"),
        ("{strategy: pin, targets: []}", "targets"),
        ("", "strategy"),
    ],
)
def test_sel_2_strategy_and_targets_are_needed(
    errors: Errors, text: str, key: str
) -> None:
    messages = errors(f"selectors: {{s: {text}}}")

    assert f"selectors.s.{key}: " in messages[0]


@pytest.mark.parametrize("id_", ['" "', "a", "al", "p/u"])
def test_sel_3_ids_that_are_blank_or_taken_are_refused(
    errors: Errors, id_: str
) -> None:
    text = f"selectors: {{{id_}: {{strategy: pin, targets: [b]}}}}"

    assert len(errors(f"{PEERS}\n{text}", a=AL)) == 1


@pytest.mark.parametrize(("targets", "index"), [("[zz]", 0), ("[a, zz]", 1)])
def test_sel_4_unknown_target_is_refused_with_its_index(
    errors: Errors, targets: str, index: int
) -> None:
    [message] = errors(selector("pin", targets))

    assert f"selectors.s.targets[{index}]" in message
    assert "zz" in message


@pytest.mark.parametrize("target", ["s", "r"])
def test_sel_5_a_selector_is_no_target(errors: Errors, target: str) -> None:
    text = (
        f"{selector('pin', f'[{target}]')[:-1]}, r: {{strategy: pin, targets: [a]}}}}"
    )

    assert "unknown model" in errors(text)[0]


def test_sel_6_a_bare_name_of_two_peers_is_unknown(errors: Errors) -> None:
    [message] = errors(f"{PEERS}\n{selector('pin', '[x]')}")

    assert 'unknown model "x"' in message


def test_sel_7_warm_needs_models_of_this_server(errors: Errors) -> None:
    [message] = errors(f"{PEERS}\n{selector('warm', '[a, u]')}")

    assert "selectors.s.targets[1]" in message


def test_sel_8_warm_may_name_a_model_twice(load: Load) -> None:
    assert load(selector("warm", "[a, al]"), a=AL).selectors["s"].targets == ("a", "al")


@pytest.mark.parametrize(
    ("targets", "same"), [("[a, al]", "al is a"), ("[u, p/u]", "p/u is p/u")]
)
def test_sel_9_spillover_may_not(errors: Errors, targets: str, same: str) -> None:
    [message] = errors(f"{PEERS}\n{selector('spillover', targets)}", a=AL)

    assert "duplicate target" in message
    assert same in message


def test_sel_10_spillover_needs_models_that_run_together(errors: Errors) -> None:
    assert "swap: false" in errors(selector("spillover", "[a, b]"))[0]


def test_sel_11_one_group_without_swap_will_do(load: Load) -> None:
    config = load(f"{TOGETHER}\n{selector('spillover', '[a, b]')}")

    assert config.selectors["s"].targets == ("a", "b")


def test_sel_12_two_groups_will_not(errors: Errors) -> None:
    groups = "groups: {g: {swap: false, members: [a]}, h: {swap: false, members: [b]}}"

    assert "one group" in errors(f"{groups}\n{selector('spillover', '[a, b]')}")[0]


def test_sel_14_models_of_peers_are_free_of_this(load: Load) -> None:
    config = load(f"{PEERS}\n{selector('spillover', '[a, u, v]')}")

    assert config.selectors["s"].targets == ("a", "u", "v")


def test_sel_15_the_number_counts_for_spillover_only(
    load: Load, errors: Errors
) -> None:
    more = ", settings: {spillover: 0}"

    assert load(selector("warm", "[a]", more)).selectors["s"].spillover == 0
    assert (
        "selectors.s.settings.spillover"
        in errors(selector("spillover", "[a]", more))[0]
    )
