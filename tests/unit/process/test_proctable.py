"""Reading ``/proc``."""

import os
import signal
import subprocess
import sys

import pytest

from swapper.process import proctable
from swapper.process.proctable import (
    may_have_children,
    read_entry,
    read_mark,
    read_table,
)


def test_we_are_in_the_table() -> None:
    me = read_entry(os.getpid())

    assert me is not None
    assert (me.pid, me.parent) == (os.getpid(), os.getppid())
    assert (me.pgid, me.session) == (os.getpgrp(), os.getsid(0))
    assert me.key in {entry.key for entry in read_table()}
    assert me.pid not in {entry.pid for entry in read_table({me.pid})}


def test_nobody_is_not() -> None:
    assert read_entry(os.getpid() + 1_000_000_000) is None
    assert read_mark(os.getpid() + 1_000_000_000) == ""


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("pass", False),
        ("if not os.fork(): signal.pause()", True),
        ("run(lambda: None)", False),
        ("run(lambda: os.fork() and say())\nsignal.pause()", True),
    ],
    ids=["alone", "child", "threads alone", "child of a thread"],
)
def test_the_children_of_all_threads_count(code: str, expected: bool) -> None:
    text = (
        "import os, signal, threading\n"
        "def say(): os.write(1, b'.')\n"
        "def wait(then): then(); signal.sigwait({10})\n"
        "def run(then): threading.Thread(target=wait, args=(then,)).start()\n"
        f"{code}\n"
        "say(); signal.pause()"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", text],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.read(1)
        found = may_have_children(parent.pid)
        os.killpg(parent.pid, signal.SIGKILL)

    assert found == expected


def test_what_cannot_be_looked_at_may_have_children() -> None:
    assert may_have_children(os.getpid() + 1_000_000_000)


def test_a_program_with_a_wild_name_is_read_right() -> None:
    rename = "open('/proc/self/comm', 'w').write('a) R (b c')"
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", f"{rename}; print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        entry = read_entry(child.pid)

        assert entry is not None
        assert entry.parent == os.getpid()


def test_a_mark_is_found_wherever_it_stands_in_the_environment() -> None:
    name = proctable.MARK_NAME
    for environ in ({name: "m"}, {"A": f"x {name}=no", name: "m", "B": "2"}):
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=environ) as child:
            while read_mark(child.pid) != "m":
                assert child.poll() is None  # until it has executed its program


def test_the_guards_program_needs_the_standard_library_alone() -> None:
    code = f"import runpy; runpy.run_path({proctable.__file__!r})"

    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
