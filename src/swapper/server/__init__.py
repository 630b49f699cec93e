"""The HTTP server: sockets and threads around a WSGI application."""

from swapper.server.address import ListenAddress, is_loopback, parse_listen
from swapper.server.connection import ClientConnection
from swapper.server.listener import ServerLimits, SwapperServer

__all__ = [
    "ClientConnection",
    "ListenAddress",
    "ServerLimits",
    "SwapperServer",
    "is_loopback",
    "parse_listen",
]
