"""Who listens on a model's local address."""

import ipaddress
import logging
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import psutil

logger = logging.getLogger(__name__)

_CONNECT_S: Final = 0.5
_ABORT: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model server is reached.

    Attributes:
        host: name or literal without brackets.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """Return ``host:port``."""
        return (
            f"[{self.host}]:{self.port}"
            if ":" in self.host
            else f"{self.host}:{self.port}"
        )


def address_of(proxy: str) -> Address | None:
    """Return where the base URL *proxy* points; None if that is nowhere."""
    try:
        url = urlsplit(proxy)
        host, port = url.hostname, url.port
    except ValueError:
        return None
    if not host or url.scheme not in {"http", "https"}:
        return None
    return Address(host, port or (443 if url.scheme == "https" else 80))


def connect(address: Address, timeout_s: float) -> socket.socket:
    """Return a connected socket.

    Raises:
        OSError: nobody accepts there, or not within *timeout_s*.
    """
    sock = socket.create_connection((address.host, address.port), timeout_s)
    if sock.getsockname() != sock.getpeername():
        return sock
    # With nobody listening, the kernel may choose the very port we connect to as our
    # own, and we meet ourselves; aborted, so that no TIME_WAIT bars the model's bind.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    sock.close()
    raise ConnectionRefusedError


def is_local(address: Address) -> bool:
    """Return whether *address* is this machine: loopback or one of its own.

    May ask the name service.
    """
    return bool(_local_ips(address))


def accepts(address: Address) -> bool:
    """Return whether somebody accepts connections at *address*.

    A local address that does not answer at all counts: its backlog is full.
    """
    try:
        connect(address, _CONNECT_S).close()
    except TimeoutError:
        return True
    except OSError:
        return False
    return True


def listener_of(address: Address) -> str:
    """Return who listens at *address*, as ``pid 12 (python3)`` or ``unknown process``.

    Looks at every process: some ten milliseconds.
    """
    ips = {*_local_ips(address), "0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    try:
        sockets = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return "unknown process"
    for listening in sockets:
        here = listening.laddr
        if (
            listening.status == psutil.CONN_LISTEN
            and listening.pid is not None
            and here
            and here.port == address.port
            and here.ip in ips
        ):
            return f"pid {listening.pid} ({_program(listening.pid)})"
    return "unknown process"


def _program(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.Error:
        return "unknown program"


def _local_ips(address: Address) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    ips = [str(sockaddr[0]).partition("%")[0] for *_, sockaddr in found]
    if all(map(_is_loopback, ips)):  # nearly always, and quickly told
        return tuple(ips)
    own = {
        entry.address.partition("%")[0]
        for entries in psutil.net_if_addrs().values()
        for entry in entries
    }
    return tuple(ip for ip in ips if _is_loopback(ip) or ip in own)


def _is_loopback(ip: str) -> bool:
    parsed = ipaddress.ip_address(ip)
    return parsed.is_loopback or parsed.is_unspecified
