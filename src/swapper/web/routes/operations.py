"""Health, version and unloading (http-api.md section 20)."""

from swapper import __build_date__, __commit__, __version__
from swapper.config import Config, find_local_in_path
from swapper.core.errors import NotFoundError
from swapper.router import LocalRouter
from swapper.web.request import Request
from swapper.web.response import Response, json_response, text_response


class OperationRoutes:
    """What an operator or a script asks."""

    def __init__(self, config: Config, router: LocalRouter) -> None:
        self._config = config
        self._router = router

    def health(self, request: Request) -> Response:  # noqa: ARG002 - a handler
        """Say that the listener is up, whatever the models do."""
        return text_response("OK")

    def version(self, request: Request) -> Response:  # noqa: ARG002 - a handler
        """Tell what this is."""
        return json_response(
            {
                "build_date": __build_date__,
                "commit": __commit__,
                "version": __version__,
            }
        )

    def queue(self, request: Request) -> Response:  # noqa: ARG002 - a handler
        """Tell who waits for which model, for what, and for how long still."""
        now = self._router.now()
        return json_response(
            {
                "queue": [
                    {
                        "model": queued.ticket.model,
                        "position": queued.position,
                        "waited_s": round(now - queued.ticket.arrived_s, 3),
                        "why": queued.why,
                        "estimate_s": _rounded(queued.estimate_s),
                    }
                    for queued in self._router.queue()
                ]
            }
        )

    def unload_all(self, request: Request) -> Response:  # noqa: ARG002 - a handler
        """Stop all models; answer when they have stopped."""
        self._router.unload()
        return text_response("OK")

    def unload_all_json(self, request: Request) -> Response:  # noqa: ARG002 - a handler
        """Stop all models; answer in JSON."""
        self._router.unload()
        return json_response({"msg": "ok"})

    def unload_one(self, request: Request) -> Response:
        """Stop the model that the path names; also if it does not run."""
        segments = request.rest_segments
        found = find_local_in_path(self._config, segments)
        if found is None or any(segments[found.next_segment :]):
            raise NotFoundError("model not found")
        self._router.unload([found.model])
        return text_response("OK")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
