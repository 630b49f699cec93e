"""What stays, whatever the configuration: shared by the web side of all generations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from swapper.config import Config, ModelConfig, PeerConfig
from swapper.hardware import HardwareSnapshot, PerformanceMonitor, ProcessMemory
from swapper.logs import Logs
from swapper.record.counters import RequestCounters
from swapper.record.store import Store
from swapper.relay import UpstreamKey, Upstreams
from swapper.router import LocalRouter
from swapper.sync import CancelToken
from swapper.web.books import Books
from swapper.web.client import ClientWatch
from swapper.web.feed import EventHub
from swapper.web.profiles import ActiveProfile
from swapper.web.selectors import SpilloverCounts
from swapper.web.tracking import Tracker


@dataclass(frozen=True, slots=True)
class Services:
    """One per swapper. Any thread.

    Attributes:
        ending: cancelled when streams that would never end have to.
        memory: of the process tree of each model that runs.
    """

    router: LocalRouter
    logs: Logs
    store: Store
    tracker: Tracker
    hub: EventHub
    profile: ActiveProfile
    performance: PerformanceMonitor
    counters: RequestCounters
    memory: Callable[[], Mapping[str, ProcessMemory]]
    books: Books
    upstreams: Upstreams = field(default_factory=Upstreams)
    clients: ClientWatch = field(default_factory=ClientWatch)
    ending: CancelToken = field(default_factory=CancelToken)
    hardware: HardwareSnapshot = field(default_factory=HardwareSnapshot)
    spillover: SpilloverCounts = field(default_factory=SpilloverCounts)

    def close(self) -> None:
        """End the threads that watch clients, and idle connections."""
        self.ending.cancel()
        self.clients.close()
        self.upstreams.close()


def upstream_keys(config: Config) -> frozenset[UpstreamKey]:
    """Return the upstreams that a configuration may ask for."""
    models = (model_upstream(model, model.proxy) for model in config.models.values())
    return frozenset((*models, *map(peer_upstream, config.peers.values())))


def model_upstream(model: ModelConfig, proxy: str) -> UpstreamKey:
    """Return the upstream of a run of *model* that is reached at *proxy*."""
    return UpstreamKey(f"model {model.id}", proxy, model.timeouts)


def peer_upstream(peer: PeerConfig) -> UpstreamKey:
    """Return the upstream of a peer."""
    return UpstreamKey(f"peer {peer.id}", peer.proxy, peer.timeouts)
