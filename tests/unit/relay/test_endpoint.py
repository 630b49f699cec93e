"""Base URLs: taken apart, and joined with a client's target."""

import pytest

from swapper.config import TimeoutsConfig
from swapper.core.errors import BadRequestError
from swapper.relay.endpoint import NO_LIMIT_S, Timeouts, parse_endpoint, timeouts_of


@pytest.mark.parametrize(
    ("base", "target", "joined"),
    [
        ("http://h", "/v1/x", "/v1/x"),
        ("http://h/", "/v1/x", "/v1/x"),
        ("http://h/base", "/v1/x", "/base/v1/x"),
        ("http://h/base/", "/v1/x", "/base/v1/x"),
        ("http://h/base", "v1/x", "/base/v1/x"),
        ("http://h/base", "/", "/base/"),
        ("http://h", "", "/"),
        ("http://h?k=1", "/x", "/x?k=1"),
        ("http://h?k=1", "/x?", "/x?k=1"),
        ("http://h/b?k=1", "/x?a=2&a=3", "/b/x?k=1&a=2&a=3"),
        ("http://h", "/x?a=2", "/x?a=2"),
        ("http://h", "/x?", "/x?"),
        ("http://h", "/x?a=1?b", "/x?a=1?b"),
        ("http://h/%7eb", "/%2f/../a%2Fb//c/.", "/%7eb/%2f/../a%2Fb//c/."),
        ("http://h", "//double", "//double"),
        ("http://h", "/caf\xe9", "/caf\xe9"),
    ],
)
def test_target_is_the_base_path_then_the_clients_with_one_slash_between(
    base: str, target: str, joined: str
) -> None:
    assert parse_endpoint(base).target(target) == joined


@pytest.mark.parametrize("target", ["/a b", "/a\r\nX: y", "/a\x00", "/\u20ac"])
def test_a_target_that_would_break_the_request_line_is_refused(target: str) -> None:
    with pytest.raises(BadRequestError):
        parse_endpoint("http://h").target(target)


@pytest.mark.parametrize(
    ("base", "host", "port", "authority"),
    [
        ("http://h", "h", 80, "h"),
        ("https://h", "h", 443, "h"),
        ("http://h:443", "h", 443, "h:443"),
        ("http://127.0.0.1:5801/x", "127.0.0.1", 5801, "127.0.0.1:5801"),
        ("https://[::1]:8443", "::1", 8443, "[::1]:8443"),
        ("http://user:secret@h:1", "h", 1, "h:1"),
        ("http://b\xfccher.example", "xn--bcher-kva.example", 80, None),
    ],
)
def test_host_and_port_come_from_the_url_or_its_scheme(
    base: str, host: str, port: int, authority: str | None
) -> None:
    endpoint = parse_endpoint(base)
    assert (endpoint.host, endpoint.port) == (host, port)
    assert endpoint.authority == authority or authority is None


def test_the_url_for_messages_has_no_credentials_and_no_query() -> None:
    endpoint = parse_endpoint("http://user:secret@h:1/base?key=secret")
    assert endpoint.url == "http://h:1/base"


@pytest.mark.parametrize(
    "base",
    [
        "",
        "h:80",
        "/path",
        "ftp://h",
        "http://",
        "http://:80",
        "http://h:0",
        "http://h:70000",
        "http://h:x",
        "http://h/a b",
        "http://a\x00b/",
        "http://a b/",
        "http://" + "a" * 70,
    ],
)
def test_an_unusable_base_url_is_refused_with_a_reason(base: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_endpoint(base)


@pytest.mark.parametrize(
    "base",
    [
        "ftp://user:s3cret@h",
        "http://user:s3cret@",
        "http://user:s3cret@h/a b",
        "http://user:s3cret@h:x",
        "http://user:s3cret/@h:1",
        "http://user:s3cret@[::1",
    ],
)
def test_why_a_base_url_is_unusable_is_told_without_its_password(base: str) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*s3cret)"):
        parse_endpoint(base)


@pytest.mark.parametrize("off", [0, -5])
def test_a_limit_of_0_or_less_is_none(off: int) -> None:
    timeouts = timeouts_of(
        TimeoutsConfig(
            connect_s=off, response_header_s=off, tls_handshake_s=off, idle_conn_s=off
        )
    )

    assert timeouts.response_head_s is None
    assert (
        timeouts.connect_s == timeouts.tls_handshake_s == timeouts.idle_s == NO_LIMIT_S
    )


def test_limits_are_as_configured_up_to_what_can_be_waited_for() -> None:
    assert timeouts_of(TimeoutsConfig()) == Timeouts()
    config = TimeoutsConfig(connect_s=1, keepalive_s=-1, response_header_s=10**9)
    assert timeouts_of(config) == Timeouts(
        connect_s=1, keepalive_s=-1, response_head_s=None
    )
