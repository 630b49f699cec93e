"""``/v1/models`` and ``/running`` (http-api.md section 19)."""

from swapper.config import Config, ModelConfig
from swapper.core import wire
from swapper.core.clock import unix_time
from swapper.core.json import JsonValue
from swapper.core.states import ProcessState
from swapper.router import LocalRouter
from swapper.web.request import Request
from swapper.web.response import Response, json_response

_DOWN = (ProcessState.STOPPED, ProcessState.SHUTDOWN)


class ModelRoutes:
    """Lists what is configured and what runs."""

    def __init__(self, config: Config, router: LocalRouter) -> None:
        self._config = config
        self._router = router

    def listing(self, request: Request) -> Response:
        """Return the model list, sorted by id."""
        states = self._router.states()
        created = int(unix_time())
        records: list[dict[str, JsonValue]] = []
        for model in self._config.models.values():
            if model.unlisted:
                continue
            loaded = states[model.id] not in _DOWN
            records.append(_record(model, created, loaded=loaded))
            if self._config.include_aliases_in_list:
                records += [
                    _alias_record(model, alias, created, loaded=loaded)
                    for alias in (alias.strip() for alias in model.aliases)
                    if alias
                ]
        records.sort(key=lambda record: str(record["id"]).encode())
        origin = request.header("Origin")
        headers = [("Access-Control-Allow-Origin", origin)] if origin else []
        return json_response({"data": records, "object": "list"}, headers=headers)

    def running(self, request: Request) -> Response:  # noqa: ARG002 - a handler
        """Return every process that is not stopped, sorted by model."""
        states = self._router.states()
        return json_response(
            {
                "running": [
                    {
                        "model": model.id,
                        "state": states[model.id].value,
                        "cmd": model.cmd,
                        "proxy": model.proxy,
                        "ttl": model.ttl_s,
                        "name": model.name,
                        "description": model.description,
                    }
                    for model in self._config.models.values()
                    if states[model.id] not in _DOWN
                ]
            }
        )


def _record(model: ModelConfig, created: int, *, loaded: bool) -> dict[str, JsonValue]:
    record: dict[str, JsonValue] = {
        "id": model.id,
        "object": "model",
        "created": created,
        "owned_by": wire.OWNED_BY,
    }
    texts = {"name": model.name.strip(), "description": model.description.strip()}
    record |= {key: text for key, text in texts.items() if text}
    meta: dict[str, JsonValue] = {**model.metadata, "type": "model"}
    if model.aliases:
        meta["aliases"] = list(model.aliases)
    record["meta"] = {wire.META_KEY: meta}
    record["status"] = {"value": "loaded" if loaded else "unloaded"}
    return record


def _alias_record(
    model: ModelConfig, alias: str, created: int, *, loaded: bool
) -> dict[str, JsonValue]:
    meta: dict[str, JsonValue] = {
        **model.metadata,
        "type": "alias",
        "modelID": model.id,
    }
    record = _record(model, created, loaded=loaded)
    return {**record, "id": alias, "meta": {wire.META_KEY: meta}}
