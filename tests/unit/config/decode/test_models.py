"""config.md section 9: model settings."""

from collections.abc import Callable

import pytest

from swapper.config import (
    Config,
    LoadingState,
    ModelConfig,
    TimeoutsConfig,
    parse_config,
)
from swapper.config.decode.limits import MAX_DURATION_S
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

A = ModelId("a")


def models_of(models: str, top: str = "") -> dict[str, ModelConfig]:
    config = parse_config(f"{top}\nmodels: {{{models}}}", environ={})
    return {str(name): model for name, model in config.models.items()}


def test_mod_1_defaults_of_a_model() -> None:
    models = models_of("m: {cmd: 'serve ${PORT}'}")

    assert models["m"] == ModelConfig(
        id=ModelId("m"),
        cmd="serve 5800",
        port=5800,
        cmd_stop="",
        proxy="http://localhost:5800",
        check_endpoint="/health",
        env=(),
        ttl_s=0,
        unload_timeout_s=10,
        health_check_timeout_s=120,
        aliases=(),
        name="",
        description="",
        unlisted=False,
        use_model_name="",
        concurrency_limit=0,
        metadata={},
        timeouts=TimeoutsConfig(
            connect_s=30,
            keepalive_s=30,
            response_header_s=0,
            tls_handshake_s=10,
            expect_continue_s=1,
            idle_conn_s=90,
        ),
        loading_state=LoadingState.OFF,
    )
    assert models["m"].max_requests == 10


def test_every_setting_reaches_the_model(load: Load) -> None:
    model = load(
        a="""cmdStop: podman stop a
checkEndpoint: /v1/health
name: " Model A "
description: first
unlisted: true
useModelName: real
concurrencyLimit: 3
metadata: {k: [1, {x: y}]}"""
    ).models[A]

    assert model.cmd_stop == "podman stop a"
    assert model.check_endpoint == "/v1/health"
    assert (model.name, model.description) == (" Model A ", "first")
    assert model.unlisted
    assert model.use_model_name == "real"
    assert model.max_requests == 3
    assert model.metadata == {"k": [1, {"x": "y"}]}


def test_mod_2_ttl_falls_back_to_the_global_one(load: Load) -> None:
    for setting, ttl_s in {
        "": 300,
        "ttl: 0": 0,
        "ttl: 600": 600,
        "ttl: -1": 300,
    }.items():
        assert load("globalTTL: 300", a=setting).models[A].ttl_s == ttl_s


def test_mod_3_ttl_below_minus_one_is_refused(errors: Errors) -> None:
    [message] = errors(a="ttl: -2")

    assert "models.a.ttl" in message
    assert "-2" in message


def test_mod_4_unload_timeout_falls_back_to_the_global_one(
    load: Load, errors: Errors
) -> None:
    for setting, seconds in {
        "": 25,
        "unloadTimeout: 0": 25,
        "unloadTimeout: 45": 45,
    }.items():
        config = load("unloadTimeout: 25", a=setting)

        assert config.models[A].unload_timeout_s == seconds
    assert "models.a.unloadTimeout" in errors(a="unloadTimeout: -1")[0]


def test_mod_5_health_check_timeout_is_always_the_global_one(load: Load) -> None:
    config = load("healthCheckTimeout: 60", a="healthCheckTimeout: 999")

    assert config.models[A].health_check_timeout_s == 60
    assert "models.a.healthCheckTimeout: cannot be set per model" in str(
        config.warnings[0]
    )


def test_mod_7_alias_of_two_models_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        models_of(
            "a: {cmd: x, proxy: 'http://h', aliases: [z]},"
            "b: {cmd: x, proxy: 'http://h', aliases: [z]}"
        )

    [problem] = caught.value.problems
    assert problem.key_path == "models.b.aliases[0]"
    assert "alias z is taken by a" in problem.message


def test_mod_8_alias_twice_in_one_model_is_refused(errors: Errors) -> None:
    assert "alias z" in errors(a="aliases: [z, z]")[0]


def test_mod_9_alias_may_be_the_models_own_id(load: Load) -> None:
    assert load(a="aliases: [a]").models[A].aliases == ("a",)


@pytest.mark.parametrize("alias", ["b", '""'])
def test_mod_10_and_q8_useless_alias_is_refused(errors: Errors, alias: str) -> None:
    assert "models.a.aliases[0]" in errors(a=f"aliases: [{alias}]")[0]


@pytest.mark.parametrize(
    "proxy",
    ["://x", "http://h:abc", "http://[::1", "http://h/%zz", "127.0.0.1:8080"],
)
def test_mod_11_proxy_that_is_no_url_is_refused(errors: Errors, proxy: str) -> None:
    [message] = errors(a=f'proxy: "{proxy}"')

    assert "models.a.proxy" in message
    assert proxy in message


@pytest.mark.parametrize("proxy", ["localhost:8080", "not a url", ""])
def test_mod_12_useless_proxy_loads_with_a_warning(load: Load, proxy: str) -> None:
    config = load(a=f'proxy: "{proxy}"')

    assert config.models[A].proxy == proxy
    assert "models.a.proxy" in str(config.warnings[0])


def test_mod_13_null_proxy_is_the_default() -> None:
    models = models_of("a: {cmd: 'x ${PORT}', proxy: ~}")

    assert models["a"].proxy == "http://localhost:5800"


@pytest.mark.parametrize("cmd", ["", '"# x"', '"\\\\"', '" "'])
def test_mod_14_and_q15_model_without_command_loads_with_a_warning(
    load: Load, cmd: str
) -> None:
    config = load(a=f"cmd: {cmd}")

    assert "models.a.cmd: there is no command" in str(config.warnings[0])


@pytest.mark.parametrize("env", ["{A: 1}", "[A: 1]", "A=1"])
def test_mod_16_env_must_be_a_list_of_texts(errors: Errors, env: str) -> None:
    assert "models.a.env" in errors(a=f"env: {env}")[0]


def test_mod_17_env_item_without_a_name_loads_with_a_warning(load: Load) -> None:
    config = load(a='env: [FOO, "=x", "A=b=c"]')

    assert config.models[A].env == ("FOO", "=x", "A=b=c")
    assert [str(warning) for warning in config.warnings] == [
        "<config>:3: models.a.env[0]: is not of the form NAME=value",
        "<config>:3: models.a.env[1]: is not of the form NAME=value",
    ]


def test_mod_18_cmd_must_not_be_a_list(errors: Errors) -> None:
    assert "models.a.cmd: must be a text, not a list" in errors(a="cmd: [serve, x]")[0]


def test_mod_19_number_is_a_text_too(load: Load) -> None:
    assert load(a="cmd: 12").models[A].cmd == "12"


def test_mod_21_comfyui_gets_more_concurrency() -> None:
    for limit, expected in ((9, 50), (60, 60)):
        models = models_of(
            f"comfyui_auto: {{cmd: 'x ${{PORT}}', concurrencyLimit: {limit},"
            " compat: {ignoreWebsockets: false}}"
        )

        assert models["comfyui_auto"].concurrency_limit == expected
        assert models["comfyui_auto"].ignore_websockets


def test_websockets_count_unless_told_otherwise(load: Load) -> None:
    assert not load().models[A].ignore_websockets
    assert load(a="compat: {ignoreWebsockets: on}").models[A].ignore_websockets


def test_mod_22_negative_concurrency_limit_means_10(load: Load) -> None:
    assert load(a="concurrencyLimit: -4").models[A].max_requests == 10


def test_mod_23_check_endpoint(load: Load) -> None:
    assert load(a="checkEndpoint:").models[A].check_endpoint == "/health"
    assert load(a='checkEndpoint: ""').models[A].check_endpoint == ""


def test_mod_24_check_endpoint_is_not_trimmed(load: Load) -> None:
    assert load(a='checkEndpoint: " none "').models[A].check_endpoint == " none "


def test_mod_25_env_keeps_order_and_duplicates(load: Load) -> None:
    assert load(a="env: [F=1, F=2]").models[A].env == ("F=1", "F=2")


@pytest.mark.parametrize("setting", ["cmd", "cmdStop"])
def test_nul_in_a_command_is_refused(errors: Errors, setting: str) -> None:
    assert "NUL" in errors(a=f'{setting}: "x\\0y"')[0]


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("prefetch: null", None),
        ("prefetch: []", ()),
        ("prefetch: ['/${MODEL_ID}/w', b]", ("/a/w", "b")),
    ],
)
def test_prefetch_is_what_it_says_and_not_set_is_not_nothing(
    load: Load, text: str, files: tuple[str, ...] | None
) -> None:
    assert load(a=text).models[A].prefetch == files


def test_prefetch_of_an_empty_name_is_refused(errors: Errors) -> None:
    assert "models.a.prefetch[1]" in errors(a="prefetch: [x, '']")[0]


def test_nul_in_env_is_refused(errors: Errors) -> None:
    assert "NUL" in errors(a='env: ["A=x\\0y"]')[0]


def test_durations_are_cut_to_what_can_be_waited_for(load: Load) -> None:
    config = load(a=f"ttl: {2**62}\nunloadTimeout: {2**62}")

    assert config.models[A].ttl_s == MAX_DURATION_S
    assert config.models[A].unload_timeout_s == MAX_DURATION_S


def test_metadata_refuses_what_json_cannot_say(errors: Errors) -> None:
    assert "models.a.metadata.x" in errors(a="metadata: {x: .nan}")[0]
