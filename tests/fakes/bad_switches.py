"""Upstreams that are asked for a websocket, and what goes through the tunnel then."""

from dataclasses import dataclass
from random import Random
from typing import Final

_SWITCH: Final = b"HTTP/1.1 101 Switching Protocols\r\n"
_RIGHT: Final = _SWITCH + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
_HEADS: Final = (
    (_RIGHT + b"\r\n", 101),
    (_RIGHT + b"Content-Length: 5\r\n\r\n", 101),
    (_RIGHT + b"Transfer-Encoding: chunked\r\n\r\n", 101),
    (b"HTTP/1.1 103 x\r\n\r\n" + _RIGHT + b"\r\n", 101),
    (_SWITCH + b"Connection: x, UPGRADE\r\nUpgrade: WebSocket\r\n\r\n", 101),
    (_SWITCH + b"\r\n", 502),
    (_SWITCH + b"Connection: close\r\nUpgrade: websocket\r\n\r\n", 502),
    (_SWITCH + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 502),
    (_RIGHT + b"X: a\rX-Injected: 1\r\n\r\n", 502),
    (_RIGHT + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 502),
    (_RIGHT + b"\n\r\n", 502),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
    (b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n", 426),
)
_HTTP: Final = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Switch:
    """What an upstream says to an upgrade.

    Attributes:
        head: its answer.
        status: what becomes of it.
        down: what it sends through the tunnel.
        up: what it is sent.
        early_bytes: how much of *up* is sent before the answer has come.
    """

    head: bytes
    status: int
    down: bytes
    up: bytes
    early_bytes: int


def planned_switch(dice: Random) -> Switch:
    head, status = dice.choice(_HEADS)
    down, up = (
        dice.choice((b"", _HTTP, dice.randbytes(dice.choice((30, 3000, 100_000)))))
        for _ in range(2)
    )
    early_bytes = dice.choice((0, 0, 10, 5000)) if status == 101 else 0
    return Switch(head, status, down, up, early_bytes)
