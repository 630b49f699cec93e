"""The composition root: builds everything from a configuration, and takes it down.

Only this module knows the concrete classes of every layer. ``App`` is the embedding
interface; ``program.py`` puts a server and signals around it.
"""

import atexit
import hashlib
import logging
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from swapper.config import Config, PortsInUse, load_config
from swapper.config.learnt import Learnt
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId
from swapper.core.states import ProcessState
from swapper.hardware import (
    Gauge,
    MemoryReturns,
    PerformanceMonitor,
    ProcessMemory,
    memory_of,
)
from swapper.logs import Logs, MonitorHandler
from swapper.planner import Planner, make_planner
from swapper.process import (
    Prefetcher,
    ProcessFact,
    ProcessHost,
    ProcessSupervisor,
    Started,
    stop_leftovers,
)
from swapper.record.counters import RequestCounters
from swapper.record.database import StoreError
from swapper.record.known import KnownTimes
from swapper.record.row import Finished
from swapper.record.store import Store, Stored
from swapper.relay import Upstream
from swapper.router import LocalRouter, Notify, Preloader
from swapper.scheduler import Scheduler, SwapTime, make_scheduler, queue_rules
from swapper.web.app import WebApp
from swapper.web.books import Books
from swapper.web.feed import EventHub
from swapper.web.json_edit import JsonDocument
from swapper.web.profiles import ActiveProfile
from swapper.web.services import Services, upstream_keys
from swapper.web.tracking import Tracker

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

logger = logging.getLogger(__name__)

SHUTDOWN_BUDGET_S: Final = 30.0
"""Draining and stopping together get this long (config.md section 1)."""

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}


def warm_up() -> None:
    """Do what the first request would have to wait for. Any thread; once is enough.

    Some imports and patterns are made when they are first needed, for the server to
    listen the sooner; this is the time between.
    """
    Upstream("http://127.0.0.1", "nobody").close()
    JsonDocument(b'{"messages":[]}')


class App:
    """A running swapper as a WSGI application.

    Calling it is thread-safe. It owns threads and, once models are asked for, child
    processes: call ``close`` when done; at interpreter exit it happens by itself.
    """

    def __init__(
        self,
        config: Config,
        *,
        stdout: BinaryIO | None = None,
        log_format: Literal["text", "json"] = "text",
    ) -> None:
        """Build everything and start the router; no model is started yet.

        Args:
            config: what to serve.
            stdout: where logs go besides the log routes; None for nowhere.
            log_format: of swapper's own lines.

        Raises:
            ConfigError: the router or scheduler it names is not there, or the activity
                log's file cannot be used.
        """
        planner = make_planner(config.router, config)
        self._store = Store(
            config.store_path, config.metrics_max_in_memory, [self._tell_of_rows]
        )
        scheduler = self._make_scheduler(config, planner)
        self.logs = Logs(config.log_to_stdout, stdout)
        self._handler = _attach_log(self.logs, is_json=log_format == "json")
        instance = _instance_key(config)
        stop_leftovers(instance)
        returns = MemoryReturns(lambda: self.config.budget.measured)
        self._host = ProcessHost(instance, returns)
        counters = RequestCounters()
        tracker = Tracker([self._record, counters.keep])
        hub = EventHub(tracker)
        self._supervisors: dict[ModelId, ProcessSupervisor] = {}
        self._gauge = Gauge(on_gpus=returns.ready)
        self._prefetcher = Prefetcher()
        self._performance = PerformanceMonitor(
            config.performance_every_s, is_off=config.performance_disabled
        )
        self.router = LocalRouter(
            config.models,
            scheduler,
            self._spawn,
            on_states=hub.states_changed,
            on_next_load=self._prefetcher.want,
        )
        self._services = Services(
            router=self.router,
            logs=self.logs,
            store=self._store,
            tracker=tracker,
            hub=hub,
            profile=ActiveProfile(hub.profile_changed),
            performance=self._performance,
            counters=counters,
            memory=self._memory,
            books=Books(self._handler.gathered),
        )
        self._generation = self._generation_of(config)
        self._reload_lock = threading.Lock()  # one reload at a time
        self._is_closed = False
        self._preloader = Preloader(self.router)
        self._start()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request (PEP 3333). Any thread."""
        return self._generation.web(environ, start_response)

    def _make_scheduler(self, config: Config, planner: Planner) -> Scheduler:
        times, needs = _StoredSwapTimes(self._store), _StoredNeeds(self._store)
        try:
            return make_scheduler(config, planner, times, needs)
        except ConfigError:
            self._store.close()
            raise

    def _start(self) -> None:
        self._store.start()
        self._services.books.start()
        self._performance.start()
        self.router.start()
        self._preloader.load(self.config.preload)
        atexit.register(self.close)

    @property
    def config(self) -> Config:
        """Return the configuration in force."""
        return self._generation.config

    @property
    def ports_in_use(self) -> PortsInUse:
        """Return what ``load_config`` needs to leave the running models their ports."""
        config = self.config
        ports = {
            str(m.id): m.port for m in config.models.values() if m.port is not None
        }
        return PortsInUse(config.start_port, ports, self.router.local_ports())

    def reload(self, config: Config) -> None:
        """Put another configuration in force; only the difference is applied.

        Requests in progress end as they began. A model whose process need not be
        started anew keeps it; another one finishes the requests it has, for no longer
        than its unload timeout, and stops. Any thread; blocks for milliseconds.

        Args:
            config: loaded with ``in_use=app.ports_in_use``, so that models keep their
                ports.

        Raises:
            ConfigError: the router it names is not there, or the activity log's file
                cannot be used; nothing has changed.
            ShuttingDownError: swapper is ending.
        """
        planner = make_planner(config.router, config)
        with self._reload_lock:
            before, old = self.config, self._generation.web
            self._services.books.settle()  # rows that belong to the store as it was
            self._store.use(config.store_path, config.metrics_max_in_memory)
            if config.store_path != before.store_path:
                self._services.tracker.captures.forget()  # ids begin anew
            if config.scheduler != before.scheduler:
                # It knows what runs and who waits; another one would have to learn it.
                logger.warning("scheduler=%s goes on until restart", before.scheduler)
            self.router.reload(config.models, planner, queue_rules(config))
            self._generation = self._generation_of(config)
            if not before.budget.measured:
                self._measure_what_runs()
            old.retire()
            self._performance.configure(
                config.performance_every_s, is_off=config.performance_disabled
            )
            self._services.upstreams.keep(upstream_keys(config))
            self._preloader.load(_newly_preloaded(before, config))

    def end_streams(self) -> None:
        """End the log streams, which would never end by themselves."""
        self._services.ending.cancel()

    def close(self, budget_s: float = SHUTDOWN_BUDGET_S) -> None:
        """Stop all models and end every thread; idempotent.

        Requests still waiting for a model are refused, running ones are cut off.

        Args:
            budget_s: the longest grace any model gets.
        """
        if self._is_closed:
            return
        self._is_closed = True
        atexit.unregister(self.close)
        self._preloader.cancel()
        self.end_streams()
        if not self.router.shutdown(budget_s):
            logger.error("some model did not stop in time")
        self._preloader.join()
        self._gauge.close()
        self._prefetcher.close()
        self._performance.close()
        self._services.close()
        self._host.close()
        self._services.books.close()
        self._store.close()
        logging.getLogger("swapper").removeHandler(self._handler)
        self.logs.close()

    def _record(self, finished: Finished) -> None:
        if finished.is_recorded:
            self._store.add(finished)

    def _tell_of_rows(self, stored: Sequence[Stored]) -> None:
        captures = self._services.tracker.captures
        for row in stored:
            captures.stored(row.id, row.finished)
        self._services.hub.activity_stored([row.id for row in stored])

    def _spawn(self, model: ModelId, notify: Notify) -> ProcessSupervisor:
        def told(fact: ProcessFact) -> None:
            notify(fact)
            if isinstance(fact, Started) and fact.error is None:
                self._measure(fact)

        monitor = self.logs.model(model)
        made = ProcessSupervisor(model, notify=told, monitor=monitor, host=self._host)
        self._supervisors[model] = made
        return made

    def _measure(self, ready: Started) -> None:
        """Have the router told what a model holds, if that matters to anybody."""
        snapshot = self._supervisors[ready.model].snapshot
        if (
            self.config.budget.measured
            and snapshot.run == ready.run
            and snapshot.pid is not None
        ):
            self._gauge.measure(
                snapshot.pid,
                lambda footprint: self.router.measured(
                    ready.model, ready.run, footprint
                ),
            )

    def _measure_what_runs(self) -> None:
        """Have measured what became ready when that mattered to nobody."""
        for model, supervisor in self._supervisors.copy().items():
            now = supervisor.snapshot
            if now.state is ProcessState.READY and now.run is not None:
                self._measure(Started(model, now.run, None))

    def _memory(self) -> Mapping[str, ProcessMemory]:
        """Return the memory of each model that runs. Any thread; reads all processes."""
        runs = {m: s.snapshot.pid for m, s in self._supervisors.copy().items()}
        pids = {str(model): pid for model, pid in runs.items() if pid is not None}
        return memory_of(pids, self._performance.process_bytes) if pids else {}

    def _generation_of(self, config: Config) -> "_Generation":
        self._handler.set_time_format(config.log_time_format)
        logging.getLogger("swapper").setLevel(_LEVELS[config.log_level])
        for warning in config.warnings:
            logger.warning("configuration: %s", warning)
        self._services.profile.keep_if_in(config)
        self._services.tracker.captures.resize(config.capture_buffer_mb << 20)
        return _Generation(config, WebApp(config, self._services))


class _StoredSwapTimes:
    """What a scheduler has learned, kept in the activity log's database.

    As ``SwapTimes`` wants it: nothing waits for the disk. Router thread.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        try:
            known = store.known_times()
        except StoreError as exc:
            logger.warning("what is known of swaps cannot be read: %s", exc)
            known = {}
        self._times = {m: SwapTime(t.load_s, t.stop_s) for m, t in known.items()}

    def get(self, model: ModelId) -> SwapTime:
        """Return what was last put, in whatever run, or a time with nothing known."""
        return self._times.get(model, SwapTime())

    def put(self, model: ModelId, time: SwapTime) -> None:
        """Keep *time* in place of what is known of the model."""
        self._times[model] = time
        self._store.put_times(model, KnownTimes(time.load_s, time.stop_s))


class _StoredNeeds:
    """What was learnt of models' needs, likewise, as ``LearntNeeds`` wants it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        try:
            self._known = store.known_needs()
        except StoreError as exc:
            logger.warning("what is known of models' needs cannot be read: %s", exc)
            self._known = {}

    def all(self) -> Mapping[ModelId, Learnt]:
        """Return what was put, in whatever run, of all models."""
        return self._known

    def put(self, model: ModelId, learnt: Learnt) -> None:
        """Keep *learnt* in place of what is known of the model."""
        self._known[model] = learnt
        self._store.put_needs(model, learnt)


@dataclass(frozen=True, slots=True)
class _Generation:
    """Everything that is built from one configuration and replaced by a reload."""

    config: Config
    web: WebApp


def create_app(config: Config | str | os.PathLike[str]) -> App:
    """Return swapper as a WSGI application.

    Args:
        config: a loaded configuration, or the path of a configuration file.

    Raises:
        ConfigError: the configuration is not valid.
    """
    if not isinstance(config, Config):
        config = load_config(Path(config))
    return App(config)


def _newly_preloaded(before: Config, after: Config) -> tuple[ModelId, ...]:
    """Return what a reload preloads: models that are new in the list, or changed.

    Loading all of them again would push out what people use at the moment.
    """
    kept = {
        model
        for model in before.preload
        if model in after.models
        and before.models[model].process == after.models[model].process
    }
    return tuple(model for model in after.preload if model not in kept)


def _attach_log(logs: Logs, *, is_json: bool) -> MonitorHandler:
    handler = MonitorHandler(logs.proxy, is_json=is_json)
    logging.getLogger("swapper").addHandler(handler)
    return handler


def _instance_key(config: Config) -> str:
    """Return a key that is the same for the next run of the same configuration."""
    identity = "\n".join(config.sources) or repr(sorted(config.models))
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
