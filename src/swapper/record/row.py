"""What is known of a request to a model once it has ended."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from swapper.record.tokens import NO_TOKENS, Tokens


class Finished(NamedTuple):
    """One finished request, as it goes to the activity log and the counters.

    A tuple, for one is made per request: a frozen dataclass of this size takes thrice as
    long.

    Attributes:
        request_id: what log lines, client and upstream call it.
        model: real id of a local model, name of a peer's model as requested, or the
            unknown name.
        peer: the peer's id; "" for a local or unknown model.
        is_known: there is such a model, here or at a peer.
        method: HTTP method.
        route: the configured path it came in by, ``/upstream`` for all below that.
        req_path: raw path as forwarded.
        is_recorded: belongs in the activity log (http-api.md 21.1).
        status: as the client saw it, or what went wrong behind a stream that had begun.
        resp_content_type: ``Content-Type`` of the response, may be "".
        resp_bytes: of the body, as passed on.
        is_truncated: the body broke off, or the client left before its end.
        ended_s: Unix time of the end.
        duration_ms: from the moment its model was known to the end; more, if the model
            server says that it took longer (http-api.md 22.4).
        queue_ms: of these, waiting for room or for other requests.
        load_ms: of these, waiting for the model to load.
        first_byte_ms: from the beginning to the response's head; None without one.
        tokens: what the answer tells.
        error_msg: "" for success.
        metadata: ``fifo_priority``, ``selector``.
    """

    request_id: str
    model: str
    peer: str
    is_known: bool
    method: str
    route: str
    req_path: str
    is_recorded: bool
    status: int
    resp_content_type: str
    resp_bytes: int
    is_truncated: bool
    ended_s: float
    duration_ms: int
    queue_ms: int
    load_ms: int
    first_byte_ms: int | None
    tokens: Tokens = NO_TOKENS
    error_msg: str = ""
    metadata: Mapping[str, str] = MappingProxyType({})
