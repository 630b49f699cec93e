"""config.md section 16: peers and their names."""

from collections.abc import Callable

import pytest

from swapper.config import (
    Config,
    PeerModel,
    TimeoutsConfig,
    parse_config,
    resolve,
)
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId

Load = Callable[..., Config]
Errors = Callable[..., list[str]]

H = '"http://h:1"'


def peers(**models: str) -> str:
    """Return a ``peers`` section; ``p="[m]"`` is a peer p that offers m."""
    entries = [f"  {id_}: {{proxy: {H}, models: {m}}}" for id_, m in models.items()]
    return "\n".join(["peers:", *entries])


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("{models: [m]}", "proxy"),
        ('{proxy: "", models: [m]}', "proxy"),
        (f"{{proxy: {H}}}", "models"),
        (f"{{proxy: {H}, models: []}}", "models"),
        ('{proxy: "://x", models: [m]}', "proxy"),
    ],
)
def test_peer_1_proxy_and_models_are_needed(
    errors: Errors, peer: str, key: str
) -> None:
    [message] = errors(f"peers: {{p: {peer}}}")

    assert f"peers.p.{key}: " in message


def test_peer_2_the_least_a_peer_is(load: Load) -> None:
    peer = load(peers(p="[m]")).peers["p"]

    assert peer.models == ("m",)
    assert peer.api_key == ""
    assert peer.timeouts == TimeoutsConfig(
        connect_s=30,
        keepalive_s=30,
        response_header_s=60,
        tls_handshake_s=10,
        expect_continue_s=1,
        idle_conn_s=90,
    )


def test_peer_3_each_timeout_has_its_own_default(load: Load) -> None:
    text = f"peers: {{p: {{proxy: {H}, models: [m], timeouts: {{connect: 1}}}}}}"
    timeouts = load(text).peers["p"].timeouts

    assert (timeouts.connect_s, timeouts.response_header_s) == (1, 60)


def test_peer_4_bare_names_mean_something_if_one_peer_offers_them(load: Load) -> None:
    config = load(peers(p="[m, org/n]", q="[m, u]"))

    for name, model in {
        "p/m": PeerModel("p", "m"),
        "q/m": PeerModel("q", "m"),
        "u": PeerModel("q", "u"),
        "q/u": PeerModel("q", "u"),
        "org/n": PeerModel("p", "org/n"),
        "p/org/n": PeerModel("p", "org/n"),
    }.items():
        assert resolve(config, name) == model
    assert resolve(config, "m") is None


def test_peer_5_a_qualified_name_wins_over_a_bare_one(load: Load) -> None:
    config = load(peers(p1="[model]", p2="[p1/model]"))

    assert resolve(config, "p1/model") == PeerModel("p1", "model")
    assert resolve(config, "p2/p1/model") == PeerModel("p2", "p1/model")


def test_peer_6_two_peers_with_one_qualified_name_are_refused(errors: Errors) -> None:
    text = (
        f"peers: {{a: {{proxy: {H}, models: [b/c]}}, a/b: {{proxy: {H}, models: [c]}}}}"
    )
    [message] = errors(text)

    assert "a/b/c is ambiguous" in message


@pytest.mark.parametrize(
    ("top", "a"),
    [
        ("", "aliases: [p/m]"),
        ("", "filters: {setParamsByID: {p/m: {t: 1}}}"),
        ("selectors: {p/m: {strategy: pin, targets: [a]}}", ""),
        ("profiles: {x: {pins: {p/m: a}}}", ""),
    ],
    ids=["alias", "setParamsByID", "selector", "pin"],
)
def test_peer_7_a_qualified_name_that_means_something_else_is_refused(
    errors: Errors, top: str, a: str
) -> None:
    [message] = errors(f"{peers(p='[m]')}\n{top}", a=a)

    assert "p/m" in message


def test_peer_7_a_qualified_name_that_is_a_models_id_is_refused() -> None:
    text = f"models: {{p/m: {{cmd: x, proxy: {H}}}}}\n{peers(p='[m]')}"
    with pytest.raises(ConfigError) as caught:
        parse_config(text, environ={})

    [problem] = caught.value.problems
    assert problem.message == "p/m is the id of a model"
    assert problem.key_path == "peers.p.models[0]"


def test_peer_8_a_bare_name_may_be_an_alias_which_wins(load: Load) -> None:
    config = load(peers(p="[u]"), a="aliases: [u]")

    assert resolve(config, "u") == ModelId("a")
    assert resolve(config, "p/u") == PeerModel("p", "u")


def test_peer_9_a_model_named_twice_counts_once(load: Load) -> None:
    config = load(peers(p="[m, m]"))

    assert config.peers["p"].models == ("m",)
    assert resolve(config, "m") == resolve(config, "p/m") == PeerModel("p", "m")


def test_mac_33_macros_work_in_peers(load: Load) -> None:
    text = f"macros: {{K: secret}}\npeers: {{p: {{proxy: {H}, models: [m], apiKey: "
    config = load(text + '"${K}"}}')

    assert config.peers["p"].api_key == "secret"
    assert "secret" not in repr(config)


@pytest.mark.parametrize("key", ['"a\\nb"', '"ä"'])
def test_a_key_that_no_header_can_carry_is_refused_unseen(
    errors: Errors, key: str
) -> None:
    [message] = errors(f"peers: {{p: {{proxy: {H}, models: [m], apiKey: {key}}}}}")

    assert "peers.p.apiKey" in message
    assert "ä" not in message
