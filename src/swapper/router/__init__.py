"""One thread that owns every routing decision, and its handle for the others."""

from swapper.router.counts import RouterCounts, state_family
from swapper.router.lease import Lease, Wait
from swapper.router.local import LocalRouter
from swapper.router.loop import Notify, ProcessHandle, ProcessSpawner
from swapper.router.pending import PendingLease
from swapper.router.preload import Preloader

__all__ = [
    "Lease",
    "LocalRouter",
    "Notify",
    "PendingLease",
    "Preloader",
    "ProcessHandle",
    "ProcessSpawner",
    "RouterCounts",
    "Wait",
    "state_family",
]
