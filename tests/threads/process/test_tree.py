"""Finding and signalling what came out of a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from swapper.process import proctable, tree
from swapper.process.proctable import (
    MARK_NAME,
    Entry,
    may_have_children,
    read_entry,
)
from swapper.process.tree import Tree, command_of, send
from tests.fakes.waiting import wait_until


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(
        ["sleep", "600"], env={MARK_NAME: "mark"}, start_new_session=True
    ) as popen:
        wait_until(lambda: command_of(popen.pid) == "sleep 600")
        yield popen
        popen.kill()


def test_both_tables_agree(sleeper: "subprocess.Popen[bytes]") -> None:
    """The portable table stands in where there is no /proc."""
    for entries in (proctable.read_table(), tree._psutil_table()):
        found = {entry.pid: entry for entry in entries}
        entry = found[sleeper.pid]
        assert (entry.parent, entry.pgid, entry.session) == (
            os.getpid(),
            sleeper.pid,
            sleeper.pid,
        )
        assert os.getpid() in found


def test_without_proc_trees_are_found_and_ended_too(
    sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proctable, "has_proc", lambda: False)
    family = Tree(sleeper.pid, "mark")

    members = family.members()
    assert [entry.pid for entry in members] == [sleeper.pid]
    assert tree.mark_of(members[0]) == "mark"
    send(members[0], signal.SIGTERM)

    assert sleeper.wait(5) == -signal.SIGTERM


def test_the_mark_alone_makes_a_member(sleeper: "subprocess.Popen[bytes]") -> None:
    leader = os.getpid() + 1_000_000_000  # nobody

    assert [entry.pid for entry in Tree(leader, "mark").members()] == [sleeper.pid]
    assert Tree(leader, "another mark").members() == ()


def test_a_zombie_is_no_member(sleeper: "subprocess.Popen[bytes]") -> None:
    family = Tree(sleeper.pid, "mark")
    sleeper.kill()

    wait_until(lambda: not family.members())

    assert read_entry(sleeper.pid) is None


def test_a_later_process_of_the_same_pid_is_not_signalled(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    entry = read_entry(sleeper.pid)
    assert entry is not None

    send(Entry(entry.pid, entry.parent, entry.pgid, entry.session, "1"), signal.SIGKILL)

    assert sleeper.poll() is None
    assert read_entry(sleeper.pid) is not None


def test_each_member_gets_one_sigterm() -> None:
    text = (
        "import os, signal, sys, time\n"
        "signal.signal(15, lambda *_: os.write(1, b'T'))\n"
        "if os.fork() == 0: os.setsid()\n"
        "os.write(1, b'.')\n"
        "signal.pause(); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", text],
        stdout=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    ) as popen:
        assert popen.stdout is not None
        family = Tree(popen.pid, "-")
        said = b""
        while said.count(b".") < 2:
            said += popen.stdout.read(1)

        for _ in range(3):
            family.terminate(family.members())
        said = popen.stdout.read(1) + popen.stdout.read(1)
        family.kill(family.members())

        assert said + popen.stdout.read() == b"TT"


@contextmanager
def _talker(*lines: str) -> Iterator[tuple["subprocess.Popen[bytes]", IO[bytes]]]:
    """A process that carries the mark and writes T at each SIGTERM."""
    text = (
        "import os, signal, time\n"
        "def say(what): os.write(1, what)\n"
        "signal.signal(15, lambda *_: say(b'T'))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", "\n".join((text, *lines))],
        env={MARK_NAME: "mark"},
        stdout=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    ) as popen:
        assert popen.stdout is not None
        yield popen, popen.stdout


def _read_until(output: IO[bytes], ending: bytes, count: int = 1) -> bytes:
    said = b""
    while said.count(ending) < count:
        piece = output.read(1)
        assert piece, said
        said += piece
    return said


@pytest.mark.parametrize("has_proc", [True, False])
def test_orphans_and_daemons_are_asked_once_though_the_group_comes_first(
    monkeypatch: pytest.MonkeyPatch, has_proc: bool
) -> None:
    monkeypatch.setattr(proctable, "has_proc", lambda: has_proc)
    with _talker(
        "def orphan(leave):",
        "    if not (middle := os.fork()):",
        "        leave()",
        "        if os.fork(): os._exit(0)",
        "        say(b'.')",
        "        time.sleep(600)",
        "    os.waitpid(middle, 0)",
        "orphan(lambda: None)",
        "orphan(os.setsid)",
        "say(b'.')",
        "time.sleep(600)",
    ) as (popen, output):
        family = Tree(popen.pid, "mark")
        _read_until(output, b".", 3)
        assert not may_have_children(popen.pid)

        family.ask_everybody()
        said = _read_until(output, b"T", 3)
        for _ in range(2):
            family.terminate(family.members())
        family.kill(family.members())

        assert said + output.read() == b"TTT"


@pytest.mark.parametrize("leave", ["None", "os.setsid()"], ids=["stays", "leaves"])
def test_a_process_forked_on_being_asked_is_not_asked_at_once(
    monkeypatch: pytest.MonkeyPatch, leave: str
) -> None:
    with _talker(
        "def on_term(*_):",
        "    if os.fork(): return",
        f"    {leave}",
        "    signal.pthread_sigmask(signal.SIG_BLOCK, {15})",
        "    say(b'%d.' % os.getpid())",
        "    time.sleep(600)",
        "signal.signal(15, on_term)",
        "say(b'.')",
        "while True: time.sleep(600)",
    ) as (popen, output):
        family = Tree(popen.pid, "mark")
        _read_until(output, b".")
        read_table = tree.read_table
        born: list[int] = []

        def read_late(without: Collection[int] = ()) -> list[Entry]:
            if not born:
                born.append(int(_read_until(output, b".")[:-1]))
            return read_table(without)

        monkeypatch.setattr(tree, "read_table", read_late)
        family.ask_everybody()
        was_asked = _is_pending(born[0], signal.SIGTERM)
        family.terminate(family.members())
        is_asked = _is_pending(born[0], signal.SIGTERM)
        family.kill(family.members())

        assert (was_asked, is_asked) == (False, True)


def test_a_child_that_hid_is_found_before_its_parent_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It left session and environment; once orphaned, nothing tells whose it is."""
    killpg = os.killpg

    def killpg_to_the_end(pgid: int, signum: int) -> None:
        killpg(pgid, signum)
        wait_until(lambda: read_entry(pgid) is None)

    with _talker(
        "signal.signal(15, signal.SIG_DFL)",
        "if not os.fork():",
        "    os.setsid()",
        "    os.execve('/bin/sh', ['sh', '-c', 'echo $$.; exec sleep 600'], {})",
        "time.sleep(600)",
    ) as (popen, output):
        family = Tree(popen.pid, "mark")
        child = int(_read_until(output, b".")[:-1])
        wait_until(lambda: command_of(child) == "sleep 600")

        monkeypatch.setattr(os, "killpg", killpg_to_the_end)
        family.ask_everybody()

        wait_until(lambda: read_entry(child) is None)


def _is_pending(pid: int, signum: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    mask = status.partition("ShdPnd:")[2].split()[0]
    return bool(int(mask, 16) >> (signum - 1) & 1)


def test_what_is_older_is_left_out_for_a_while(
    sleeper: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every process's pid is read again before it can have become another's."""
    now = 1000.0
    left_out = []
    read_table = tree.read_table

    def read_noted(without: Collection[int] = ()) -> list[Entry]:
        left_out.append(os.getppid() in without)
        assert sleeper.pid not in without
        return read_table(without)

    family = Tree(sleeper.pid, "mark")
    monkeypatch.setattr(tree, "read_table", read_noted)
    monkeypatch.setattr("swapper.process.tree.time.monotonic", lambda: now)
    found = []
    for later_s in (0.0, 0.09, 0.11, 0.0):
        now += later_s
        found.append([entry.pid for entry in family.members()])

    assert found == [[sleeper.pid]] * 4
    assert left_out == [False, True, False, True]


def test_the_command_of_nobody_is_unknown() -> None:
    assert command_of(os.getpid() + 1_000_000_000) == "unknown command"
