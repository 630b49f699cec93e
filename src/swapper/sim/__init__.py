"""Replays requests against the real router with simulated models and time.

A development tool (``python -m swapper.sim``): it shows what a scheduler or a planner
does to a pattern of requests, in milliseconds instead of hours. The server never
imports it.
"""

from swapper.sim.history import History, Phase, Request
from swapper.sim.simulation import Simulation, SimulationError
from swapper.sim.trace import Client, Step, Trace, TraceError, read_trace

__all__ = [
    "Client",
    "History",
    "Phase",
    "Request",
    "Simulation",
    "SimulationError",
    "Step",
    "Trace",
    "TraceError",
    "read_trace",
]
