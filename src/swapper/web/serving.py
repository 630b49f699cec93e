"""A request that has found its model: wait for the lease, relay, end the lease."""

import socket
from collections.abc import Mapping
from contextlib import suppress

from swapper.config import ModelConfig
from swapper.core.errors import RequestError
from swapper.core.ids import ModelId
from swapper.relay import (
    Tunnel,
    Upstream,
    UpstreamRequest,
    Upstreams,
    is_upgrade,
)
from swapper.router import Lease, LocalRouter
from swapper.web.loading import Narrator, uncompressed
from swapper.web.model_name import Readable
from swapper.web.relayed import relayed
from swapper.web.request import Request
from swapper.web.response import Response
from swapper.web.services import model_upstream


class ModelService:
    """Serves requests with local models. Request threads only."""

    def __init__(
        self,
        models: Mapping[ModelId, ModelConfig],
        router: LocalRouter,
        upstreams: Upstreams,
    ) -> None:
        self._models = models
        self._router = router
        self._upstreams = upstreams

    def serve(
        self,
        request: Request,
        model: ModelId,
        target: str,
        body: Readable | bytes | None,
        length: int | None,
        *,
        narrator: Narrator | None = None,
    ) -> Response:
        """Return the model's answer; its body is still on its way.

        Blocks until the model may serve and its answer's head is there; with a
        *narrator* only if that need not be waited for.

        Args:
            request: the client's request.
            model: real id of a local model.
            target: path and query as the upstream shall see them.
            body: what to send along.
            length: of *body*; None sends it chunked.
            narrator: talks to the client while it waits; None keeps silent.

        Raises:
            ClientGoneError: the client hung up.
            RequestError: the model or its server cannot answer.
        """
        token = request.client.token
        pending = self._router.submit(model, token)
        request.on_close(pending.close)
        forwarded = UpstreamRequest(
            method=request.method,
            target=target,
            headers=request.headers,
            body=body,
            content_length=length,
            client_ip=request.environ.get("REMOTE_ADDR", ""),
        )
        if narrator is not None and pending.place() is not None:
            return narrator.response(
                pending,
                lambda lease: self._upstream_of(lease).forward(
                    uncompressed(forwarded), token
                ),
            )
        lease = pending.wait()
        upstream = self._upstream_of(lease)
        if is_upgrade(request.headers):
            answer = upstream.upgrade(forwarded, token)
        else:
            answer = upstream.forward(forwarded, token)
        if isinstance(answer, Tunnel):
            return self._run_tunnel(request, answer)
        return Response(
            answer.status,
            list(answer.headers),
            relayed(answer, lease.done),
            answer.reason,
        )

    def _upstream_of(self, lease: Lease) -> Upstream:
        """Return the server of the very run that the lease is for."""
        return self._upstreams.get(
            model_upstream(self._models[lease.model], lease.proxy)
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
