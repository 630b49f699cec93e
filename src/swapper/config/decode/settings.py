"""Decodes the expanded document into the typed configuration.

Top-level settings are here, the sections of things with names of their own in
``models``, ``routing``, ``peers``, ``selectors`` and ``profiles``. What a section says
about names is checked against those before it: models, peers, selectors, profiles.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from swapper.config.decode.ignore_paths import decode_ignore_paths
from swapper.config.decode.limits import MAX_DURATION_S, duration_s, seconds
from swapper.config.decode.models import (
    ModelDefaults,
    decode_loading_state,
    decode_models,
)
from swapper.config.decode.peers import check_peer_names, decode_peers
from swapper.config.decode.profiles import decode_profiles
from swapper.config.decode.routing import decode_routing
from swapper.config.decode.section import Section
from swapper.config.decode.selectors import decode_selectors
from swapper.config.decode.store import decode_store
from swapper.config.document import MapNode
from swapper.config.keys import TOP_LEVEL
from swapper.config.report import Report
from swapper.config.schema import Config, LoadingState
from swapper.core.ids import ModelId

SHORTEST_HEALTH_CHECK_TIMEOUT_S: Final = 15
DEFAULT_UNLOAD_TIMEOUT_S: Final = 10
SHORTEST_SAMPLING_S: Final = 5.0
DEFAULT_ROWS: Final = 1000


def decode(document: MapNode, ports: Mapping[str, int], report: Report) -> Config:
    """Return what *document* sets; usable only if *report* has no errors.

    *ports* has what ``${PORT}`` stands for in each model that uses it.
    """
    top = Section(document, "", report, TOP_LEVEL)
    defaults = _model_defaults(top)
    config = Config(
        models=decode_models(top, defaults, ports, report),
        peers=decode_peers(top),
        api_keys=_api_keys(top),
        health_check_timeout_s=defaults.health_check_timeout_s,
        start_port=top.integer("startPort"),
        global_ttl_s=defaults.ttl_s,
        unload_timeout_s=defaults.unload_timeout_s,
        loading_state=defaults.loading_state,
        include_aliases_in_list=top.boolean("includeAliasesInList"),
        ignore_paths=decode_ignore_paths(top.section("upstream")),
        log_level=_known_word(top, "logLevel", "info"),
        log_time_format=_known_word(top, "logTimeFormat", ""),
        log_to_stdout=top.text("logToStdout"),
        session_headers=_session_headers(top.section("ui").section("activity")),
        metrics_max_in_memory=_at_least_one(
            top.integer("metricsMaxInMemory"), DEFAULT_ROWS
        ),
        capture_buffer_mb=max(top.integer("captureBuffer"), 0),
        store_path=decode_store(top),
        performance_disabled=top.section("performance").boolean("disabled"),
        performance_every_s=_sampling_interval_s(top.section("performance")),
    )
    check_peer_names(top, config)
    config = decode_routing(top, config, report)
    config = replace(config, selectors=decode_selectors(top, config))
    config = replace(config, profiles=decode_profiles(top, config))
    return replace(config, preload=_preload(top, config))


def _model_defaults(top: Section) -> ModelDefaults:
    health_check_timeout_s = max(
        seconds(top, "healthCheckTimeout"), SHORTEST_HEALTH_CHECK_TIMEOUT_S
    )
    return ModelDefaults(
        ttl_s=seconds(top, "globalTTL"),
        unload_timeout_s=_at_least_one(
            seconds(top, "unloadTimeout"), DEFAULT_UNLOAD_TIMEOUT_S
        ),
        health_check_timeout_s=health_check_timeout_s,
        loading_state=decode_loading_state(top, LoadingState.OFF),
    )


def _at_least_one(number: int, default: int) -> int:
    return number if number > 0 else default


def _api_keys(top: Section) -> tuple[str, ...]:
    """Return the keys; a null one would leave open what its owner wants closed."""
    items = top.texts("apiKeys", keep_null=True)
    for item in items:
        # The key itself is not repeated: it is a secret.
        if not item.text:
            top.error_item(item, "an API key must not be empty")
        elif " " in item.text:
            top.error_item(item, "an API key must not contain spaces")
    return tuple(item.text for item in items)


def _known_word(top: Section, key: str, default: str) -> str:
    """Return a word out of the key's hints; any other one is its *default*."""
    word = top.text(key).strip().lower()
    hints = TOP_LEVEL.keys[key].hints
    if word in hints or word == default:
        return word
    effect = f"using {default}" if default else "it has no effect"
    top.warn(key, f'"{word}" is none of {", ".join(hints)}; {effect}')
    return default


def _session_headers(activity: Section) -> tuple[str, ...]:
    """Return header names, each once; an explicit null is an empty list."""
    if "session_id" not in activity.names():
        return Config().session_headers
    names: dict[str, str] = {}
    for item in activity.texts("session_id"):
        name = item.text.strip()
        if name:
            names.setdefault(name.lower(), name)
    return tuple(names.values())


def _sampling_interval_s(performance: Section) -> float:
    every_s = duration_s(performance, "every", SHORTEST_SAMPLING_S)
    if every_s == 0:
        return SHORTEST_SAMPLING_S
    if every_s < SHORTEST_SAMPLING_S:
        performance.error("every", f"must be at least 5s, not {every_s:g}s")
    return min(every_s, MAX_DURATION_S)


def _preload(top: Section, config: Config) -> tuple[ModelId, ...]:
    on_startup = top.section("hooks").section("on_startup")
    models: list[ModelId] = []
    for item in on_startup.texts("preload"):
        model = config.model_by_name.get(item.text.strip())
        if model is None:
            message = f'"{item.text}" is neither a model nor an alias; not preloaded'
            on_startup.warn_item(item, message)
        else:
            models.append(model)
    return tuple(models)
