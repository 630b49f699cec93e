"""The mark: one environment variable by which a process is known to be ours.

``<instance>:<owner pid>:<owner start>:<model>:<number>``, instance and model
percent-encoded. It is inherited by all descendants, also by those that made a session
of their own, and outlives swapper.
"""

import os
from dataclasses import dataclass
from urllib.parse import quote, unquote

import psutil

from swapper.core.ids import ModelId
from swapper.process.proctable import has_proc, read_entry


def start_of(pid: int) -> str:
    """Return what tells a process from a later one of the same pid; "" if dead."""
    if has_proc():
        entry = read_entry(pid)
        return entry.start if entry is not None else ""
    try:
        process = psutil.Process(pid)
        dead = process.status() == psutil.STATUS_ZOMBIE
        return "" if dead else repr(process.create_time())
    except psutil.Error:
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A mark taken apart.

    Attributes:
        instance: key of the configuration, the same from one run to the next.
        owner_pid: the swapper that started the process.
        owner_start: tells that swapper from a later process of its pid.
        number: tells several starts of one model apart.
    """

    instance: str
    owner_pid: int
    owner_start: str
    model: ModelId
    number: int

    @property
    def prefix(self) -> str:
        """Return the part shared by all processes of one swapper."""
        return f"{quote(self.instance, safe='')}:{self.owner_pid}:{self.owner_start}:"

    def __str__(self) -> str:
        """Return the variable's value."""
        return f"{self.prefix}{quote(self.model, safe='')}:{self.number}"

    @property
    def owner_is_alive(self) -> bool:
        """Return whether the swapper that started the process still runs."""
        return start_of(self.owner_pid) == self.owner_start


def parse_mark(text: str) -> Mark | None:
    """Return the mark in a variable's value; None if it is none of ours."""
    parts = text.split(":")
    if len(parts) != 5 or not (parts[1].isdigit() and parts[4].isdigit()):
        return None
    instance, owner_pid, owner_start, model, number = parts
    return Mark(
        instance=unquote(instance),
        owner_pid=int(owner_pid),
        owner_start=owner_start,
        model=ModelId(unquote(model)),
        number=int(number),
    )


def own_mark(instance: str, model: ModelId, number: int) -> Mark:
    """Return a mark that says this process is the owner."""
    pid = os.getpid()
    return Mark(
        instance=instance,
        owner_pid=pid,
        owner_start=start_of(pid),
        model=model,
        number=number,
    )
