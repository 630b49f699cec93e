"""``/v1/models`` and ``/running`` (http-api.md section 19)."""

from swapper.config import Config
from swapper.core.clock import unix_time
from swapper.core.json import JsonValue
from swapper.core.states import ProcessState
from swapper.router import LocalRouter
from swapper.web.listing import DOWN, model_list
from swapper.web.profiles import ActiveProfile
from swapper.web.request import Request
from swapper.web.response import Response, json_response


class ModelRoutes:
    """Lists what is configured and what runs."""

    def __init__(
        self, config: Config, router: LocalRouter, profile: ActiveProfile
    ) -> None:
        self._config = config
        self._router = router
        self._profile = profile

    def listing(self, request: Request) -> Response:
        """Return every name that clients may ask for, sorted."""
        records = model_list(
            self._config,
            self._router.states(),
            self._profile.pins(self._config),
            int(unix_time()),
        )
        origin = request.header("Origin")
        headers = [("Access-Control-Allow-Origin", origin)] if origin else []
        return json_response({"data": records, "object": "list"}, headers=headers)

    def running(self, request: Request) -> Response:  # noqa: ARG002 - a handler
        """Return every process that is not stopped, sorted by model.

        One that a reload has removed or replaced is shown as it was started, until it
        has finished its requests.
        """
        states = self._router.states()
        rows: list[JsonValue] = []
        for id_, run in self._router.runs().items():
            state = states.get(id_, ProcessState.STOPPED)
            if state not in DOWN:
                model = self._config.models.get(id_, run)
                if model.process != run.process:
                    model = run
                rows.append(
                    {
                        "model": id_,
                        "state": state.value,
                        "cmd": model.cmd,
                        "proxy": model.proxy,
                        "ttl": model.ttl_s,
                        "name": model.name,
                        "description": model.description,
                    }
                )
        return json_response({"running": rows})
