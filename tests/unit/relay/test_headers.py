"""Which headers go on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapper.net.http1 import Headers
from swapper.relay.headers import (
    is_upgrade,
    legible_encodings,
    request_headers,
    response_headers,
    with_upgrade,
)

HOP_BY_HOP = (
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
)
HOST = ("Host", "h.example")
PLAIN = ("Accept-Encoding", "gzip")


def sent(
    *client: tuple[str, str],
    method: str = "GET",
    client_ip: str = "",
    length: int | None = 0,
) -> Headers:
    return request_headers(
        client, method=method, authority="up:1", client_ip=client_ip, length=length
    )


def test_what_a_client_sends_goes_on_in_order_with_duplicates_and_spelling() -> None:
    client = (
        HOST,
        ("X-Forwarded-Host", "fh"),
        ("forwarded", "for=1"),
        ("X-Real-IP", "1.1.1.1"),
        ("Authorization", "Bearer a"),
        ("x-api-key", "b"),
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
        PLAIN,
        ("X-Empty", ""),
    )
    assert sent(*client) == client


def test_forwarded_for_is_appended_to_the_clients() -> None:
    client = (HOST, ("x-forwarded-for", "9.9.9.9"), PLAIN)
    assert sent(*client, client_ip="127.0.0.1") == (
        HOST,
        ("x-forwarded-for", "9.9.9.9, 127.0.0.1"),
        PLAIN,
    )


def test_several_forwarded_for_headers_become_one() -> None:
    client = (
        ("X-Forwarded-For", "1.1.1.1"),
        HOST,
        ("X-FORWARDED-FOR", ""),
        ("X-Forwarded-For", "2.2.2.2"),
        PLAIN,
    )
    assert sent(*client, client_ip="::1") == (
        ("X-Forwarded-For", "1.1.1.1, 2.2.2.2, ::1"),
        HOST,
        PLAIN,
    )


def test_forwarded_for_is_added_when_the_client_sent_none() -> None:
    assert ("X-Forwarded-For", "10.0.0.1") in sent(HOST, client_ip="10.0.0.1")


@pytest.mark.parametrize("name", HOP_BY_HOP)
def test_a_hop_by_hop_header_goes_neither_way(name: str) -> None:
    for spelling in (name, name.lower(), name.upper()):
        pairs = ((spelling, "x"), HOST, PLAIN)
        assert sent(*pairs) == (HOST, PLAIN)
        assert response_headers(pairs, status=200) == (HOST, PLAIN)


def test_headers_named_by_any_connection_header_are_dropped() -> None:
    pairs = (
        HOST,
        ("Connection", "close, X-Drop"),
        ("x-drop", "1"),
        ("X-Keep", "1"),
        ("connection", "X-Other"),
        ("X-Other", "2"),
        PLAIN,
    )
    kept = (HOST, ("X-Keep", "1"), PLAIN)
    assert sent(*pairs) == kept
    assert response_headers(pairs, status=200) == kept


def test_connection_cannot_name_away_host_and_length() -> None:
    connection = ("Connection", "Host, Content-Length")
    assert sent(HOST, connection, PLAIN, ("Content-Length", "3"), length=3) == (
        HOST,
        PLAIN,
        ("Content-Length", "3"),
    )
    length = ("Content-Length", "3")
    assert response_headers((connection, length), status=200) == (length,)


def test_what_connection_names_away_is_set_anew() -> None:
    connection = ("Connection", "X-Forwarded-For, Accept-Encoding")
    forwarded = ("X-Forwarded-For", "6.6.6.6")
    assert sent(HOST, connection, forwarded, PLAIN, client_ip="::1") == (
        HOST,
        ("Accept-Encoding", "identity"),
        ("X-Forwarded-For", "::1"),
    )


@pytest.mark.parametrize("value", ["trailers", "gzip, Trailers", "trailers, deflate"])
def test_te_survives_only_as_trailers(value: str) -> None:
    client = (HOST, PLAIN, ("Connection", "TE"), ("TE", value))
    assert sent(*client) == (HOST, PLAIN, ("TE", "trailers"))


def test_expect_is_ours_to_answer() -> None:
    assert sent(HOST, ("Expect", "100-continue"), PLAIN) == (HOST, PLAIN)


@pytest.mark.parametrize(
    "client", [(HOST,), (HOST, ("accept-encoding", ""), ("Accept-Encoding", ""))]
)
def test_identity_is_asked_for_when_the_client_names_no_encoding(
    client: Headers,
) -> None:
    assert sent(*client) == (HOST, ("Accept-Encoding", "identity"))


def test_an_encoding_named_in_a_second_header_counts() -> None:
    client = (HOST, ("Accept-Encoding", ""), PLAIN)
    assert sent(*client) == client


def test_no_user_agent_is_invented_and_a_missing_host_is_the_upstreams() -> None:
    assert sent(PLAIN) == (("Host", "up:1"), PLAIN)


@pytest.mark.parametrize(
    ("method", "length", "announced", "framing"),
    [
        ("GET", 0, (), ()),
        ("GET", 0, (("content-length", "0"),), (("Content-Length", "0"),)),
        ("POST", 0, (), (("Content-Length", "0"),)),
        ("POST", 7, (("Content-Length", "999"),), (("Content-Length", "7"),)),
        ("DELETE", 7, (), (("Content-Length", "7"),)),
        ("POST", None, (("Content-Length", "7"),), (("Transfer-Encoding", "chunked"),)),
        (
            "POST",
            None,
            (("Transfer-Encoding", "chunked"),),
            (("Transfer-Encoding", "chunked"),),
        ),
    ],
)
def test_framing_is_that_of_the_body_sent_whatever_the_client_announced(
    method: str, length: int | None, announced: Headers, framing: Headers
) -> None:
    pairs = sent(HOST, PLAIN, *announced, method=method, length=length)
    assert pairs == (HOST, PLAIN, *framing)


def test_an_answer_keeps_duplicates_and_the_upstreams_own_headers() -> None:
    upstream = (
        ("Server", "llama"),
        ("Date", "now"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Content-Length", "5"),
        ("Content-Encoding", "gzip"),
    )
    assert response_headers(upstream, status=200) == upstream


@pytest.mark.parametrize(
    "kind", ["text/event-stream", "Text/Event-Stream; charset=utf-8"]
)
def test_event_streams_ask_proxies_before_us_not_to_buffer(kind: str) -> None:
    upstream = (("x-accel-buffering", "yes"), ("content-type", kind))
    assert response_headers(upstream, status=200) == (
        ("content-type", kind),
        ("X-Accel-Buffering", "no"),
    )


@pytest.mark.parametrize("status", [101, 204])
def test_what_has_no_body_announces_no_length(status: int) -> None:
    assert response_headers((("Content-Length", "9"),), status=status) == ()


def test_a_304_may_announce_the_length_of_what_it_does_not_send() -> None:
    assert response_headers((("Content-Length", "9"),), status=304) == (
        ("Content-Length", "9"),
    )


@pytest.mark.parametrize(
    ("headers", "answer"),
    [
        ((("Connection", "Upgrade"), ("Upgrade", "websocket")), True),
        ((("Connection", "keep-alive, UPGRADE"), ("Upgrade", "WebSocket")), True),
        (
            (
                ("connection", "keep-alive"),
                ("connection", "upgrade"),
                ("upgrade", "h2c, websocket"),
            ),
            True,
        ),
        ((("Connection", "Upgrade"),), False),
        ((("Upgrade", "websocket"),), False),
        ((("Connection", "Upgrades"), ("Upgrade", "websocket")), False),
        ((("Connection", "Upgrade"), ("Upgrade", "h2c")), False),
        ((("Connection", "Upgrade"), ("Upgrade", "websockets")), False),
        ((), False),
    ],
)
def test_an_upgrade_needs_both_tokens(headers: Headers, answer: bool) -> None:
    assert is_upgrade(headers) is answer


def test_an_upgrade_is_put_back_after_filtering() -> None:
    client = (
        HOST,
        PLAIN,
        ("Connection", "keep-alive, Upgrade, X-Drop"),
        ("Upgrade", "WebSocket"),
        ("X-Drop", "1"),
        ("Sec-WebSocket-Key", "k"),
    )
    assert with_upgrade(sent(*client), client) == (
        HOST,
        PLAIN,
        ("Sec-WebSocket-Key", "k"),
        ("Connection", "Upgrade"),
        ("Upgrade", "WebSocket"),
    )


NAMES = st.sampled_from([*HOP_BY_HOP, "X-A", "X-B", "Host", "Accept", "content-length"])
VALUES = st.sampled_from(["close", "x-a", "X-B, te", "trailers", "5", "", ", ,"])


@given(st.lists(st.tuples(NAMES, VALUES)).map(tuple))
def test_filtering_never_reorders_and_never_lets_hop_by_hop_through(
    pairs: Headers,
) -> None:
    kept = response_headers(pairs, status=200)
    rest = iter(pairs)
    assert all(pair in rest for pair in kept)
    assert not {name.lower() for name, _ in kept} & {h.lower() for h in HOP_BY_HOP}


@pytest.mark.parametrize(
    ("accepted", "legible"),
    [
        (("br, gzip;q=0.5",), "gzip;q=0.5"),
        (("GZip ; q=1, x-gzip", "deflate"), "GZip ; q=1, deflate"),
        (("br",), "identity"),
        (("",), "identity"),
    ],
)
def test_only_legible_encodings_are_kept(
    accepted: tuple[str, ...], legible: str
) -> None:
    client = (HOST, *(("accept-encoding", value) for value in accepted), ("X-A", "1"))

    own = legible_encodings(client)
    assert own == (("Accept-Encoding", legible),)
    assert request_headers(
        client, method="GET", authority="up:1", client_ip="", length=0, own=own
    ) == (HOST, ("X-A", "1"), *own)


def test_without_accept_encoding_nothing_is_accepted_in_its_place() -> None:
    assert legible_encodings((HOST,)) == ()


def test_own_headers_replace_the_clients_whatever_connection_names() -> None:
    client = (
        HOST,
        PLAIN,
        ("Connection", "Authorization, X-Key"),
        ("authorization", "theirs"),
        ("Authorization", "theirs too"),
    )
    own = (("Authorization", "ours"), ("X-Key", "k"))
    pairs = request_headers(
        client, method="GET", authority="up:1", client_ip="", length=0, own=own
    )

    assert pairs == (HOST, PLAIN, *own)
