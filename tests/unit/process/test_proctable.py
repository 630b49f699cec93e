"""Reading ``/proc``."""

import os
import subprocess
import sys

from swapper.process import proctable
from swapper.process.proctable import read_entry, read_mark, read_table


def test_we_are_in_the_table() -> None:
    me = read_entry(os.getpid())

    assert me is not None
    assert (me.pid, me.parent) == (os.getpid(), os.getppid())
    assert (me.pgid, me.session) == (os.getpgrp(), os.getsid(0))
    assert me.key in {entry.key for entry in read_table()}


def test_nobody_is_not() -> None:
    assert read_entry(os.getpid() + 1_000_000_000) is None
    assert read_mark(os.getpid() + 1_000_000_000) == ""


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
