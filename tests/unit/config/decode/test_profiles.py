"""config.md section 18: profiles."""

from collections.abc import Callable

import pytest

from swapper.config import Config

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

AROUND = (
    'peers: {p: {proxy: "http://h:1", models: [x, u]}, '
    'q: {proxy: "http://h:2", models: [x]}}\n'
    "selectors: {s: {strategy: pin, targets: [a]}}\n"
)
AL = "aliases: [al]"


def test_pro_1_null_and_empty_targets_switch_a_name_off(load: Load) -> None:
    config = load('profiles: {p: {pins: {x: a, y: ~, z: ""}}}')

    assert dict(config.profiles["p"].pins) == {"x": "a", "y": "", "z": ""}


@pytest.mark.parametrize("profile", ["[a]", "a"])
def test_pro_2_the_old_list_form_is_refused(errors: Errors, profile: str) -> None:
    [message] = errors(f"profiles: {{p: {profile}}}")

    assert "a list of models, is gone" in message


@pytest.mark.parametrize("profile", ["", "{}", "{pins: {}}"])
def test_pro_3_a_profile_needs_a_pin(errors: Errors, profile: str) -> None:
    assert "at least one pin" in errors(f"profiles: {{p: {profile}}}")[0]


@pytest.mark.parametrize("profiles", ['{" ": {pins: {x: a}}}', '{p: {pins: {" ": a}}}'])
def test_pro_4_blank_names_are_refused(errors: Errors, profiles: str) -> None:
    assert "must not be blank" in errors(f"profiles: {profiles}")[0]


@pytest.mark.parametrize("target", ["zz", '" "'])
def test_pro_5_unknown_targets_are_refused(errors: Errors, target: str) -> None:
    assert "unknown model" in errors(f"profiles: {{p: {{pins: {{x: {target}}}}}}}")[0]


def test_pro_6_a_pin_does_not_lead_to_another(errors: Errors) -> None:
    [message] = errors("profiles: {p: {pins: {x: a, y: x}}}")

    assert 'unknown model "x"' in message
    assert "another pin" in message


@pytest.mark.parametrize("target", ["al", "u", "p/u", "s"])
def test_pro_7_everything_else_with_a_name_is_a_target(load: Load, target: str) -> None:
    config = load(f"{AROUND}profiles: {{n: {{pins: {{x1: {target}}}}}}}", a=AL)

    assert config.profiles["n"].pins["x1"] == target


def test_pro_8_a_bare_name_of_two_peers_is_none(errors: Errors) -> None:
    assert "unknown model" in errors(f"{AROUND}profiles: {{n: {{pins: {{y: x}}}}}}")[0]


def test_pro_9_a_pin_may_shadow_a_model(load: Load) -> None:
    assert load("profiles: {p: {pins: {a: b}}}").profiles["p"].pins["a"] == "b"


def test_pro_10_a_pin_may_not_shadow_a_peers_qualified_name(errors: Errors) -> None:
    [message] = errors(f"{AROUND}profiles: {{n: {{pins: {{p/u: a}}}}}}")

    assert "p/u is a model of peer p" in message
