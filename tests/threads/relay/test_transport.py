"""What we rely on in ``requests``; fails when a release of it changes that."""

import inspect

import pytest
import requests
from requests.adapters import BaseAdapter

from swapper.relay import Upstream
from swapper.relay.endpoint import Timeouts, parse_endpoint
from swapper.relay.exchange import outgoing
from swapper.relay.transport import (
    RelayRequest,
    RelayResponse,
    UpstreamAdapter,
    UpstreamSession,
)
from swapper.sync import CancelToken
from tests.fakes.scripted_upstream import Peer, ScriptedUpstream

HEADERS = (("Host", "h"), ("Set-Cookie", "no"))


def serve(peer: Peer) -> None:
    while peer.head():
        peer.send(
            b"HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=1\r\n"
            b"Content-Length: 4\r\n\r\ngood"
        )


def prepared(url: str) -> RelayRequest:
    sent = outgoing("GET", "/%2f", HEADERS, b"", 0, CancelToken(), is_upgrade=False)
    return RelayRequest(url, sent)


def send(session: UpstreamSession, url: str) -> requests.Response:
    return session.send(prepared(url), stream=True, proxies={})


def test_a_session_hands_our_request_to_our_adapter_and_our_answer_back() -> None:
    with ScriptedUpstream(serve) as server:
        adapter = UpstreamAdapter(parse_endpoint(server.url), "x", Timeouts())
        session = UpstreamSession(adapter)
        response = send(session, server.url)
        assert isinstance(response, RelayResponse)
        assert response.status_code == 302
        assert response.headers["location"] == "/x"
        assert response.history == []
        assert response.next is None
        assert response.elapsed.total_seconds() >= 0
        assert not session.cookies
        assert not response.cookies
        assert response.raw.read1(2) == b"go"
        assert response.raw.read(9) == b"od"
        session.close()
        assert adapter.pool.is_closed


def test_an_answer_is_a_whole_response_for_whoever_wants_one() -> None:
    with ScriptedUpstream(serve) as server:
        adapter = UpstreamAdapter(parse_endpoint(server.url), "x", Timeouts())
        session = UpstreamSession(adapter)
        response = send(session, server.url)
        assert response.content == b"good"
        assert response.text == "good"
        assert response.ok
        assert repr(response) == "<Response [302]>"
        with pytest.raises(AttributeError):
            _ = response.no_such_attribute  # type: ignore[attr-defined]  # the point
        response.close()
        session.close()


def test_a_session_takes_nothing_from_the_environment_and_adds_nothing() -> None:
    upstream = Upstream("http://127.0.0.1:1", "x")
    session = upstream._session
    assert not session.trust_env
    assert not session.headers
    assert session.auth is None
    assert not session.params
    assert set(session.adapters.values()) == {upstream._adapter}


def test_only_our_own_requests_are_taken() -> None:
    upstream = Upstream("http://127.0.0.1:1", "x")
    with pytest.raises(TypeError):
        upstream._session.get("http://127.0.0.1:1/")


def test_requests_still_has_what_the_transport_builds_on() -> None:
    made = requests.PreparedRequest()
    for name in ("method", "url", "hooks", "body", "headers"):
        assert hasattr(made, name)
    stock = requests.Response()
    for name in ("status_code", "reason", "url", "raw", "request", "elapsed"):
        assert hasattr(stock, name)
    assert stock.history == []
    assert {"stream", "proxies"} <= set(inspect.signature(BaseAdapter.send).parameters)
    assert hasattr(requests.Session, "resolve_redirects")
    assert hasattr(requests.Session, "get_adapter")
