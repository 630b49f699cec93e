"""What a sample of the machine holds, and taking one of the system."""

import os
import sys
from dataclasses import dataclass

import psutil

from swapper.core.clock import unix_time
from swapper.hardware.gpu import GpuReading

_MB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class NetSample:
    """Bytes through one network interface since boot."""

    name: str
    bytes_recv: int
    bytes_sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSample:
    """The machine at one moment (http-api.md 25.3).

    Attributes:
        taken_s: Unix time.
        cpu_percent: busy, of each core since the sample before.
        mem_total_mb: mebibytes, as are all below, rounded down.
        mem_used_mb: what is not available.
        load: averages over 1, 5 and 15 minutes.
        net: by interface, without the loopback.
    """

    taken_s: float
    cpu_percent: tuple[float, ...]
    mem_total_mb: int
    mem_used_mb: int
    mem_free_mb: int
    swap_total_mb: int
    swap_used_mb: int
    load: tuple[float, float, float]
    net: tuple[NetSample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    """One GPU at one moment.

    Attributes:
        taken_s: Unix time.
        reading: what the tool said.
    """

    taken_s: float
    reading: GpuReading


def sample_system() -> SystemSample:
    """Return a sample. One thread: the processor's figures are since its last call.

    Raises:
        OSError: the system does not tell.
        psutil.Error: likewise.
    """
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return SystemSample(
        taken_s=unix_time(),
        cpu_percent=tuple(psutil.cpu_percent(percpu=True)),
        mem_total_mb=memory.total // _MB,
        mem_used_mb=(memory.total - memory.available) // _MB,
        mem_free_mb=memory.free // _MB,
        swap_total_mb=swap.total // _MB,
        swap_used_mb=swap.used // _MB,
        load=os.getloadavg(),
        net=tuple(
            NetSample(name=name, bytes_recv=io.bytes_recv, bytes_sent=io.bytes_sent)
            for name, io in sorted(psutil.net_io_counters(pernic=True).items())
            if not (name == "lo" and sys.platform == "linux")
        ),
    )
