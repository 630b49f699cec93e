"""Bytes that people read later: model output and swapper's own log lines."""

from swapper.logs.handler import MonitorHandler, current_request
from swapper.logs.monitor import Monitor, Sink, Subscription
from swapper.logs.repeated import RepeatedLine
from swapper.logs.wiring import Logs

__all__ = [
    "Logs",
    "Monitor",
    "MonitorHandler",
    "RepeatedLine",
    "Sink",
    "Subscription",
    "current_request",
]
