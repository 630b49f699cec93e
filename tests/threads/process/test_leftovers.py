"""Processes of a swapper that died together with its guard."""

import os
import signal
import subprocess
import sys

import pytest

from swapper.core.ids import ModelId
from swapper.process import stop_leftovers
from swapper.process.mark import Mark, own_mark
from swapper.process.proctable import MARK_NAME, read_mark
from tests.fakes.waiting import wait_until
from tests.threads.process.bench import is_alive

DEAD_OWNER = Mark(
    instance="conf:a/b",
    owner_pid=os.getpid(),
    owner_start="1",  # a process of our pid that is long gone
    model=ModelId("org/model:7b"),
    number=1,
)


def test_a_leftover_is_stopped_and_named(caplog: pytest.LogCaptureFixture) -> None:
    left = _sleeper(DEAD_OWNER)

    assert stop_leftovers("conf:a/b") == 1

    assert left.wait(5) == -signal.SIGTERM
    assert f"pid={left.pid} model=org/model:7b command=sleep 600" in caplog.text


def test_other_configurations_are_left_alone() -> None:
    left = _sleeper(DEAD_OWNER)

    assert stop_leftovers("conf") == 0

    assert is_alive(left.pid)
    left.kill()
    left.wait()


def test_models_of_a_swapper_that_lives_are_left_alone() -> None:
    left = _sleeper(own_mark("conf:a/b", ModelId("m"), 1))

    assert stop_leftovers("conf:a/b") == 0

    assert is_alive(left.pid)
    left.kill()
    left.wait()


def test_a_leftover_that_ignores_sigterm_is_killed() -> None:
    text = (
        "import signal, time; signal.signal(15, signal.SIG_IGN);"
        "print(flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", text],
        env={MARK_NAME: str(DEAD_OWNER)},
        stdout=subprocess.PIPE,
    ) as left:
        assert left.stdout is not None
        left.stdout.readline()

        stop_leftovers("conf:a/b")

        assert left.wait(5) == -signal.SIGKILL


def _sleeper(mark: Mark) -> "subprocess.Popen[bytes]":
    left = subprocess.Popen(["sleep", "600"], env={MARK_NAME: str(mark)})
    # the kernel shows the environment a moment after Popen has seen the new program
    wait_until(lambda: read_mark(left.pid))
    return left
