"""Every process of the machine with what tells whose it is, from Linux's ``/proc``.

Standard library only and nothing that is slow to import, because this file is also
the program of the guard process (``guard.py``), which runs it as a script:

    python -I -S proctable.py MARK_PREFIX

The guard reads ``add PGID`` and ``del PGID`` from its standard input. When that ends
without a ``bye``, swapper is dead: what is left of the named sessions and all that
carries a mark beginning with MARK_PREFIX gets SIGTERM, and a second later SIGKILL.
On systems without ``/proc`` the guard knows the process groups alone.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator

MARK_NAME = "SWAPPER_PROCESS"
"""Environment variable that every process started by swapper carries."""

GUARD_GRACE_S = 1.0
"""Seconds from SIGTERM to SIGKILL when swapper itself was killed."""

_GUARD_LIMIT_S = 2.5
_WATCH_S = 0.3  # a process forked just before swapper's death shows up within this
_POLL_S = 0.05

_STAT_BYTES = 4096
"""More than one line of numbers needs, so that one read gets it all."""


class Entry:
    """One process that is not dead.

    Attributes:
        start: the kernel's start time; tells a process from a later one of its pid.
        session: id of its session, which is the pid of the session's first process.
    """

    __slots__ = ("parent", "pgid", "pid", "session", "start")

    def __init__(
        self, pid: int, parent: int, pgid: int, session: int, start: str
    ) -> None:
        self.pid = pid
        self.parent = parent
        self.pgid = pgid
        self.session = session
        self.start = start

    @property
    def key(self) -> tuple[int, str]:
        """Return what no other process of this machine ever has."""
        return self.pid, self.start


def has_proc() -> bool:
    """Return whether ``/proc`` is there and speaks Linux."""
    return os.path.exists("/proc/self/stat")  # noqa: PTH110 - pathlib would cost the guard 2 MB


def read_entry(pid: int) -> Entry | None:
    """Return one process; None if there is none or it is a zombie."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
        try:
            raw = os.read(fd, _STAT_BYTES)
        finally:
            os.close(fd)
    except OSError:
        return None
    # The second field, the program's name, may hold blanks and parentheses.
    fields = raw[raw.rfind(b")") + 2 :].split(b" ", 20)
    if len(fields) < 20 or fields[0] in {b"Z", b"X"}:
        return None
    parent, pgid, session = (int(field) for field in fields[1:4])
    return Entry(pid, parent, pgid, session, fields[19].decode())


def read_table(without: Collection[int] = ()) -> list[Entry]:
    """Return every living process but those of the pids *without*."""
    pids = {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - often called; names will do
    entries = map(read_entry, pids.difference(without))
    return [entry for entry in entries if entry is not None]


def may_have_children(pid: int) -> bool:
    """Return False only if a process has no child for sure.

    Each thread's children are in a file of its own, where the kernel has that.
    """
    threads = f"/proc/{pid}/task"
    try:
        before = os.listdir(threads)  # noqa: PTH208 - as above
        if any(_read(f"{threads}/{thread}/children") for thread in before):
            return True
        # A thread that ends hands its children to another one, perhaps one already
        # looked at.
        return os.listdir(threads) != before  # noqa: PTH208 - as above
    except OSError:
        return True


def read_mark(pid: int) -> str:
    """Return a process's mark; "" without one, or if it may not be looked into."""
    try:
        environ = b"\0" + _read(f"/proc/{pid}/environ")
    except OSError:
        return ""
    _, found, rest = environ.partition(f"\0{MARK_NAME}=".encode())
    return rest.partition(b"\0")[0].decode("utf-8", "replace") if found else ""


def send(entry: Entry, signum: int) -> None:
    """Signal exactly this process, not a later one of the same pid."""
    now = read_entry(entry.pid)
    if now is None or now.start != entry.start:
        return
    try:
        os.kill(entry.pid, signum)
    except OSError:
        return  # gone meanwhile, or it has changed its user


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        pieces = []
        while piece := os.read(fd, 65536):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(fd)


# --- the guard process ---------------------------------------------------------


def _orders() -> Iterator[list[str]]:
    """Yield swapper's orders, split, until it closes its end of the pipe."""
    buffer = b""
    while data := os.read(0, 65536):
        *lines, buffer = (buffer + data).split(b"\n")
        yield from (line.decode().split() for line in lines if line)


def _follow(groups: dict[int, str]) -> bool:
    """Keep *groups* (id to start of its leader) true; return whether swapper died."""
    for order in _orders():
        match order:
            case ["add", pgid]:
                leader = read_entry(int(pgid)) if has_proc() else None
                groups[int(pgid)] = leader.start if leader else ""
            case ["del", pgid]:
                groups.pop(int(pgid), None)
            case ["bye"]:
                return False
            case _:
                continue
    return True


def _left(groups: dict[int, str], mark_prefix: str) -> list[Entry]:
    """Return the living processes of *groups* and those with our mark."""
    table = [entry for entry in read_table() if entry.pid != os.getpid()]
    reused = {
        entry.pid
        for entry in table
        if groups.get(entry.pid) and groups[entry.pid] != entry.start
    }
    return [
        entry
        for entry in table
        if (entry.session in groups and entry.session not in reused)
        or read_mark(entry.pid).startswith(mark_prefix)
    ]


def end_processes(
    find: Callable[[], Iterable[Entry]], *, grace_s: float, limit_s: float
) -> bool:
    """Send SIGTERM once to each process that *find* ever returns, later SIGKILL.

    Blocks until nothing is found any more; return False if *limit_s* ran out.
    """
    began = time.monotonic()
    asked: set[tuple[int, str]] = set()
    while found := list(find()):
        elapsed = time.monotonic() - began
        if elapsed > limit_s:
            return False
        for entry in found:
            if elapsed >= grace_s:
                send(entry, signal.SIGKILL)
            elif entry.key not in asked:
                asked.add(entry.key)
                send(entry, signal.SIGTERM)
        select.select([], [], [], _POLL_S)
    return True


def _end_groups(groups: Iterable[int]) -> None:
    """End process groups without seeing their members (no ``/proc``)."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        for pgid in groups:
            try:
                os.killpg(pgid, signum)
            except OSError:
                continue  # already gone
        if signum == signal.SIGTERM:
            select.select([], [], [], GUARD_GRACE_S)


def guard(mark_prefix: str) -> None:
    """Wait for swapper's end and clean up after it."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)  # it ends when swapper does
    groups: dict[int, str] = {}
    if not _follow(groups):
        return
    if not has_proc():
        _end_groups(groups)
        return
    watch_until = time.monotonic() + _WATCH_S
    while True:
        end_processes(
            lambda: _left(groups, mark_prefix),
            grace_s=GUARD_GRACE_S,
            limit_s=_GUARD_LIMIT_S,
        )
        if time.monotonic() > watch_until:
            return
        select.select([], [], [], _POLL_S)


if __name__ == "__main__":
    guard(sys.argv[1])
