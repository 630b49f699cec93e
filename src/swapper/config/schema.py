"""The loaded configuration: immutable, typed, defaults applied, macros expanded.

Built once by ``config.load`` and never patched; a reload builds another one.
Durations are seconds, as in the file. Names follow the file's keys (config.md
sections 8, 9, 13 and 15).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from swapper.core.errors import ConfigProblem
from swapper.core.ids import ModelId
from swapper.core.json import JsonValue

DEFAULT_GROUP: Final = "(default)"
DEFAULT_CONCURRENCY_LIMIT: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One entry of ``models``; every value is the effective one.

    Attributes:
        id: the key in ``models``.
        cmd: command text, macros expanded, comment lines removed, not yet split.
        cmd_stop: stop command text or ""; may still contain ``${PID}``.
        proxy: base URL of the model server.
        check_endpoint: path to poll, or ``none``; not trimmed.
        env: ``NAME=value`` items appended to our own environment, last one wins.
        ttl_s: 0 never unloads; otherwise idle seconds before the unload.
        unload_timeout_s: grace between SIGTERM and SIGKILL.
        health_check_timeout_s: the longest a start may take.
        aliases: other names of the model, in file order.
        concurrency_limit: as configured; see ``max_requests``.
    """

    id: ModelId
    cmd: str = ""
    cmd_stop: str = ""
    proxy: str = ""
    check_endpoint: str = "/health"
    env: tuple[str, ...] = ()
    ttl_s: int = 0
    unload_timeout_s: int = 10
    health_check_timeout_s: int = 120
    aliases: tuple[str, ...] = ()
    name: str = ""
    description: str = ""
    unlisted: bool = False
    use_model_name: str = ""
    concurrency_limit: int = 0
    metadata: Mapping[str, JsonValue] = field(
        default_factory=lambda: MappingProxyType({})
    )

    @property
    def max_requests(self) -> int:
        """Return how many requests may wait for or be served by the model."""
        if self.concurrency_limit > 0:
            return self.concurrency_limit
        return DEFAULT_CONCURRENCY_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupConfig:
    """One entry of ``groups``; members are real model ids, each in one group."""

    id: str
    swap: bool = True
    exclusive: bool = True
    persistent: bool = False
    members: tuple[ModelId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything one load produced.

    Attributes:
        models: by id, in byte order of the ids.
        groups: by id; always has ``(default)``; every model is in exactly one.
        preload: real ids to load at start, in order, duplicates kept.
        sources: files it was read from, absolute; empty if from memory.
        is_blank: no source set anything. At start that means defaults; when it
            comes by a reload it is a file caught while being written.
        warnings: what was ignored or looks wrong, for the log.
        model_by_name: every id and alias to its model's id; made from *models*.
        longest_name_chars: length of the longest of those names.
    """

    models: Mapping[ModelId, ModelConfig] = field(
        default_factory=lambda: MappingProxyType({})
    )
    groups: Mapping[str, GroupConfig] = field(
        default_factory=lambda: MappingProxyType({})
    )
    health_check_timeout_s: int = 120
    start_port: int = 5800
    global_ttl_s: int = 0
    unload_timeout_s: int = 10
    log_level: str = "info"
    log_to_stdout: str = "proxy"
    include_aliases_in_list: bool = False
    preload: tuple[ModelId, ...] = ()
    sources: tuple[str, ...] = ()
    is_blank: bool = False
    warnings: tuple[ConfigProblem, ...] = ()
    model_by_name: Mapping[str, ModelId] = field(init=False, repr=False, compare=False)
    longest_name_chars: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names: dict[str, ModelId] = {
            alias: model.id for model in self.models.values() for alias in model.aliases
        }
        names.update((str(model_id), model_id) for model_id in self.models)
        # The way of a frozen dataclass to compute a field from the others.
        object.__setattr__(self, "model_by_name", MappingProxyType(names))
        longest = max(map(len, names), default=0)
        object.__setattr__(self, "longest_name_chars", longest)
