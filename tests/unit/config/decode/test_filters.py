"""config.md section 10: filters, and the aliases that come with them."""

from collections.abc import Callable

import pytest

from swapper.config import Config, parse_config
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

A, B = ModelId("a"), ModelId("b")
PEER = 'peers: {p: {proxy: "http://h:1", models: [m], filters: {%s}}}'


def test_fil_1_names_are_trimmed_sorted_unique_and_never_model(load: Load) -> None:
    names = '"model, top_k, top_k, , temperature"'
    config = load(a=f"filters: {{stripParams: {names}}}")

    assert config.models[A].filters.strip_params == ("temperature", "top_k")


def test_fil_2_model_alone_strips_nothing(load: Load) -> None:
    assert load(a="filters: {stripParams: model}").models[A].filters.strip_params == ()


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ("strip_params: b", ("b",)),
        ("strip_params: b, stripParams: a", ("a",)),
        ('strip_params: b, stripParams: ""', ("b",)),
    ],
)
def test_fil_3_old_spelling_counts_if_the_new_one_is_empty(
    load: Load, filters: str, names: tuple[str, ...]
) -> None:
    config = load(a=f"filters: {{{filters}}}")

    assert config.models[A].filters.strip_params == names
    assert not config.warnings


def test_fil_4_peers_do_not_have_the_old_spelling(load: Load) -> None:
    config = load(PEER % "strip_params: a")

    assert config.peers["p"].filters.strip_params == ()
    assert "strip_params" in str(config.warnings[0])


@pytest.mark.parametrize(
    "filters",
    ["stripParams: [a, b]", "setParams: [1]", "setParamsByID: {k: 1}"],
)
def test_fil_5_wrong_types_are_refused(errors: Errors, filters: str) -> None:
    [message] = errors(a=f"filters: {{{filters}}}")

    assert f"models.a.filters.{filters.partition(':')[0]}" in message


def test_fil_6_model_cannot_be_set(load: Load) -> None:
    config = load(a="filters: {setParams: {model: x, t: 1, f: 1.0}}")

    assert dict(config.models[A].filters.set_params) == {"f": 1.0, "t": 1}
    assert list(config.models[A].filters.set_params) == ["f", "t"]


def test_fil_9_a_name_becomes_an_alias_unless_it_is_the_models_own(load: Load) -> None:
    config = load(a='filters: {setParamsByID: {a: {t: 1}, "a:hi": {t: 2}}}')

    assert config.models[A].aliases == ("a:hi",)
    assert config.model_by_name["a:hi"] == A
    by_id = config.models[A].filters.set_params_by_id
    assert {name: dict(params) for name, params in by_id.items()} == {
        "a": {"t": 1},
        "a:hi": {"t": 2},
    }


def test_fil_10_a_name_that_is_an_alias_already_stays_one(load: Load) -> None:
    config = load(a="aliases: [k]\nfilters: {setParamsByID: {k: {t: 1}}}")

    assert config.models[A].aliases == ("k",)


def test_fil_11_a_name_that_is_another_models_id_is_refused(errors: Errors) -> None:
    [message] = errors(a="filters: {setParamsByID: {b: {t: 1}}}")

    assert "models.a.filters.setParamsByID.b" in message
    assert "id of another model" in message


@pytest.mark.parametrize(
    "other",
    ["aliases: [k]", "filters: {setParamsByID: {k: {t: 1}}}"],
    ids=["explicit", "by key"],
)
def test_fil_12_a_name_that_is_another_models_alias_is_refused(other: str) -> None:
    model = '{cmd: serve, proxy: "http://h:1", %s}'
    text = "models:\n  a: " + model % "filters: {setParamsByID: {k: {t: 1}}}"
    with pytest.raises(ConfigError) as caught:
        parse_config(f"{text}\n  c: {model % other}\n", environ={})

    [problem] = caught.value.problems
    assert "k is an alias of" in problem.message


def test_fil_13_a_null_value_is_an_alias_without_settings(load: Load) -> None:
    config = load(a="filters: {setParamsByID: {k: }}")

    assert config.models[A].aliases == ("k",)
    assert dict(config.models[A].filters.set_params_by_id["k"]) == {}


def test_fil_14_and_mac_24_names_that_become_equal_are_refused(errors: Errors) -> None:
    keys = '{"${X}": {t: 1}, k: {t: 2}}'
    [message] = errors("macros: {X: k}", a=f"filters: {{setParamsByID: {keys}}}")

    assert "${X} and k both become k" in message


def test_mac_24_two_macros_of_the_same_value_as_names(errors: Errors) -> None:
    keys = '{"${X}": {t: 1}, "${Y}": {t: 2}}'
    [message] = errors(
        "macros: {X: same, Y: same}", a=f"filters: {{setParamsByID: {keys}}}"
    )

    assert "both become same" in message


def test_mac_23_names_and_values_are_expanded(load: Load) -> None:
    config = load(
        "macros: {V: 3}",
        a='filters: {setParamsByID: {"${MODEL_ID}-${V}": {k: "${V}"}}}',
    )

    assert config.models[A].aliases == ("a-3",)
    assert dict(config.models[A].filters.set_params_by_id["a-3"]) == {"k": 3}


@pytest.mark.parametrize("name", ["k${ZED}", "k${PID}"])
def test_mac_25_unknown_macro_in_a_name_is_refused(errors: Errors, name: str) -> None:
    [message] = errors(a=f'filters: {{setParamsByID: {{"{name}": {{t: 1}}}}}}')

    assert "models.a.filters.setParamsByID" in message


def test_fil_15_a_peers_names_are_kept_and_are_no_aliases(load: Load) -> None:
    config = load(PEER % "setParamsByID: {x: {t: 1}}")

    assert dict(config.peers["p"].filters.set_params_by_id["x"]) == {"t": 1}
    assert "x" not in config.model_by_name
    assert "x" not in config.peer_by_name


def test_mac_8_macros_keep_their_type_in_set_params(load: Load) -> None:
    config = load(
        'macros: {n: 12, f: 0.25, b: true, s: "12"}',
        a='filters: {setParams: {n: "${n}", f: "${f}", b: "${b}", s: "${s}"}}',
    )

    assert dict(config.models[A].filters.set_params) == {
        "b": True,
        "f": 0.25,
        "n": 12,
        "s": "12",
    }
