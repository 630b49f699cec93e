"""The limit of open files, in programs of their own."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, subprocess, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from swapper.process.limits import raise_open_files, restore_open_files
print(raise_open_files() == resource.getrlimit(resource.RLIMIT_NOFILE)[1])
child = subprocess.Popen(["sleep", "20"])
print(resource.prlimit(child.pid, resource.RLIMIT_NOFILE)[0] > 100)
restore_open_files(child.pid)
print(resource.prlimit(child.pid, resource.RLIMIT_NOFILE)[0])
child.kill()
child.wait()
restore_open_files(child.pid)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_our_limit_is_raised_and_a_childs_is_what_it_was() -> None:
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout

    assert told.split() == ["True", "True", "100"]
