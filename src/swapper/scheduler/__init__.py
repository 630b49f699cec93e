"""When a request may be served: pure decisions, effects as values."""

from swapper.scheduler.base import (
    Admission,
    AnswerUnload,
    Effect,
    ForgetModel,
    Grant,
    Queued,
    Refuse,
    Scheduler,
    StartModel,
    StopModel,
    StopReason,
    Ticket,
)
from swapper.scheduler.fifo import FifoScheduler

__all__ = [
    "Admission",
    "AnswerUnload",
    "Effect",
    "FifoScheduler",
    "ForgetModel",
    "Grant",
    "Queued",
    "Refuse",
    "Scheduler",
    "StartModel",
    "StopModel",
    "StopReason",
    "Ticket",
]
