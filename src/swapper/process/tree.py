"""One process with everything that came out of it, wherever that went.

A descendant may leave its process group, its session and its parent (a daemon does
all three). It is still found by one of: the session or group of the first process,
descent from a known member, the mark in its environment. What clears its environment
*and* daemonises before it was ever seen is out of reach.
"""

import contextlib
import os
import signal
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final

import psutil

from swapper.process import proctable
from swapper.process.proctable import Entry

_TRUST_S: Final = 0.1
"""How long a pid surely stays one process's: it comes back after 30,000 others."""


def read_table(without: Collection[int] = ()) -> list[Entry]:
    """Return every living process of the machine that may be looked at.

    Args:
        without: pids to leave out.
    """
    if proctable.has_proc():
        return proctable.read_table(without)
    return [entry for entry in _psutil_table() if entry.pid not in without]


def read_marks() -> Iterator[tuple[Entry, str]]:
    """Yield every process that carries a mark, with the mark's text."""
    for entry in read_table():
        if mark := mark_of(entry):
            yield entry, mark


def mark_of(entry: Entry) -> str:
    """Return a process's mark; "" without one, or if it may not be looked into."""
    if proctable.has_proc():
        return proctable.read_mark(entry.pid)
    try:
        return psutil.Process(entry.pid).environ().get(proctable.MARK_NAME, "")
    except (psutil.Error, OSError):
        return ""


def send(entry: Entry, signum: int) -> None:
    """Signal exactly this process, not a later one of the same pid."""
    if proctable.has_proc():
        proctable.send(entry, signum)
        return
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(entry.pid)
        if repr(process.create_time()) == entry.start:
            process.send_signal(signum)


def command_of(pid: int) -> str:
    """Return a process's command line for a log or an error; never fails."""
    try:
        process = psutil.Process(pid)
        return " ".join(process.cmdline()) or process.name()
    except (psutil.Error, OSError):
        return "unknown command"


class Tree:
    """The living processes of one run. One thread at a time.

    The first process must not have been reaped while signals are sent: its zombie
    keeps the ids of group and session from being used again.
    """

    __slots__ = (
        "_asked",
        "_group_asked",
        "_known",
        "_leader",
        "_mark",
        "_older",
        "_older_until",
        "_since",
    )

    def __init__(self, leader: int, mark: str) -> None:
        """Prepare, right after the first process was made.

        Args:
            leader: its pid, which is also its group and session.
            mark: the value of its mark variable.
        """
        self._leader = leader
        self._mark = mark
        first = proctable.read_entry(leader) if proctable.has_proc() else None
        self._since = float(first.start) if first is not None else 0.0
        self._known: set[tuple[int, str]] = set()
        self._asked: set[tuple[int, str]] = set()
        self._group_asked = False
        # Pids of processes older than the first one, which need no second look.
        self._older: frozenset[int] = frozenset()
        self._older_until = 0.0

    def members(self) -> Sequence[Entry]:
        """Return all that still lives; zombies are dead."""
        table = self._read_younger()
        found = _with_descendants(filter(self._is_ours, table), table)
        self._known.update(entry.key for entry in found)
        return found

    def ask_everybody(self) -> None:
        """Send SIGTERM to everybody, as the first thing done to end the tree.

        The end of a process hides whose its children were, so they are looked for
        first. If the first process has none, its group is asked at once and ends
        while the rest is looked for. A child that it makes only then is its means to
        end (the ``curl`` of a trap) and is not asked yet.
        """
        if not proctable.has_proc() or proctable.may_have_children(self._leader):
            self.terminate(self.members())
            return
        with contextlib.suppress(OSError):  # it ends at this moment
            os.killpg(self._leader, signal.SIGTERM)
        self._group_asked = True
        members = self.members()
        children = [entry for entry in members if entry.parent == self._leader]
        means = {entry.key for entry in _with_descendants(children, members)}
        asked = [entry for entry in members if entry.key not in means]
        self._asked.update(entry.key for entry in asked if entry.pgid == self._leader)
        self.terminate(asked)

    def terminate(self, members: Sequence[Entry]) -> None:
        """Send SIGTERM to those of *members* that have not had one."""
        fresh = [entry for entry in members if entry.key not in self._asked]
        self._asked.update(entry.key for entry in fresh)
        if not self._group_asked and self._signal_group(fresh, signal.SIGTERM):
            self._group_asked = True
            fresh = [entry for entry in fresh if entry.pgid != self._leader]
        for entry in fresh:
            send(entry, signal.SIGTERM)

    def kill(self, members: Sequence[Entry]) -> None:
        """Send SIGKILL to *members*."""
        self._signal_group(members, signal.SIGKILL)
        for entry in members:
            if entry.pgid != self._leader:
                send(entry, signal.SIGKILL)

    def _read_younger(self) -> list[Entry]:
        """Return what lives and was made with the first process or later."""
        is_trusted = time.monotonic() < self._older_until
        table = read_table(self._older if is_trusted else ())
        younger = [entry for entry in table if float(entry.start) >= self._since]
        if not is_trusted:
            pids = {entry.pid for entry in table}
            self._older = frozenset(pids.difference(entry.pid for entry in younger))
            self._older_until = time.monotonic() + _TRUST_S
        return younger

    def _signal_group(self, members: Sequence[Entry], signum: int) -> bool:
        # The group in one call: what is forked between scan and signal gets it too.
        if all(entry.pgid != self._leader for entry in members):
            return False
        with contextlib.suppress(OSError):
            os.killpg(self._leader, signum)
        return True

    def _is_ours(self, entry: Entry) -> bool:
        return (
            self._leader in {entry.session, entry.pgid, entry.pid}
            or entry.key in self._known
            or mark_of(entry) == self._mark
        )


def _with_descendants(
    entries: Iterable[Entry], table: Sequence[Entry]
) -> Sequence[Entry]:
    """Return *entries* and all of *table* that descends from them, but not us."""
    children: dict[int, list[Entry]] = {}
    for entry in table:
        children.setdefault(entry.parent, []).append(entry)
    found: dict[int, Entry] = {}
    todo = list(entries)
    while todo:
        entry = todo.pop()
        if entry.pid not in found and entry.pid != os.getpid():
            found[entry.pid] = entry
            todo.extend(children.get(entry.pid, ()))
    return tuple(found.values())


def _psutil_table() -> list[Entry]:
    entries = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError), process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            pid, start = process.pid, repr(process.create_time())
            group, session = os.getpgid(pid), os.getsid(pid)
            entries.append(Entry(pid, process.ppid(), group, session, start))
    return entries
