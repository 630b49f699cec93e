"""The machine: what it is, and how busy it is."""

from swapper.hardware.exposition import host_families
from swapper.hardware.gauge import Gauge
from swapper.hardware.gpu import GpuReading
from swapper.hardware.monitor import PerformanceMonitor
from swapper.hardware.processes import ProcessMemory, memory_of
from swapper.hardware.returns import Debt, MemoryReturns
from swapper.hardware.room import cache_room_bytes
from swapper.hardware.samples import GpuSample, SystemSample
from swapper.hardware.snapshot import HardwareSnapshot

__all__ = [
    "Debt",
    "Gauge",
    "GpuReading",
    "GpuSample",
    "HardwareSnapshot",
    "MemoryReturns",
    "PerformanceMonitor",
    "ProcessMemory",
    "SystemSample",
    "cache_room_bytes",
    "host_families",
    "memory_of",
]
