"""A request on its way to an upstream, and the answer on its way to the client."""

import logging
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress

from swapper.core.errors import (
    ModelDiedError,
    RequestError,
    UpstreamError,
    UpstreamTimeoutError,
)
from swapper.net.http1 import Framing, Headers
from swapper.relay import (
    Passage,
    Tunnel,
    Upstream,
    UpstreamRequest,
    UpstreamResponse,
    legible_encodings,
)
from swapper.router import Lease, PendingLease
from swapper.web.model_name import Readable
from swapper.web.request import Request
from swapper.web.response import Response

logger = logging.getLogger(__name__)

_PIECE_BYTES = 65536


class UpgradeUnsupportedError(RequestError):
    """A websocket request under a server that cannot hand over its socket."""

    status = 501
    code = "upgrade_unsupported"


def forwarded(
    request: Request, target: str, body: Readable | bytes | None, length: int | None
) -> UpstreamRequest:
    """Return what the upstream of a local model is sent.

    Args:
        request: the client's.
        target: path and query as the upstream shall see them.
        body: what to send along.
        length: of *body*; None sends it chunked.
    """
    own: Headers = (("X-Request-Id", request.id),)
    if request.is_metered:
        own += legible_encodings(request.headers)
    return UpstreamRequest(
        method=request.method,
        target=target,
        headers=request.headers,
        body=body,
        content_length=length,
        client_ip=request.environ.get("REMOTE_ADDR", ""),
        own_headers=own,
    )


def exchange(
    upstream: Upstream,
    request: Request,
    sent: UpstreamRequest,
    on_end: Callable[[], None],
) -> Response:
    """Return the answer to *sent*; its body is still on its way. Request thread.

    A websocket has been relayed to its end by then.

    Args:
        upstream: who is asked.
        request: of the client.
        sent: what is asked.
        on_end: called once the last byte of a body has come.

    Raises:
        ClientGoneError: the client hung up.
        UpstreamError: the upstream cannot answer.
        UpgradeUnsupportedError: the server does not hand over its socket.
    """
    token = request.client.token
    if request.is_websocket:
        answer = upstream.upgrade(sent, token)
    else:
        answer = upstream.forward(sent, token)
    if isinstance(answer, Tunnel):
        return _run_tunnel(request, answer)
    headers = list(answer.headers)
    return Response(answer.status, headers, relayed(answer, on_end), answer.reason)


def may_ask_again(error: UpstreamError, pending: PendingLease, lease: Lease) -> bool:
    """Give the lease back if the model has seen nothing of the request (router.md R11).

    Returns:
        Whether to wait for another one.
    """
    is_untouched = not error.request_sent and not isinstance(
        error, UpstreamTimeoutError
    )
    return is_untouched and pending.again(lease)


def explained(
    error: UpstreamError, pending: PendingLease, lease: Lease
) -> UpstreamError:
    """Return *error*, or what it comes from: the end of the model's process.

    Blocks until that is known, for a moment at most.
    """
    if isinstance(error, UpstreamTimeoutError):
        return error
    ended = pending.ending(lease)
    if ended is None:
        return error
    return ModelDiedError(ended, request_sent=error.request_sent)


def _run_tunnel(request: Request, tunnel: Tunnel) -> Response:
    """Relay raw bytes until either side ends; nothing is left to answer."""
    taken = request.client.takeover()
    if taken is None:
        tunnel.close()
        raise UpgradeUnsupportedError(
            "this WSGI server gives no access to the client's connection, "
            "so protocol upgrades cannot be relayed"
        )
    client_sock, early = taken
    tunnel.run(client_sock, early, request.client.token)
    with suppress(OSError):  # a server that is not ours would write a head now
        client_sock.shutdown(socket.SHUT_RDWR)
    return Response(101)


def relayed(answer: UpstreamResponse, on_end: Callable[[], None]) -> Iterable[bytes]:
    """Return the body: a list if all of it came with the head, for a single send."""
    ready = answer.read_ready()
    if answer.is_complete:
        answer.close()
        on_end()
        return [ready]
    return RelayedBody(answer, on_end, ready)


class RelayedBody:
    """An iterator over the pieces as they come.

    Ends the lease when the last byte has been read, not when the server gets round
    to closing the iterator; ``close`` is the second chance. An iterator class, because
    a generator that was never started skips its ``finally``.
    """

    def __init__(
        self, answer: UpstreamResponse, on_end: Callable[[], None], ready: bytes
    ) -> None:
        self._answer = answer
        self._on_end = on_end
        # Read already, so handed on first; even if it is empty, because an empty piece
        # has gunicorn send the head, as our server does without being asked.
        self._ready: bytes | None = ready
        self._passage: Passage | None = None

    def __iter__(self) -> "RelayedBody":
        """Return itself."""
        return self

    def __next__(self) -> bytes:
        """Return what the upstream has sent, as soon as there is anything.

        Raises:
            UpstreamError: the upstream broke off; the server then closes the
                connection so that the client sees it too.
        """
        if self._ready is not None:
            ready, self._ready = self._ready, None
            return ready
        try:
            piece = self._answer.read1(_PIECE_BYTES)
        except UpstreamError as exc:
            logger.warning("response truncated: %s", exc)
            self.close()
            raise
        if not piece:
            self.close()
            raise StopIteration
        return piece

    def hand_over(self, framing: Framing, length: int) -> Passage | None:
        """Return the rest for somebody who does not wait for it, None if that cannot be.

        Only our own server asks. The lease ends when the passage does.

        Args:
            framing: in which the client gets the body.
            length: of what it still has to get, with ``Framing.LENGTH``.
        """
        passage = self._answer.hand_over(framing, length, self._ready or b"")
        if passage is not None:
            passage.on_end = self._on_end
        self._passage = passage
        return passage

    def close(self) -> None:
        """Give the connection back or cut it, and end the lease. Idempotent."""
        passage, self._passage = self._passage, None
        if passage is not None and isinstance(passage.failure, UpstreamError):
            # not in the relay thread, which has no time for it
            logger.warning("response truncated: %s", passage.failure)
        self._answer.close()
        self._on_end()
