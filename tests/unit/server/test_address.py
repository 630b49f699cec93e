import pytest

from swapper.server.address import ListenAddress, is_loopback, parse_listen


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        (":80", "", 80),
        ("[::1]:80", "::1", 80),
        ("[::]:0", "::", 0),
        ("localhost:65535", "localhost", 65535),
        ("[fe80::1%eth0]:1", "fe80::1%eth0", 1),
    ],
)
def test_listen_addresses_are_read(text: str, host: str, port: int) -> None:
    assert parse_listen(text) == ListenAddress(host, port)
    assert str(parse_listen(text)) == text


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("8080", "no port"),
        ("localhost", "no port"),
        ("", "no port"),
        ("localhost:", "port ''"),
        ("localhost:http", "port 'http'"),
        ("localhost:65536", "65535"),
        ("localhost:-1", "port '-1'"),
        ("localhost:\u0661", "port"),
        ("::1:80", "brackets"),
        ("[::1:80", "brackets"),
        ("[::1]", "brackets"),
    ],
)
def test_what_is_no_listen_address_is_explained(text: str, word: str) -> None:
    with pytest.raises(ValueError, match="listen address") as raised:
        parse_listen(text)

    assert word in str(raised.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_hosts_are_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "10.0.0.1", "no.such.host.invalid", "a..b", "\0"]
)
def test_everything_else_counts_as_public(host: str) -> None:
    assert not is_loopback(host)
