"""What a peer is told of a request (http-api.md 13.2, decision Q4)."""

import base64

import pytest

from swapper.config import Config, PeerConfig, PeerModel
from swapper.core.errors import (
    BadRequestError,
    PeerError,
    PeerTimeoutError,
    ShuttingDownError,
    UpstreamError,
    UpstreamTimeoutError,
)
from swapper.relay import UpstreamRequest, Upstreams
from swapper.sync import CancelToken
from swapper.web.peers import (
    PeerService,
    headers_for_peer,
    key_headers,
    refuse_way_out,
)
from tests.fakes.requests import make_request

KEYS = ("key-one", "schl\u00fcssel")


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_what_concerns_the_way_to_us_is_left_out() -> None:
    kept = (("Hostess", "h"), ("X-Real-IP", "1.1.1.1"), ("Cookie", "a=1"))
    dropped = (
        ("Host", "us"),
        ("FORWARDED", "for=1"),
        ("X-Forwarded-For", "9.9.9.9"),
        ("x-forwarded-host", "fh"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Port", "1"),
    )

    assert headers_for_peer((*dropped, *kept), KEYS) == kept


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer key-one"),
        ("authorization", "bearer  key-one"),
        ("Authorization", basic("somebody", "key-one")),
        ("Authorization", basic("key-one", "")),
        ("x-api-key", "key-one"),
        ("X-Api-Key", "schl\u00fcssel".encode().decode("latin-1")),
        ("X-Goog-Api-Key", "key-one"),
    ],
)
def test_no_key_of_ours_goes_to_a_peer(name: str, value: str) -> None:
    assert headers_for_peer(((name, value),), KEYS) == ()


@pytest.mark.parametrize("value", ["Bearer key-on", "Bearer key-one2", basic("u", "p")])
def test_other_credentials_do(value: str) -> None:
    headers = (("Authorization", value), ("x-api-key", "theirs"))

    assert headers_for_peer(headers, KEYS) == headers


def test_without_keys_everything_goes_on() -> None:
    headers = (("Authorization", "Bearer c"), ("x-api-key", ""))

    assert headers_for_peer(headers, ()) == headers


def test_a_peer_is_shown_its_own_key_in_both_ways() -> None:
    assert key_headers("") == ()
    assert key_headers("k") == (("Authorization", "Bearer k"), ("X-Api-Key", "k"))


@pytest.mark.parametrize(
    "target",
    [
        "/..",
        "/v1/../../admin",
        "/%2e%2e/admin",
        "/v1/.%2E/admin",
        "/a%2F..%2Fb",
        "/a/..%2fb?x=1",
        "/..\\admin",
        "/%5c..%5Cadmin",
    ],
)
def test_no_path_leads_out_of_the_base_url(target: str) -> None:
    with pytest.raises(BadRequestError):
        refuse_way_out(target)


@pytest.mark.parametrize(
    "target", ["/", "/v1/x?p=../..", "/a%2Fb/c%20d", "/...", "/a..b/..c", "/%252e%252e"]
)
def test_other_paths_may_pass(target: str) -> None:
    refuse_way_out(target)


def test_pe7_the_error_tells_the_cause() -> None:
    late = PeerTimeoutError(UpstreamTimeoutError("peer p: timed out"))
    dead = PeerError(UpstreamError("peer p: refused", request_sent=False))

    assert (late.status, late.code) == (504, "gateway_timeout")
    assert (dead.status, dead.code) == (502, "bad_gateway")
    assert str(dead) == "peer proxy error: peer p: refused"
    assert not dead.request_sent


def test_no_secret_is_in_a_repr() -> None:
    peer = PeerConfig(id="p", proxy="http://h", models=("m",), api_key="s3cret")
    sent = UpstreamRequest(
        method="GET",
        target="/",
        headers=(("Authorization", "Bearer s3cret"),),
        body=b"s3cret",
        own_headers=key_headers(peer.api_key),
    )

    assert "s3cret" not in repr(peer) + repr(sent)


def test_while_swapper_ends_no_peer_is_asked() -> None:
    peer = PeerConfig(id="p", proxy="http://127.0.0.1:9", models=("m",))
    ending = CancelToken()
    service = PeerService(Config(peers={"p": peer}), Upstreams(), ending)
    request = make_request("GET", "/x")
    with pytest.raises(PeerError):
        service.serve(request, PeerModel("p", "m"), "/x", None, 0)
    ending.cancel()

    with pytest.raises(ShuttingDownError) as error:
        service.serve(request, PeerModel("p", "m"), "/x", None, 0)
    assert error.value.status == 500
    assert str(error.value) == "unspecific error: peer proxy is shutting down"
