"""What all supervisors of one swapper share."""

import itertools
from dataclasses import replace

from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId
from swapper.hardware import MemoryReturns
from swapper.logs import Monitor
from swapper.process.guard import Guard
from swapper.process.mark import own_mark
from swapper.process.output import OutputPump
from swapper.process.spawn import Spawner


class ProcessHost:
    """Output thread, guard process, marks, memory that is to come back. Any thread.

    Made in the process that will run the models (after a fork, not before); costs
    nothing until the first model starts.
    """

    __slots__ = ("_guard", "_numbers", "_own", "_pump", "memory")

    def __init__(self, instance: str, memory: MemoryReturns | None = None) -> None:
        """Prepare.

        Args:
            instance: key of the configuration, the same after a restart, so that
                leftovers of a dead swapper are known as such.
            memory: has loads wait for what stopped models give back; None for none.
        """
        self.memory = memory or MemoryReturns(tuple)
        self._own = own_mark(instance, ModelId(""), 0)
        self._numbers = itertools.count(1)  # next() is atomic
        self._pump = OutputPump()
        self._guard = Guard(self._own.prefix)

    @property
    def guard_pid(self) -> int | None:
        """Return the guard's process id; None before the first model."""
        return self._guard.pid

    def spawner(self, config: ModelConfig, monitor: Monitor) -> Spawner:
        """Return what makes the processes of one run of a model."""
        mark = replace(self._own, model=config.id, number=next(self._numbers))
        return Spawner(config, monitor, mark=mark, pump=self._pump, guard=self._guard)

    def close(self) -> None:
        """End the output thread and dismiss the guard.

        After the supervisors have ended. Blocks until the guard is gone, normally
        some ten milliseconds.
        """
        self._pump.close()
        self._guard.close()
