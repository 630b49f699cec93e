"""Process states, spelled as on the wire (``GET /running``)."""

from enum import StrEnum


class ProcessState(StrEnum):
    """Where a model process stands.

    ``SHUTDOWN`` is final: swapper is ending and the process will not come back.
    """

    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    SHUTDOWN = "shutdown"
