"""A request that has found its model here: wait for the lease, relay, end the lease."""

from collections.abc import Mapping

from swapper.config import ModelConfig
from swapper.core.errors import ModelNotLoadedError, UpstreamError
from swapper.core.ids import ModelId
from swapper.relay import Upstream, UpstreamRequest, UpstreamResponse, Upstreams
from swapper.router import Lease, LocalRouter, PendingLease
from swapper.scheduler import Admission
from swapper.web.loading import Narrator, uncompressed
from swapper.web.loading_events import Failure
from swapper.web.model_name import Readable
from swapper.web.relayed import exchange, explained, forwarded, may_ask_again
from swapper.web.request import QUEUE_POSITION, Request
from swapper.web.response import Response
from swapper.web.services import model_upstream

_IGNORED = "ignored websocket requests cannot start it"


class ModelService:
    """Serves requests with local models. Request threads only."""

    def __init__(
        self,
        models: Mapping[ModelId, ModelConfig],
        priority: Mapping[ModelId, int],
        router: LocalRouter,
        upstreams: Upstreams,
    ) -> None:
        self._models = models
        self._priority = priority
        self._router = router
        self._upstreams = upstreams
        # of this configuration only; what is in it stays what it is
        self._made: dict[tuple[ModelId, str], Upstream] = {}

    def serve(
        self,
        request: Request,
        model: ModelId,
        target: str,
        body: Readable | bytes | None,
        length: int | None,
        *,
        narrator: Narrator | None = None,
        unless_ready: str = "",
    ) -> Response:
        """Return the model's answer; its body is still on its way.

        Blocks until the model may serve and its answer's head is there; with a
        *narrator* only if that need not be waited for. An ignored websocket
        (http-api.md 16.2) is served beside the router's count, by a ready model only.

        Args:
            request: the client's request.
            model: real id of a local model.
            target: path and query as the upstream shall see them.
            body: what to send along.
            length: of *body*; None sends it chunked.
            narrator: talks to the client while it waits; None keeps silent.
            unless_ready: why the request must not start the model; "" if it may.

        Raises:
            ClientGoneError: the client hung up.
            ModelNotLoadedError: only a ready model may serve it, and it is not ready.
            RequestError: the model or its server cannot answer.
        """
        admission = Admission.IF_READY if unless_ready else Admission.SERVE
        if request.is_websocket and self._models[model].ignore_websockets:
            admission, unless_ready = Admission.UNCOUNTED, unless_ready or _IGNORED
        token = request.client.token
        pending = self._router.submit(model, token, admission)
        request.on_close(pending.close)
        sent = forwarded(request, target, body, length)
        if narrator is not None:
            standing = pending.standing()
            if standing is not None:
                told = self._narrated(narrator, pending, request, sent)
                told.headers.append((QUEUE_POSITION, str(standing.position)))
                return told
        return self._exchanged(pending, unless_ready, request, sent)

    def _exchanged(
        self,
        pending: PendingLease,
        unless_ready: str,
        request: Request,
        sent: UpstreamRequest,
    ) -> Response:
        """Wait, and return the model's answer; ask again if the model ended at once."""
        while True:
            try:
                lease = _wait(pending, unless_ready)
            finally:
                request.waited = pending.waited
            sent = sent.in_hand()
            if request.track is not None:
                request.track.granted(lease, self._priority.get(lease.model, 0))
            try:
                answer = exchange(self._upstream_of(lease), request, sent, lease.done)
            except UpstreamError as exc:
                if may_ask_again(exc, pending, lease):
                    continue
                raise explained(exc, pending, lease) from exc
            return answer

    def _narrated(
        self,
        narrator: Narrator,
        pending: PendingLease,
        request: Request,
        sent: UpstreamRequest,
    ) -> Response:
        track = request.track
        once_more = uncompressed(sent).in_hand()

        def forward(lease: Lease) -> UpstreamResponse:
            if track is not None:
                track.granted(lease, self._priority.get(lease.model, 0))
            upstream = self._upstream_of(lease)
            return upstream.forward(once_more, request.client.token)

        def failed(failure: Failure) -> None:
            if track is not None:
                track.failed(failure.status, failure.message)

        return narrator.response(pending, forward, failed)

    def _upstream_of(self, lease: Lease) -> Upstream:
        """Return the server of the very run that the lease is for."""
        place = (lease.model, lease.proxy)
        made = self._made.get(place)
        if made is None:
            key = model_upstream(self._models[lease.model], lease.proxy)
            made = self._made[place] = self._upstreams.get(key)
        return made


def _wait(pending: PendingLease, unless_ready: str) -> Lease:
    try:
        return pending.wait()
    except ModelNotLoadedError as exc:
        raise ModelNotLoadedError(exc.model, unless_ready) from None
