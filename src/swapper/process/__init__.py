"""Model processes: one supervisor each, and what they share."""

from swapper.process.host import ProcessHost
from swapper.process.leftovers import stop_leftovers
from swapper.process.limits import raise_open_files
from swapper.process.messages import Exited, ProcessFact, Started, Stopped
from swapper.process.prefetch import Prefetcher
from swapper.process.supervisor import ProcessSnapshot, ProcessSupervisor

__all__ = [
    "Exited",
    "Prefetcher",
    "ProcessFact",
    "ProcessHost",
    "ProcessSnapshot",
    "ProcessSupervisor",
    "Started",
    "Stopped",
    "raise_open_files",
    "stop_leftovers",
]
