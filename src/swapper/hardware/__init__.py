"""The machine: what it is, and how busy it is."""

from swapper.hardware.gpu import GpuReading
from swapper.hardware.monitor import PerformanceMonitor
from swapper.hardware.samples import GpuSample, SystemSample

__all__ = ["GpuReading", "GpuSample", "PerformanceMonitor", "SystemSample"]
