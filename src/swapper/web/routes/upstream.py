"""``/upstream/<model>/<path>``: any method, straight to one model's server."""

from collections.abc import Sequence
from typing import TypeAlias
from urllib.parse import quote, unquote

from swapper.config import (
    Config,
    PathMatch,
    PeerModel,
    find_in_path,
    find_pin_in_path,
    resolve,
)
from swapper.core.errors import NotFoundError
from swapper.core.ids import ModelId
from swapper.web.model_name import body_with_name, unread_body
from swapper.web.peers import PeerService
from swapper.web.profiles import ActiveProfile
from swapper.web.request import Request
from swapper.web.response import Response, redirect
from swapper.web.routes.inference import BODY_PATHS, METERED_PATHS, QUERY_PATHS
from swapper.web.serving import ModelService
from swapper.web.tracking import Subject, Tracker

_Found: TypeAlias = PathMatch[ModelId | PeerModel]


class UpstreamRoutes:
    """Relays below ``/upstream/`` (http-api.md section 14)."""

    def __init__(
        self,
        config: Config,
        service: ModelService,
        peers: PeerService,
        profile: ActiveProfile,
        tracker: Tracker,
    ) -> None:
        self._tracker = tracker
        self._config = config
        self._service = service
        self._peers = peers
        self._profile = profile

    def serve(self, request: Request) -> Response:
        """Relay to the model with the longest name that begins the path.

        Raises:
            NotFoundError: the path begins with no model's name.
            ModelNotLoadedError: the path matches ``ignorePaths`` and the model is ours
                and not ready.
        """
        found = self._find(request.rest_segments)
        if found is None:
            raise NotFoundError("model not found")
        segments = request.rest.split("/")[found.next_segment :]
        if not segments:
            page = f"/upstream/{quote(found.name)}/{request.query_suffix}"
            return redirect(page, request.moved_status)
        path = "/" + "/".join(segments)
        self._track(request, found, path)
        if isinstance(found.model, PeerModel):
            return self._serve_peer(request, found.name, found.model, path)
        body, length = unread_body(request)
        if request.track is not None:
            body = request.track.forwards(body)
        return self._service.serve(
            request,
            found.model,
            path + request.query_suffix,
            body,
            length,
            unless_ready=self._why_not_to_start(path),
        )

    def _track(self, request: Request, found: _Found, path: str) -> None:
        """Keep books of a request that would have been served by name as well."""
        decoded, is_post = unquote(path), request.method == "POST"
        request.is_metered = is_post and decoded in METERED_PATHS
        paths = BODY_PATHS if is_post else QUERY_PATHS
        is_listed = decoded in paths and request.method in {"GET", "HEAD", "POST"}
        if not (is_listed or request.is_metered):
            return
        model = found.model
        self._tracker.begin(
            request,
            Subject(
                model=found.name if isinstance(model, PeerModel) else model,
                peer=model.peer if isinstance(model, PeerModel) else "",
                route="/upstream",
                path=path,
                target=path + request.query_suffix,
                is_listed=is_listed,
                is_recorded=request.is_metered,
            ),
        )

    def _serve_peer(
        self, request: Request, name: str, model: PeerModel, path: str
    ) -> Response:
        if name == model.name:
            body, length = unread_body(request)
        else:
            body, length = body_with_name(request, name, model.name)
        if request.track is not None:
            body = request.track.forwards(body)
        target = path + request.query_suffix  # the query may be another by now
        return self._peers.serve(request, model, target, body, length)

    def _why_not_to_start(self, path: str) -> str:
        decoded = unquote(path)
        is_ignored = any(p.search(decoded) for p in self._config.ignore_paths)
        return "path matches upstream.ignorePaths" if is_ignored else ""

    def _find(self, segments: Sequence[str]) -> _Found | None:
        """Return the model; a pin of the active profile goes before any name.

        A pin may lead to nothing: it is switched off, or stands for a selector,
        which has no meaning here.
        """
        pin = find_pin_in_path(self._profile.pins(self._config), segments)
        if pin is None:
            return find_in_path(self._config, segments)
        model = resolve(self._config, pin.model)
        if model is None:
            return None
        return PathMatch(pin.model, model, pin.next_segment)
