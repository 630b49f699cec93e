"""Forwards one request to one upstream and streams the answer back.

Knows no processes, no router and no WSGI server.
"""

from swapper.relay.buffers import Buffers
from swapper.relay.endpoint import Timeouts
from swapper.relay.flow import Flow
from swapper.relay.forward import Upstream, UpstreamRequest, UpstreamResponse
from swapper.relay.headers import is_upgrade, legible_encodings
from swapper.relay.loop import RelayLoop
from swapper.relay.passage import Passage
from swapper.relay.tunnel import Tunnel
from swapper.relay.upstreams import UpstreamKey, Upstreams

__all__ = [
    "Buffers",
    "Flow",
    "Passage",
    "RelayLoop",
    "Timeouts",
    "Tunnel",
    "Upstream",
    "UpstreamKey",
    "UpstreamRequest",
    "UpstreamResponse",
    "Upstreams",
    "is_upgrade",
    "legible_encodings",
]
