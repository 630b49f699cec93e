"""``/upstream/<model>/<path>``: any method, straight to one model's server."""

from collections.abc import Sequence
from urllib.parse import quote

from swapper.config import Config, PathMatch, find_local_in_path, find_pin_in_path
from swapper.core.errors import NotFoundError
from swapper.core.ids import ModelId
from swapper.web.model_name import unread_body
from swapper.web.profiles import ActiveProfile
from swapper.web.request import Request
from swapper.web.response import Response, redirect
from swapper.web.serving import ModelService


class UpstreamRoutes:
    """Relays below ``/upstream/`` (http-api.md section 14)."""

    def __init__(
        self, config: Config, service: ModelService, profile: ActiveProfile
    ) -> None:
        self._config = config
        self._service = service
        self._profile = profile

    def serve(self, request: Request) -> Response:
        """Relay to the model with the longest name that begins the path."""
        found = self._find(request.rest_segments)
        if found is None:
            raise NotFoundError("model not found")
        query = f"?{request.query}" if request.query else ""
        rest = request.rest.split("/")[found.next_segment :]
        if not rest:
            status = 301 if request.method in {"GET", "HEAD"} else 308
            return redirect(f"/upstream/{quote(found.name)}/{query}", status)
        body, length = unread_body(request)
        return self._service.serve(
            request, found.model, "/" + "/".join(rest) + query, body, length
        )

    def _find(self, segments: Sequence[str]) -> PathMatch[ModelId] | None:
        """Return the model; a pin of the active profile goes before any name.

        A pin may lead to nothing: it is switched off, or stands for a selector,
        which has no meaning here.
        """
        pin = find_pin_in_path(self._profile.pins(self._config), segments)
        if pin is None:
            return find_local_in_path(self._config, segments)
        model = self._config.model_by_name.get(pin.model)
        if model is None:
            return None
        return PathMatch(pin.model, model, pin.next_segment)
