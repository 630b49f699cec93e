"""Routes that name their model in the body, a form or the query (http-api.md 3.1)."""

from urllib.parse import unquote

from swapper.config import Config, PeerModel, resolve
from swapper.core.errors import NotFoundError
from swapper.core.ids import ModelId
from swapper.relay import Buffers
from swapper.web.filters import BodyFilters
from swapper.web.loading import narrator_for
from swapper.web.model_name import ModelRequest, find_model
from swapper.web.peers import PeerService
from swapper.web.profiles import ActiveProfile, apply_pin
from swapper.web.request import Request
from swapper.web.response import Response
from swapper.web.selectors import Selectors
from swapper.web.serving import ModelService
from swapper.web.tracking import Subject, Track, Tracker

BODY_PATHS = (
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/completions",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/embeddings",
    "/reranking",
    "/rerank",
    "/v1/rerank",
    "/v1/reranking",
    "/infill",
    "/completion",
    "/v1/audio/speech",
    "/v1/audio/voices",
    "/v1/images/generations",
    "/sdapi/v1/txt2img",
    "/sdapi/v1/img2img",
    "/audioapi/v1/tasks/run",
    "/v/chat/completions",
    "/v/responses",
    "/v/completions",
    "/v/messages",
    "/v/messages/count_tokens",
    "/v/embeddings",
    "/v/rerank",
    "/v/reranking",
    "/v1/audio/transcriptions",
    "/v1/images/edits",
)
"""POST routes. ``/v`` and ``/audioapi`` are taken off before the upstream sees it."""

QUERY_PATHS = ("/v1/audio/voices", "/sdapi/v1/loras", "/props")
"""GET and HEAD routes."""

METERED_PATHS = frozenset((*BODY_PATHS, *QUERY_PATHS))
"""Paths below ``/upstream/<model>`` at which a POST is metered (http-api.md 14.2)."""

_PREFIXES = ("/v/", "/audioapi/")


class InferenceRoutes:
    """Finds the model and lets it answer."""

    def __init__(
        self,
        config: Config,
        service: ModelService,
        peers: PeerService,
        profile: ActiveProfile,
        selectors: Selectors,
        tracker: Tracker,
    ) -> None:
        self._tracker = tracker
        self._config = config
        self._service = service
        self._peers = peers
        self._profile = profile
        self._selectors = selectors
        self._filters = {
            id_: BodyFilters(model.filters, model.use_model_name)
            for id_, model in config.models.items()
        }
        self._peer_filters = {
            id_: BodyFilters(peer.filters) for id_, peer in config.peers.items()
        }

    def serve(self, request: Request) -> Response:
        """Relay the request to the model it names.

        A pin of the active profile may change the name first, then a selector.
        """
        wanted = find_model(request)
        apply_pin(wanted, self._profile.pins(self._config))
        self._selectors.apply(request, wanted)
        request.is_metered = request.method == "POST"
        model = resolve(self._config, wanted.name)
        target = _upstream_target(request)
        subject = _subject(request, wanted.name, model, target)
        track = self._tracker.begin(request, subject)
        if model is None:
            track.forwards(wanted.body)
            raise NotFoundError("no router for requested model")
        if isinstance(model, PeerModel):
            return self._serve_peer(request, wanted, model, target, track)
        self._filters[model].apply(wanted, wanted.name)
        narrator = narrator_for(self._config.models[model], target, wanted)
        body = track.forwards(wanted.body)
        return self._service.serve(
            request, model, target, body, wanted.length, narrator=narrator
        )

    def _serve_peer(
        self,
        request: Request,
        wanted: ModelRequest,
        model: PeerModel,
        target: str,
        track: Track,
    ) -> Response:
        self._peer_filters[model.peer].apply(wanted, wanted.name)
        if isinstance(wanted.body, bytes | Buffers):
            track.forwards(wanted.body)  # with the name as the client put it
        if wanted.name != model.name:
            wanted.rename(model.name)
            target = _upstream_target(request)  # of a query the name was in
        body = track.forwards(wanted.body)
        return self._peers.serve(request, model, target, body, wanted.length)


def _subject(
    request: Request, name: str, model: ModelId | PeerModel | None, target: str
) -> Subject:
    return Subject(
        model=model if isinstance(model, str) else name,
        peer=model.peer if isinstance(model, PeerModel) else "",
        is_known=model is not None,
        route=unquote(request.path),
        path=request.path,
        target=target,
        is_listed=True,
        is_recorded=request.is_metered,
    )


def _upstream_target(request: Request) -> str:
    if request.path.startswith(_PREFIXES):
        return request.target[request.path.index("/", 1) :]
    return request.target
