"""Decodes ``models`` (config.md section 9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from swapper.config.commands import split_command
from swapper.config.decode.base_url import (
    fault_of_base_url,
    is_usable_base_url,
    shown_url,
)
from swapper.config.decode.filters import decode_filters, names_of_set_params
from swapper.config.decode.limits import decode_timeouts, seconds
from swapper.config.decode.section import Item, Section
from swapper.config.document import Where
from swapper.config.report import Report
from swapper.config.schema import CapabilitiesConfig, LoadingState, ModelConfig
from swapper.core.ids import ModelId

_USE_GLOBAL_TTL: Final = -1

# ComfyUI's pages load dozens of files at once (config.md section 9).
_COMFYUI: Final = "comfyui_auto"
_COMFYUI_CONCURRENCY: Final = 50


@dataclass(frozen=True, slots=True)
class ModelDefaults:
    """Top-level settings that models take over."""

    ttl_s: int
    unload_timeout_s: int
    health_check_timeout_s: int
    loading_state: LoadingState


def decode_models(
    document: Section,
    defaults: ModelDefaults,
    ports: Mapping[str, int],
    report: Report,
) -> Mapping[ModelId, ModelConfig]:
    """Return the models by id, in the order of *document*.

    *ports* has what ``${PORT}`` stands for in each model that uses it.
    """
    sections = document.sections("models")
    models = {
        ModelId(model_id): _decode_model(ModelId(model_id), section, defaults, ports)
        for model_id, section in sections.items()
    }
    names = _NameCheck(frozenset(models), report)
    for model_id, section in sections.items():
        for alias in section.texts("aliases"):
            names.claim(alias, ModelId(model_id))
    for model_id, section in sections.items():
        for name in names_of_set_params(section.section("filters")):
            names.claim_automatic(name, ModelId(model_id))
    return MappingProxyType(models)


def decode_loading_state(section: Section, default: LoadingState) -> LoadingState:
    """Return a ``sendLoadingState``, which is a boolean or ``heartbeat``."""
    if not section.is_set("sendLoadingState"):
        return default
    value = section.boolean_or_word("sendLoadingState", default=False)
    if isinstance(value, str):
        return LoadingState(value)
    return LoadingState.MESSAGES if value else LoadingState.OFF


def _decode_model(
    model_id: ModelId,
    section: Section,
    defaults: ModelDefaults,
    ports: Mapping[str, int],
) -> ModelConfig:
    if section.is_set("healthCheckTimeout"):
        message = "cannot be set per model; the top-level value applies"
        section.warn("healthCheckTimeout", message)
    is_comfyui = model_id == _COMFYUI
    limit = section.integer("concurrencyLimit")
    ignores_websockets = section.section("compat").boolean("ignoreWebsockets")
    return ModelConfig(
        id=model_id,
        cmd=_command(section),
        cmd_stop=section.command_text("cmdStop"),
        proxy=_proxy(section),
        check_endpoint=section.text("checkEndpoint"),
        env=_environment(section),
        port=ports.get(model_id),
        ttl_s=_ttl(section, defaults.ttl_s),
        unload_timeout_s=seconds(section, "unloadTimeout") or defaults.unload_timeout_s,
        health_check_timeout_s=defaults.health_check_timeout_s,
        aliases=_aliases(model_id, section),
        name=section.text("name"),
        description=section.text("description"),
        unlisted=section.boolean("unlisted"),
        use_model_name=section.text("useModelName"),
        concurrency_limit=max(limit, _COMFYUI_CONCURRENCY) if is_comfyui else limit,
        metadata=MappingProxyType(section.json("metadata")),
        filters=decode_filters(section.section("filters"), has_old_spelling=True),
        timeouts=decode_timeouts(section.section("timeouts")),
        capabilities=_capabilities(section.section("capabilities")),
        loading_state=decode_loading_state(section, defaults.loading_state),
        ignore_websockets=ignores_websockets or is_comfyui,
        prefetch=_prefetch(section),
    )


def _aliases(model_id: ModelId, section: Section) -> tuple[str, ...]:
    """Return the aliases of the file, then the automatic ones."""
    explicit = [alias.text for alias in section.texts("aliases")]
    automatic = [item.text for item in names_of_set_params(section.section("filters"))]
    return tuple(
        dict.fromkeys((*explicit, *(name for name in automatic if name != model_id)))
    )


def _capabilities(section: Section) -> CapabilitiesConfig:
    return CapabilitiesConfig(
        inputs=tuple(item.text for item in section.texts("in")),
        outputs=tuple(item.text for item in section.texts("out")),
        tools=section.boolean("tools"),
        reranker=section.boolean("reranker"),
        context_tokens=section.integer("context"),
    )


def _prefetch(section: Section) -> tuple[str, ...] | None:
    if not section.is_set("prefetch"):
        return None
    items = section.texts("prefetch")
    for item in items:
        if not item.text:
            section.error_item(item, "must name a file or a directory")
    return tuple(item.text for item in items)


def _ttl(section: Section, global_ttl_s: int) -> int:
    ttl_s = seconds(section, "ttl")
    return global_ttl_s if ttl_s == _USE_GLOBAL_TTL else ttl_s


def _command(section: Section) -> str:
    cmd = section.command_text("cmd")
    try:
        split_command(cmd)
    except ValueError:
        section.warn("cmd", "there is no command; every start of the model will fail")
    return cmd


def _proxy(section: Section) -> str:
    proxy = section.text("proxy")
    fault = fault_of_base_url(proxy)
    if fault:
        section.error("proxy", f'"{shown_url(proxy)}" is not a URL: {fault}')
    elif not is_usable_base_url(proxy):
        message = f'"{shown_url(proxy)}" is not of the form http://host:port'
        section.warn("proxy", f"{message}; every request will fail")
    return proxy


def _environment(section: Section) -> tuple[str, ...]:
    items = section.texts("env")
    for item in items:
        if "\0" in item.text:
            section.error_item(item, "must not contain a NUL character")
        elif "=" not in item.text[1:]:
            # The value is not repeated: it may be a secret.
            section.warn_item(item, "is not of the form NAME=value")
    return tuple(item.text for item in items)


class _NameCheck:
    """Reports names that would mean two models; one per load."""

    def __init__(self, model_ids: frozenset[ModelId], report: Report) -> None:
        self._model_ids = model_ids
        self._report = report
        self._owners: dict[str, tuple[ModelId, Where]] = {}

    def claim(self, alias: Item, model_id: ModelId) -> None:
        """Take an alias from the file."""
        fault = self._fault(alias, model_id)
        if alias.text in self._owners:
            owner, where = self._owners[alias.text]
            fault = f"alias {alias.text} is taken by {owner} on line {where.line}"
        if fault:
            self._report.error(alias.path, alias.where, fault)
        self._owners.setdefault(alias.text, (model_id, alias.where))

    def claim_automatic(self, name: Item, model_id: ModelId) -> None:
        """Take a name of ``setParamsByID``, which may be the model's own already."""
        fault = self._fault(name, model_id)
        owner, where = self._owners.setdefault(name.text, (model_id, name.where))
        if owner != model_id:
            fault = f"{name.text} is an alias of {owner} on line {where.line}"
        if fault:
            self._report.error(name.path, name.where, fault)

    def _fault(self, alias: Item, model_id: ModelId) -> str:
        if not alias.text:
            return "an alias must not be empty"
        if alias.text in self._model_ids and alias.text != model_id:
            return f"alias {alias.text} is the id of another model"
        return ""
