"""The composition root: builds everything from a configuration, and takes it down.

Only this module knows the concrete classes of every layer. ``App`` is the embedding
interface; ``program.py`` puts a server and signals around it.
"""

import atexit
import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from swapper.config import Config, load_config
from swapper.core.errors import ClientGoneError, RequestError
from swapper.core.ids import ModelId
from swapper.logs import Logs, MonitorHandler
from swapper.planner import make_planner
from swapper.process import ProcessHost, ProcessSupervisor, stop_leftovers
from swapper.relay import Upstream
from swapper.router import LocalRouter
from swapper.scheduler import FifoScheduler
from swapper.sync import CancelToken, OwnerThread
from swapper.web.app import WebApp

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


class App:
    """A running swapper as a WSGI application.

    Calling it is thread-safe. It owns threads and, once models are asked for, child
    processes: call ``close`` when done; at interpreter exit it happens by itself.
    """

    def __init__(self, config: Config, *, stdout: BinaryIO | None = None) -> None:
        """Build everything and start the router; no model is started yet.

        Args:
            config: what to serve.
            stdout: where logs go besides the log routes; None for nowhere.
        """
        self.config = config
        self.logs = Logs(config.log_to_stdout if stdout else "none", stdout)
        self._handler = _attach_log(self.logs, config.log_level)
        for warning in config.warnings:
            logger.warning("configuration: %s", warning)
        instance = _instance_key(config)
        stop_leftovers(instance)
        self._host = ProcessHost(instance)
        self.router = LocalRouter(
            config.models,
            FifoScheduler(config.models, make_planner("group", config)),
            lambda model, notify: ProcessSupervisor(
                model,
                notify=notify,
                monitor=self.logs.model(model),
                host=self._host,
            ),
        )
        self._upstreams = _upstreams(config)
        self._web = WebApp(config, self.router, self._upstreams, self.logs)
        self._preload_token = CancelToken()
        self._preloader = OwnerThread("preload", self._preload)
        self._is_closed = False
        self.router.start()
        self._preloader.start()
        atexit.register(self.close)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer one request (PEP 3333). Any thread."""
        return self._web(environ, start_response)

    def end_streams(self) -> None:
        """End the log streams, which would never end by themselves."""
        self._web.end_streams()

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
        self._preload_token.cancel()
        self.end_streams()
        if not self.router.shutdown(budget_s):
            logger.error("some model did not stop in time")
        self._preloader.join()
        for upstream in self._upstreams.values():
            upstream.close()
        self._web.close()
        self._host.close()
        logging.getLogger("swapper").removeHandler(self._handler)
        self.logs.close()

    def _preload(self) -> None:
        """Load ``hooks.on_startup.preload`` one after another."""
        for model in self.config.preload:
            try:
                self.router.acquire(model, self._preload_token).done()
            except ClientGoneError:
                return
            except RequestError as exc:
                logger.warning("preload failed model=%s: %s", model, exc)


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


def _upstreams(config: Config) -> dict[ModelId, Upstream]:
    """Return the upstream of each model whose ``proxy`` makes one."""
    upstreams = {}
    for model in config.models.values():
        try:
            upstreams[model.id] = Upstream(model.proxy, label=f"model {model.id}")
        except ValueError as exc:
            logger.warning("model cannot be reached model=%s: %s", model.id, exc)
    return upstreams


def _attach_log(logs: Logs, level: str) -> MonitorHandler:
    handler = MonitorHandler(logs.proxy)
    package_logger = logging.getLogger("swapper")
    package_logger.addHandler(handler)
    package_logger.setLevel(_LEVELS.get(level.strip().lower(), logging.INFO))
    return handler


def _instance_key(config: Config) -> str:
    """Return a key that is the same for the next run of the same configuration."""
    identity = "\n".join(config.sources) or repr(sorted(config.models))
    return hashlib.sha256(identity.encode()).hexdigest()[:16]
