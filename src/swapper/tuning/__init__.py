"""What the program asks of the interpreter, the C library and the system's scheduler."""

from swapper.tuning.governor import CpuGovernor, parse_cpu_affinity
from swapper.tuning.interpreter import settle, tune

__all__ = ["CpuGovernor", "parse_cpu_affinity", "settle", "tune"]
