"""Who listens where."""

import os
import socket

import pytest

from swapper.process.port import Address, accepts, connect, is_local, listener_of


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.9.9.9", "0.0.0.0"])
def test_loopback_is_local(host: str) -> None:
    assert is_local(Address(host, 80))


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no-such-host.invalid"])
def test_other_hosts_are_not_local(host: str) -> None:
    assert not is_local(Address(host, 80))


@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0"])
def test_a_listener_is_seen_and_named(bound: str) -> None:
    with socket.create_server((bound, 0)) as server:
        address = Address("127.0.0.1", server.getsockname()[1])

        assert accepts(address)
        assert listener_of(address).startswith(f"pid {os.getpid()} (")

    assert not accepts(address)
    assert listener_of(address) == "unknown process"


def test_a_self_connection_is_refused_and_leaves_the_port_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel may give a connecting socket the very port it connects to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def to_itself(address: tuple[str, int], timeout_s: float) -> socket.socket:
        sock = socket.socket()
        sock.settimeout(timeout_s)
        sock.bind(address)
        sock.connect(address)
        return sock

    monkeypatch.setattr(socket, "create_connection", to_itself)
    with pytest.raises(ConnectionRefusedError):
        connect(Address("127.0.0.1", port), 1.0)

    with socket.socket() as model:
        model.bind(("127.0.0.1", port))  # no TIME_WAIT in the way
