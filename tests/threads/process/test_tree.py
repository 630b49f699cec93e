"""Finding and signalling what came out of a process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from swapper.process import proctable, tree
from swapper.process.proctable import MARK_NAME, Entry, read_entry
from swapper.process.tree import Tree, command_of, send
from tests.threads.process.bench import wait_until


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


def test_the_command_of_nobody_is_unknown() -> None:
    assert command_of(os.getpid() + 1_000_000_000) == "unknown command"
