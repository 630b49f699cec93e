"""``/comfyui/<path>``: one fixed model with a web page of its own."""

from typing import Final

from swapper.config import Config
from swapper.core.errors import NotFoundError
from swapper.core.ids import ModelId
from swapper.web.model_name import unread_body
from swapper.web.request import Request
from swapper.web.response import Response, redirect
from swapper.web.serving import ModelService

MODEL: Final = ModelId("comfyui_auto")


class ComfyRoutes:
    """Relays below ``/comfyui/`` (http-api.md section 15).

    Only opening the page starts the model: a page left open asks for this and that all
    the time, and would start it again after every unload.
    """

    def __init__(self, config: Config, service: ModelService) -> None:
        self._is_there = MODEL in config.models
        self._service = service

    def to_page(self, request: Request) -> Response:
        """Send the client to where relative addresses work."""
        return redirect(f"/comfyui/{request.query_suffix}", request.moved_status)

    def serve(self, request: Request) -> Response:
        """Relay to the model, whatever the method."""
        if not self._is_there:
            raise NotFoundError(f"local model {MODEL} not found")
        why = "only /comfyui/ can start it" if request.rest else ""
        target = f"/{request.rest}{request.query_suffix}"
        body, length = unread_body(request)
        return self._service.serve(
            request, MODEL, target, body, length, unless_ready=why
        )
