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
from swapper.scheduler.registry import SchedulerInputs, make_scheduler
from swapper.scheduler.swap_times import MemorySwapTimes, SwapTime, SwapTimes

__all__ = [
    "Admission",
    "AnswerUnload",
    "Effect",
    "FifoScheduler",
    "ForgetModel",
    "Grant",
    "MemorySwapTimes",
    "Queued",
    "Refuse",
    "Scheduler",
    "SchedulerInputs",
    "StartModel",
    "StopModel",
    "StopReason",
    "SwapTime",
    "SwapTimes",
    "Ticket",
    "make_scheduler",
]
