"""Decodes the expanded document into the typed configuration."""

from dataclasses import replace
from typing import Final

from swapper.config.document import MapNode
from swapper.config.expand import DEFAULT_START_PORT
from swapper.config.fields import Section
from swapper.config.groups import decode_groups
from swapper.config.keys import HOOKS, ON_STARTUP, TOP_LEVEL
from swapper.config.lookup import resolve_model
from swapper.config.models import ModelDefaults, decode_models, duration
from swapper.config.report import Report
from swapper.config.schema import Config
from swapper.core.ids import ModelId

SHORTEST_HEALTH_CHECK_TIMEOUT_S: Final = 15

_LOG_LEVELS: Final = ("debug", "info", "warn", "error")
_LOG_TARGETS: Final = ("proxy", "upstream", "both", "none")


def decode(document: MapNode, report: Report) -> Config:
    """Return what *document* sets; usable only if *report* has no errors."""
    top = Section(document, "", report)
    top.check_keys(TOP_LEVEL)
    _reject_api_keys(top)
    defaults = ModelDefaults(
        ttl_s=duration(top, "globalTTL", 0),
        unload_timeout_s=duration(top, "unloadTimeout", 0) or 10,
        health_check_timeout_s=max(
            duration(top, "healthCheckTimeout", 120, minimum_s=-(2**63)),
            SHORTEST_HEALTH_CHECK_TIMEOUT_S,
        ),
    )
    models = decode_models(top, defaults, report)
    config = Config(
        models=models,
        groups=decode_groups(top, models, report),
        health_check_timeout_s=defaults.health_check_timeout_s,
        start_port=top.integer("startPort", DEFAULT_START_PORT, minimum=1),
        global_ttl_s=defaults.ttl_s,
        unload_timeout_s=defaults.unload_timeout_s,
        log_level=_log_level(top),
        log_to_stdout=_log_target(top),
        include_aliases_in_list=top.boolean("includeAliasesInList", default=False),
    )
    return replace(config, preload=_preload(top.section("hooks"), config))


def _reject_api_keys(top: Section) -> None:
    # A warning would leave a server open that its owner believes to be closed.
    if top.texts("apiKeys") or top.is_filled("apiKeys"):
        message = "authentication is not supported by this version yet; remove the keys"
        top.error("apiKeys", message)


def _log_level(top: Section) -> str:
    level = top.text("logLevel", "info").strip().lower()
    if level in _LOG_LEVELS:
        return level
    top.warn("logLevel", f'"{level}" is none of {", ".join(_LOG_LEVELS)}; using info')
    return "info"


def _log_target(top: Section) -> str:
    target = top.text("logToStdout", "proxy")
    if target not in _LOG_TARGETS:
        message = f'must be one of {", ".join(_LOG_TARGETS)}, not "{target}"'
        top.error("logToStdout", message)
    return target


def _preload(hooks: Section, config: Config) -> tuple[ModelId, ...]:
    hooks.check_keys(HOOKS)
    on_startup = hooks.section("on_startup")
    on_startup.check_keys(ON_STARTUP)
    models: list[ModelId] = []
    for item in on_startup.texts("preload"):
        model = resolve_model(config, item.text.strip())
        if model is None:
            message = f'"{item.text}" is neither a model nor an alias; not preloaded'
            on_startup.warn_item(item, message)
        else:
            models.append(model)
    return tuple(models)
