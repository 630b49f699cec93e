"""Reloads the configuration: when its files change, and when told to.

One reload at a time. What asks for one while another is running is not lost but
answered by one more, so that the last version wins.
"""

import logging
import os
import time
from contextlib import suppress
from dataclasses import dataclass

from swapper.config import Config, Environment, Secrets, load_config
from swapper.config.watch import POLL_INTERVAL_S, SourceWatch
from swapper.core.errors import ConfigError, InboxClosedError, ShuttingDownError
from swapper.runtime import App
from swapper.sync import Inbox, OwnerThread

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """Where the configuration comes from.

    Attributes:
        config: a file; "" if none is given.
        config_dir: a directory; "" if none is given.
        watch: made before the first load; None if nobody watches.
    """

    config: str = ""
    config_dir: str = ""
    watch: SourceWatch | None = None

    def load(self, app: App, environment: Environment) -> Config:
        """Return the configuration as the files have it now.

        Models keep the ports that they have in *app*.

        Raises:
            ConfigError: it is not valid.
        """
        return load_config(
            self.config or None,
            self.config_dir or None,
            environ=environment,
            in_use=app.ports_in_use,
        )


@dataclass(frozen=True, slots=True)
class _Reload:
    why: str


@dataclass(frozen=True, slots=True)
class _End:
    pass


class Reloader:
    """Thread ``config-watch``. Other methods: any thread; none blocks but ``close``."""

    def __init__(self, app: App, files: ConfigFiles) -> None:
        self._app = app
        self._files = files
        self._inbox: Inbox[_Reload | _End] = Inbox()
        self._thread = OwnerThread("config-watch", self._run)

    def start(self) -> None:
        """Start the thread. Once."""
        self._thread.start()

    def reload(self, why: str) -> None:
        """Reload soon; *why* is for the log."""
        with suppress(InboxClosedError):
            self._inbox.put(_Reload(why))

    def close(self) -> None:
        """End the thread; waits for a reload in progress."""
        with suppress(InboxClosedError):
            self._inbox.put(_End())
        self._thread.join()

    # --- the thread -----------------------------------------------------------

    def _run(self) -> None:
        try:
            while True:
                message = self._next()
                if isinstance(message, _End):
                    return
                if message is not None:
                    self._reload_now(message.why)
        finally:
            self._inbox.close()

    def _next(self) -> _Reload | _End | None:
        """Wait for something to do; several requests for a reload are one."""
        watch = self._files.watch
        deadline = None if watch is None else time.monotonic() + POLL_INTERVAL_S
        message = self._inbox.get(deadline)
        if message is None:
            has_changed = watch is not None and watch.has_changed()
            return _Reload("its files have changed") if has_changed else None
        while isinstance(message, _Reload):
            later = self._inbox.get(0.0)
            if later is None:
                break
            message = later
        return message

    def _reload_now(self, why: str) -> None:
        logger.info("reloading configuration: %s", why)
        before, environment = self._app.config, Environment(os.environ)
        try:
            config = self._files.load(self._app, environment)
            if config.is_blank:
                logger.warning(
                    "configuration not reloaded: it is empty, as if caught while being "
                    "written; nothing has changed"
                )
                return
            self._app.reload(config)
        except ConfigError as exc:
            problems = Secrets(environment.used).hidden_in(str(exc))
            logger.warning("configuration not reloaded, it is not valid:\n%s", problems)
        except ShuttingDownError:
            logger.info("configuration not reloaded: swapper is ending")
        else:
            _log_difference(before, config)


def _log_difference(before: Config, after: Config) -> None:
    old, new = before.models, after.models
    added = [str(id_) for id_ in new if id_ not in old]
    removed = [str(id_) for id_ in old if id_ not in new]
    changed = [
        str(id_) for id_ in new if id_ in old and old[id_].process != new[id_].process
    ]
    logger.info(
        "configuration reloaded models=%d added=%s removed=%s restarted=%s",
        len(new),
        ",".join(added) or "none",
        ",".join(removed) or "none",
        ",".join(changed) or "none",
    )
    if before.log_to_stdout != after.log_to_stdout:
        logger.warning("logToStdout takes effect when swapper is restarted")
