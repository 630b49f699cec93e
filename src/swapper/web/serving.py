"""A request that has found its model: wait for the lease, relay, end the lease."""

import logging
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from swapper.core.errors import RequestError, SpawnError, UpstreamError
from swapper.core.ids import ModelId
from swapper.relay import (
    Tunnel,
    Upstream,
    UpstreamRequest,
    UpstreamResponse,
    is_upgrade,
)
from swapper.router import LocalRouter
from swapper.web.model_name import Readable
from swapper.web.request import Request
from swapper.web.response import Response

logger = logging.getLogger(__name__)

_PIECE_BYTES = 65536


class ModelService:
    """Serves requests with local models. Request threads only."""

    def __init__(
        self, router: LocalRouter, upstreams: Mapping[ModelId, Upstream]
    ) -> None:
        self._router = router
        self._upstreams = upstreams

    def serve(
        self,
        request: Request,
        model: ModelId,
        target: str,
        body: Readable | bytes | None,
        length: int | None,
    ) -> Response:
        """Return the model's answer; its body is still on its way.

        Blocks until the model may serve and its answer's head is there.

        Args:
            request: the client's request.
            model: real id of a local model.
            target: path and query as the upstream shall see them.
            body: what to send along.
            length: of *body*; None sends it chunked.

        Raises:
            ClientGoneError: the client hung up.
            RequestError: the model or its server cannot answer.
        """
        upstream = self._upstreams.get(model)
        if upstream is None:
            raise SpawnError(model, f"model {model}: its proxy is not a usable URL")
        token = request.client.token
        lease = self._router.acquire(model, token)
        request.on_close(lease.done)
        forwarded = UpstreamRequest(
            method=request.method,
            target=target,
            headers=request.headers,
            body=body,
            content_length=length,
            client_ip=request.environ.get("REMOTE_ADDR", ""),
        )
        if is_upgrade(request.headers):
            answer = upstream.upgrade(forwarded, token)
        else:
            answer = upstream.forward(forwarded, token)
        if isinstance(answer, Tunnel):
            return self._run_tunnel(request, answer)
        return Response(
            answer.status,
            list(answer.headers),
            _body_of(answer, lease.done),
            answer.reason,
        )

    @staticmethod
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


class UpgradeUnsupportedError(RequestError):
    """A websocket request under a server that cannot hand over its socket."""

    status = 501
    code = "upgrade_unsupported"


def _body_of(answer: UpstreamResponse, on_end: Callable[[], None]) -> Iterable[bytes]:
    """Return the body: a list if all of it came with the head, for a single send."""
    ready = answer.read_ready()
    if answer.is_complete:
        answer.close()
        on_end()
        return [ready]
    return RelayedBody(answer, on_end, ready)


class RelayedBody:
    """An upstream's body on its way to the client.

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

    def close(self) -> None:
        """Give the connection back or cut it, and end the lease. Idempotent."""
        self._answer.close()
        self._on_end()
