"""``/upstream/<model>/<path>``: any method, straight to one model's server."""

from urllib.parse import quote

from swapper.config import Config, find_local_in_path
from swapper.core.errors import NotFoundError
from swapper.web.model_name import unread_body
from swapper.web.request import Request
from swapper.web.response import Response, redirect
from swapper.web.serving import ModelService


class UpstreamRoutes:
    """Relays below ``/upstream/`` (http-api.md section 14)."""

    def __init__(self, config: Config, service: ModelService) -> None:
        self._config = config
        self._service = service

    def serve(self, request: Request) -> Response:
        """Relay to the model with the longest name that begins the path."""
        found = find_local_in_path(self._config, request.rest_segments)
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
