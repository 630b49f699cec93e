"""When a request may be served: pure decisions, effects as values."""

from swapper.scheduler.adaptive import AdaptiveScheduler
from swapper.scheduler.base import (
    Admission,
    AnswerUnload,
    Effect,
    ForgetModel,
    Grant,
    ModelView,
    Queued,
    QueueRules,
    Refuse,
    Remark,
    Scheduler,
    Standing,
    StartModel,
    StopModel,
    StopReason,
    SwapPolicy,
    Ticket,
    WaitingModel,
    in_queue_order,
)
from swapper.scheduler.fifo import FifoScheduler
from swapper.scheduler.lessons import LearntNeeds, Lessons, MemoryNeeds
from swapper.scheduler.registry import SchedulerInputs, make_scheduler, queue_rules
from swapper.scheduler.swap_times import MemorySwapTimes, SwapTime, SwapTimes

__all__ = [
    "AdaptiveScheduler",
    "Admission",
    "AnswerUnload",
    "Effect",
    "FifoScheduler",
    "ForgetModel",
    "Grant",
    "LearntNeeds",
    "Lessons",
    "MemoryNeeds",
    "MemorySwapTimes",
    "ModelView",
    "QueueRules",
    "Queued",
    "Refuse",
    "Remark",
    "Scheduler",
    "SchedulerInputs",
    "Standing",
    "StartModel",
    "StopModel",
    "StopReason",
    "SwapPolicy",
    "SwapTime",
    "SwapTimes",
    "Ticket",
    "WaitingModel",
    "in_queue_order",
    "make_scheduler",
    "queue_rules",
]
