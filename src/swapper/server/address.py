"""Where to listen: ``host:port`` as on the command line (config.md section 1)."""

import ipaddress
import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host and a port to listen on.

    Attributes:
        host: name or IP literal without brackets; "" for every interface.
        port: 0 lets the system choose.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """Return ``host:port``, with brackets around an IPv6 literal."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_listen(text: str) -> ListenAddress:
    """Return the address that ``host:port``, ``:port`` or ``[::1]:port`` names.

    Raises:
        ValueError: there is no colon or no usable port, or an IPv6 literal stands
            without brackets.
    """
    host, colon, port = text.strip().rpartition(":")
    if not colon:
        raise ValueError(
            f"listen address {text!r} has no port: write host:port, "
            f"or :port for every interface"
        )
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host or "[" in host or "]" in host:
        raise ValueError(
            f"listen address {text!r}: an IPv6 address needs brackets, as in [::1]:8080"
        )
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(
            f"listen address {text!r}: port {port!r} is not a number from 0 to 65535"
        )
    return ListenAddress(host, int(port))


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server that listens on *host*.

    Blocks while a host name is looked up. A name that does not resolve counts as
    public.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass  # a name
    if not host:
        return False
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    literals = (str(entry[4][0]).partition("%")[0] for entry in found)
    return all(ipaddress.ip_address(literal).is_loopback for literal in literals)


def open_listener(address: ListenAddress, backlog: int) -> socket.socket:
    """Return a socket that listens on *address*; no host means both IP families.

    Raises:
        OSError: the address cannot be used; says which and why.
    """
    try:
        if not address.host:
            return _listen_everywhere(address.port, backlog)
        family, sockaddr = _resolve(address)
        return socket.create_server(sockaddr, family=family, backlog=backlog)
    except OSError as exc:
        reason = exc.strerror or exc
        raise OSError(exc.errno, f"cannot listen on {address}: {reason}") from exc
    except UnicodeError as exc:
        raise OSError(f"cannot listen on {address}: {exc}") from exc


def _listen_everywhere(port: int, backlog: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(
            ("::", port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True
        )
    return socket.create_server(("", port), backlog=backlog)


def _resolve(address: ListenAddress) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Return the first IPv4 address of the host, or the first at all."""
    found = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    entry = next((e for e in found if e[0] is socket.AF_INET), found[0])
    return entry[0], entry[4]  # type: ignore[return-value]  # IPv6 ones have a scope
