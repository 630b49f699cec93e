"""The loaded configuration: immutable, typed, defaults applied, macros expanded.

Built once by ``config.load`` and never patched; a reload builds another one.
Durations are seconds, as in the file. Names follow the file's keys (config.md
sections 8 to 18).
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from swapper.config.budget import BudgetConfig
from swapper.config.expressions import MatrixConfig
from swapper.config.re2 import Pattern
from swapper.core.errors import ConfigProblem
from swapper.core.ids import ModelId
from swapper.core.json import JsonValue

DEFAULT_GROUP: Final = "(default)"
DEFAULT_CONCURRENCY_LIMIT: Final = 10

K = TypeVar("K")
V = TypeVar("V")


def _nothing() -> Mapping[K, V]:
    return MappingProxyType({})


class LoadingState(StrEnum):
    """What a client that streams is sent while its model loads."""

    OFF = "off"
    MESSAGES = "messages"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterConfig:
    """Edits of JSON request bodies; names are paths (http-api.md section 11).

    Attributes:
        strip_params: to remove; sorted, unique, never ``model``.
        set_params: to set; in sorted order, never ``model``.
        set_params_by_id: as *set_params*, by the name that was requested.
    """

    strip_params: tuple[str, ...] = ()
    set_params: Mapping[str, JsonValue] = field(default_factory=_nothing)
    set_params_by_id: Mapping[str, Mapping[str, JsonValue]] = field(
        default_factory=_nothing
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutsConfig:
    """Limits of the connection to a model server or peer; 0 switches one off.

    Attributes:
        keepalive_s: 0 leaves it to the system, a negative number switches it off.
        expect_continue_s: how long to wait for ``100 Continue``.
    """

    connect_s: int = 30
    keepalive_s: int = 30
    response_header_s: int = 0
    tls_handshake_s: int = 10
    expect_continue_s: int = 1
    idle_conn_s: int = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilitiesConfig:
    """What a model can do, for model lists.

    Attributes:
        inputs: of ``text``, ``audio``, ``image``, as written.
        outputs: likewise.
        context_tokens: 0 if not told.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    tools: bool = False
    reranker: bool = False
    context_tokens: int = 0


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
        port: what ``${PORT}`` stands for; None if the command has none.
        ttl_s: 0 never unloads; otherwise idle seconds before the unload.
        unload_timeout_s: grace between SIGTERM and SIGKILL.
        health_check_timeout_s: the longest a start may take.
        aliases: other names of the model: those of the file, in its order, then the
            names of ``filters.setParamsByID``.
        name: for people, as written; lists show it trimmed.
        description: likewise.
        concurrency_limit: as configured; see ``max_requests``.
        ignore_websockets: websockets bypass scheduling (http-api.md 16.2).
        prefetch: files read ahead while a load waits; None looks for them in ``cmd``.
    """

    id: ModelId
    cmd: str = ""
    cmd_stop: str = ""
    proxy: str = ""
    check_endpoint: str = "/health"
    env: tuple[str, ...] = ()
    port: int | None = None
    ttl_s: int = 0
    unload_timeout_s: int = 10
    health_check_timeout_s: int = 120
    aliases: tuple[str, ...] = ()
    name: str = ""
    description: str = ""
    unlisted: bool = False
    use_model_name: str = ""
    concurrency_limit: int = 0
    metadata: Mapping[str, JsonValue] = field(default_factory=_nothing)
    filters: FilterConfig = FilterConfig()
    timeouts: TimeoutsConfig = TimeoutsConfig()
    capabilities: CapabilitiesConfig = CapabilitiesConfig()
    loading_state: LoadingState = LoadingState.OFF
    ignore_websockets: bool = False
    prefetch: tuple[str, ...] | None = None

    @property
    def process(self) -> tuple[object, ...]:
        """Return what a process of the model is made of.

        Equal for two definitions whose process need not be started anew.
        """
        return self.cmd, self.cmd_stop, self.env, self.proxy, self.check_endpoint

    @property
    def basis(self) -> str:
        """Return a key of command and environment, whatever port they name.

        What was learnt of a process holds for the next one of the same basis, also in
        another run of swapper.
        """
        text = "\0".join((self.cmd, *self.env))
        if self.port is not None:
            text = text.replace(str(self.port), "${PORT}")
        return hashlib.sha256(text.encode()).hexdigest()[:16]

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
class PeerConfig:
    """One entry of ``peers``.

    Attributes:
        models: names as the peer knows them; in file order, unique.
        api_key: sent to the peer instead of the client's; "" for none.
    """

    id: str
    proxy: str
    models: tuple[str, ...]
    api_key: str = field(default="", repr=False)
    filters: FilterConfig = FilterConfig()
    timeouts: TimeoutsConfig = TimeoutsConfig(response_header_s=60)


@dataclass(frozen=True, slots=True)
class PeerModel:
    """A model of a peer: the peer's id, and the name by which the peer knows it."""

    peer: str
    name: str

    @property
    def qualified(self) -> str:
        """Return the name that is unique among all peers: ``<peer>/<model>``."""
        return f"{self.peer}/{self.name}"


class Strategy(StrEnum):
    """How a selector chooses among its targets (http-api.md section 10)."""

    PIN = "pin"
    WARM = "warm"
    SPILLOVER = "spillover"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectorConfig:
    """One entry of ``selectors``.

    Attributes:
        targets: names as written: model ids, aliases, peer models; each is known.
        spillover: requests in progress at which the next target is started.
    """

    id: str
    strategy: Strategy
    targets: tuple[str, ...]
    spillover: int = 1
    name: str = ""
    description: str = ""
    unlisted: bool = False
    metadata: Mapping[str, JsonValue] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileConfig:
    """One entry of ``profiles``.

    Attributes:
        pins: requested name to the name that takes its place; "" switches it off.
    """

    id: str
    description: str = ""
    pins: Mapping[str, str] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything one load produced.

    Attributes:
        models: by id, in byte order of the ids.
        router: ``group``, ``matrix``, ``budget`` or the name of a registered planner.
        groups: by id; always has ``(default)``; every model is in exactly one.
        matrix: without sets unless the router is ``matrix``.
        budget: what models need; without resources unless the router is ``budget``.
        scheduler: ``fifo``, ``adaptive`` or the name of a registered scheduler.
        priority: of waiting requests, by model; 0 if absent, higher goes first.
        max_wait_s: after this long a waiting model is owed its turn; 0 for never.
        peers: by id, in file order.
        selectors: by id, in file order.
        profiles: by id, in file order.
        preload: real ids to load at start, in order, duplicates kept.
        api_keys: what clients must have one of; empty: no check.
        log_time_format: a known form in lower case; "" for no time.
        ignore_paths: searched in decoded paths below ``/upstream/<model>``.
        session_headers: request headers that identify a session, in order.
        store_path: of the activity log; "" keeps it in memory.
        sources: files it was read from, absolute; empty if from memory.
        is_blank: no source set anything. At start that means defaults; when it
            comes by a reload it is a file caught while being written.
        warnings: what was ignored or looks wrong, for the log.
        model_by_name: every id and alias to its model's id; made from *models*.
        peer_by_name: every qualified name of a peer's model, and every bare one that
            is unambiguous, to that model; made from *peers*.
        longest_name_chars: length of the longest of those names.
    """

    models: Mapping[ModelId, ModelConfig] = field(default_factory=_nothing)
    router: str = "group"
    groups: Mapping[str, GroupConfig] = field(default_factory=_nothing)
    matrix: MatrixConfig = field(default_factory=MatrixConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    scheduler: str = "fifo"
    priority: Mapping[ModelId, int] = field(default_factory=_nothing)
    max_wait_s: int = 60
    peers: Mapping[str, PeerConfig] = field(default_factory=_nothing)
    selectors: Mapping[str, SelectorConfig] = field(default_factory=_nothing)
    profiles: Mapping[str, ProfileConfig] = field(default_factory=_nothing)
    preload: tuple[ModelId, ...] = ()
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    health_check_timeout_s: int = 120
    start_port: int = 5800
    global_ttl_s: int = 0
    unload_timeout_s: int = 10
    loading_state: LoadingState = LoadingState.OFF
    include_aliases_in_list: bool = False
    ignore_paths: tuple[Pattern, ...] = ()
    log_level: str = "info"
    log_time_format: str = ""
    log_to_stdout: str = "proxy"
    session_headers: tuple[str, ...] = ("X-Session-ID", "X-Litellm-Session-Id")
    metrics_max_in_memory: int = 1000
    capture_buffer_mb: int = 5
    store_path: str = ""
    performance_disabled: bool = False
    performance_every_s: float = 5.0
    sources: tuple[str, ...] = ()
    is_blank: bool = False
    warnings: tuple[ConfigProblem, ...] = ()
    model_by_name: Mapping[str, ModelId] = field(init=False, repr=False, compare=False)
    peer_by_name: Mapping[str, PeerModel] = field(init=False, repr=False, compare=False)
    longest_name_chars: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        models: dict[str, ModelId] = {
            alias: model.id for model in self.models.values() for alias in model.aliases
        }
        models.update((str(model_id), model_id) for model_id in self.models)
        peers = dict(_peer_names(self.peers))
        # The way of a frozen dataclass to compute a field from the others.
        object.__setattr__(self, "model_by_name", MappingProxyType(models))
        object.__setattr__(self, "peer_by_name", MappingProxyType(peers))
        longest = max(map(len, (*models, *peers)), default=0)
        object.__setattr__(self, "longest_name_chars", longest)


def _peer_names(peers: Mapping[str, PeerConfig]) -> Iterator[tuple[str, PeerModel]]:
    """Yield each name that means one model of one peer; later ones win."""
    offered = [
        PeerModel(peer.id, name) for peer in peers.values() for name in peer.models
    ]
    bare: dict[str, list[PeerModel]] = {}
    for model in offered:
        bare.setdefault(model.name, []).append(model)
    for name, candidates in bare.items():
        if len(candidates) == 1:
            yield name, candidates[0]
    for model in offered:
        yield model.qualified, model
