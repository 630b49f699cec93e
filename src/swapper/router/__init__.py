"""One thread that owns every routing decision, and its handle for the others."""

from swapper.router.lease import Lease
from swapper.router.local import LocalRouter
from swapper.router.loop import ProcessHandle, ProcessSpawner
from swapper.router.pending import PendingLease

__all__ = ["Lease", "LocalRouter", "PendingLease", "ProcessHandle", "ProcessSpawner"]
