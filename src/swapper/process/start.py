"""One start, in a thread of its own: room there, process made, model answers."""

import logging
import time
from collections.abc import Callable

from swapper.config.schema import ModelConfig
from swapper.core.errors import HealthCheckTimeoutError, PortInUseError, SpawnError
from swapper.core.ids import RunId
from swapper.hardware import MemoryReturns
from swapper.logs import Monitor
from swapper.process.health import Prober, health_check_of
from swapper.process.messages import (
    HealthPassed,
    Spawned,
    StartFailed,
    SupervisorMessage,
)
from swapper.process.port import accepts, address_of, is_local, listener_of
from swapper.process.spawn import Child, Spawner
from swapper.sync import CancelToken, OwnerThread

logger = logging.getLogger(__name__)


class Start:
    """Helper of a supervisor; thread ``process:<model>:start``.

    Tells ``StartFailed``, or ``Spawned`` and then ``HealthPassed`` or ``StartFailed``.
    A cancelled start ends at once and says so with an empty ``StartFailed``.
    """

    __slots__ = (
        "_cancel",
        "_config",
        "_memory",
        "_monitor",
        "_run_id",
        "_spawner",
        "_tell",
    )

    def __init__(
        self,
        run: RunId,
        config: ModelConfig,
        spawner: Spawner,
        monitor: Monitor,
        tell: Callable[[SupervisorMessage], None],
        *,
        memory: MemoryReturns,
    ) -> None:
        self._run_id = run
        self._config = config
        self._spawner = spawner
        self._monitor = monitor
        self._tell = tell
        self._memory = memory
        self._cancel = CancelToken()

    def begin(self) -> None:
        """Start the thread. Once."""
        OwnerThread(
            f"process:{self._config.id}:start",
            self._run,
            on_failure=self._crashed,
        ).start()

    def cancel(self) -> None:
        """Call the start off. Any thread; what was made is the owner's to stop."""
        self._cancel.cancel()

    def _run(self) -> None:
        try:
            child = self._make()
        except (SpawnError, PortInUseError) as exc:
            self._tell(StartFailed(self._run_id, exc))
            return
        if child is None:
            self._tell(StartFailed(self._run_id, None))
            return
        self._tell(Spawned(self._run_id, child))
        self._await_health(child)

    def _make(self) -> Child | None:
        config = self._config
        address = address_of(config.proxy)
        if address is None:
            raise SpawnError(
                config.id,
                f"failed to start command '{config.cmd.strip()}': "
                f"proxy '{config.proxy}' is no http address",
            )
        self._memory.wait(config.id, self._cancel)
        local = address if is_local(address) else None
        if local is not None and accepts(local):
            raise PortInUseError(
                config.id,
                f"address {address} of model {config.id} is already in use by "
                f"{listener_of(address)}",
            )
        if self._cancel.cancelled:
            return None
        return self._spawner.spawn(config.cmd, local)

    def _await_health(self, child: Child) -> None:
        config = self._config
        check = health_check_of(config)
        if check is None:
            self._tell(HealthPassed(self._run_id))
            return
        output = self._monitor.subscribe(history=False)
        try:
            is_ready = Prober(
                check, started_at=child.started_at, output=output, cancel=self._cancel
            ).wait_ready(child.started_at + config.health_check_timeout_s)
        finally:
            output.close()
        if is_ready:
            self._tell(HealthPassed(self._run_id))
        elif self._cancel.cancelled:
            self._tell(StartFailed(self._run_id, None))
        else:
            self._tell(StartFailed(self._run_id, self._timed_out(child)))

    def _timed_out(self, child: Child) -> HealthCheckTimeoutError:
        return HealthCheckTimeoutError(
            self._config.id,
            f"health check timed out after {self._config.health_check_timeout_s}s",
            log_tail=self._spawner.log_tail(child),
            duration_s=time.monotonic() - child.started_at,
        )

    def _crashed(self, exc: BaseException) -> None:
        error = SpawnError(self._config.id, f"start of the model failed: {exc!r}")
        self._tell(StartFailed(self._run_id, error))
