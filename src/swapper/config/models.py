"""Decodes ``models`` (config.md section 9)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from swapper.config.base_url import fault_of_base_url, is_usable_base_url
from swapper.config.commands import split_command
from swapper.config.document import Where, shortened
from swapper.config.fields import Item, Section
from swapper.config.keys import MODEL
from swapper.config.report import Report
from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId

MAX_DURATION_S: Final = 10**9
"""Longest duration: about 32 years, within what thread waits accept."""

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


def decode_models(
    document: Section, defaults: ModelDefaults, report: Report
) -> Mapping[ModelId, ModelConfig]:
    """Return the models by id, in the order of *document*."""
    sections = document.sections("models")
    models = {
        ModelId(model_id): _decode_model(ModelId(model_id), section, defaults)
        for model_id, section in sections.items()
    }
    aliases = _AliasCheck(frozenset(models), report)
    for model_id, section in sections.items():
        for alias in section.texts("aliases"):
            aliases.claim(alias, ModelId(model_id))
    return MappingProxyType(models)


def _decode_model(
    model_id: ModelId, section: Section, defaults: ModelDefaults
) -> ModelConfig:
    section.check_keys(MODEL)
    if section.is_set("healthCheckTimeout"):
        message = "cannot be set per model; the top-level value applies"
        section.warn("healthCheckTimeout", message)
    return ModelConfig(
        id=model_id,
        cmd=_command(section),
        cmd_stop=section.command_text("cmdStop"),
        proxy=_proxy(section),
        check_endpoint=section.text("checkEndpoint", "/health"),
        env=_environment(section),
        ttl_s=_ttl(section, defaults.ttl_s),
        unload_timeout_s=duration(section, "unloadTimeout", 0)
        or defaults.unload_timeout_s,
        health_check_timeout_s=defaults.health_check_timeout_s,
        aliases=tuple(alias.text for alias in section.texts("aliases")),
        name=section.text("name").strip(),
        description=section.text("description").strip(),
        unlisted=section.boolean("unlisted", default=False),
        use_model_name=section.text("useModelName"),
        concurrency_limit=_concurrency_limit(model_id, section),
        metadata=section.json("metadata"),
    )


def duration(section: Section, key: str, default_s: int, *, minimum_s: int = 0) -> int:
    """Return seconds, cut to what can be waited for."""
    return min(section.integer(key, default_s, minimum=minimum_s), MAX_DURATION_S)


def _ttl(section: Section, global_ttl_s: int) -> int:
    ttl_s = duration(section, "ttl", _USE_GLOBAL_TTL, minimum_s=_USE_GLOBAL_TTL)
    return global_ttl_s if ttl_s == _USE_GLOBAL_TTL else ttl_s


def _concurrency_limit(model_id: ModelId, section: Section) -> int:
    limit = section.integer("concurrencyLimit", 0)
    return max(limit, _COMFYUI_CONCURRENCY) if model_id == _COMFYUI else limit


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
        section.error("proxy", f'"{shortened(proxy)}" is not a URL: {fault}')
    elif not is_usable_base_url(proxy):
        message = f'"{shortened(proxy)}" is not of the form http://host:port'
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


class _AliasCheck:
    """Reports names that would mean two models; one per load."""

    def __init__(self, model_ids: frozenset[ModelId], report: Report) -> None:
        self._model_ids = model_ids
        self._report = report
        self._owners: dict[str, tuple[ModelId, Where]] = {}

    def claim(self, alias: Item, model_id: ModelId) -> None:
        fault = self._fault(alias, model_id)
        if fault:
            self._report.error(alias.path, alias.where, fault)
        self._owners.setdefault(alias.text, (model_id, alias.where))

    def _fault(self, alias: Item, model_id: ModelId) -> str:
        if not alias.text:
            return "an alias must not be empty"
        if alias.text in self._owners:
            owner, where = self._owners[alias.text]
            return f"alias {alias.text} is taken by {owner} on line {where.line}"
        if alias.text in self._model_ids and alias.text != model_id:
            return f"alias {alias.text} is the id of another model"
        return ""
