"""swapper is killed; nothing of it may stay."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swapper.process.guard import Guard
from swapper.process.proctable import MARK_NAME
from tests.fakes.waiting import wait_until
from tests.threads.process.bench import (
    FAKE_MODEL,
    Bench,
    is_alive,
    pid_in,
    python,
)

PROGRAM = Path(__file__).with_name("swapper_program.py")
SWAPPER_IS_GONE_S = 3.0


class Victim:
    """A swapper in a process of its own."""

    def __init__(self, *commands: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, PROGRAM, "victim", *commands],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.popen.stdout is not None
        told: dict[str, Any] = json.loads(self.popen.stdout.readline())
        self.models: list[int] = told["models"]
        self.guard: int = told["guard"]

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def close(self) -> None:
        self.kill()
        for stream in (self.popen.stdin, self.popen.stdout):
            assert stream is not None
            stream.close()
        wait_until(lambda: not is_alive(self.guard))


@pytest.fixture
def victims() -> Iterator[list[Victim]]:
    victims: list[Victim] = []
    yield victims
    for victim in victims:
        victim.close()


def test_models_and_their_daemons_end_when_swapper_is_killed(
    victims: list[Victim], tmp_path: Path
) -> None:
    victim = Victim(
        python(FAKE_MODEL, "--daemon", tmp_path / "daemon"),
        python(FAKE_MODEL, "--child", tmp_path / "child", "--ignore-term"),
    )
    victims.append(victim)
    left = [*victim.models, pid_in(tmp_path / "daemon"), pid_in(tmp_path / "child")]
    assert all(map(is_alive, left))

    victim.kill()

    wait_until(lambda: not any(map(is_alive, left)), SWAPPER_IS_GONE_S)
    wait_until(lambda: not is_alive(victim.guard))


def test_models_that_forgot_their_environment_end_too(victims: list[Victim]) -> None:
    victim = Victim("env -i sleep 600")
    victims.append(victim)

    victim.kill()

    wait_until(lambda: not is_alive(victim.models[0]), SWAPPER_IS_GONE_S)


def test_the_guard_survives_what_ends_a_terminal(victims: list[Victim]) -> None:
    victim = Victim("sleep 600")
    victims.append(victim)
    assert os.getsid(victim.guard) == victim.guard
    wait_until(lambda: _ignores(victim.guard, signal.SIGTERM))

    for signum in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGQUIT):
        os.kill(victim.guard, signum)
    assert is_alive(victim.guard)
    victim.kill()

    wait_until(lambda: not is_alive(victim.models[0]), SWAPPER_IS_GONE_S)


def test_the_guard_leaves_others_alone(victims: list[Victim]) -> None:
    victim, other = Victim("sleep 600"), Victim("sleep 600")
    victims.extend((victim, other))

    victim.kill()
    wait_until(lambda: not is_alive(victim.guard))

    assert is_alive(other.models[0])


def test_the_guard_ends_with_swapper(victims: list[Victim]) -> None:
    victim = Victim("sleep 600")
    victims.append(victim)
    assert victim.popen.stdin is not None
    victim.popen.stdin.write(b"end\n")
    victim.popen.stdin.close()

    assert victim.popen.wait(10) == 0

    assert not is_alive(victim.guard)
    assert not is_alive(victim.models[0])


def test_the_guard_holds_nothing_but_its_pipe(bench: Bench) -> None:
    bench.model().run_until_ready(1)
    guard = bench.host.guard_pid

    wait_until(lambda: _links(guard) in (["/dev/null", "/dev/null", "pipe"], []))

    assert _links(guard) == ["/dev/null", "/dev/null", "pipe"]


def test_a_killed_guard_is_replaced_and_told_everything(bench: Bench) -> None:
    bench.model().run_until_ready(1)
    first = bench.host.guard_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not is_alive(first))

    bench.model().run_until_ready(1)

    second = bench.host.guard_pid
    assert second is not None
    assert second != first
    assert is_alive(second)


def test_a_group_that_is_still_registered_at_the_end_is_stopped() -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as left:
        guard = Guard("nobody:1:1:")
        guard.add(left.pid)

        guard.close()

        assert left.wait(5) == -signal.SIGTERM


def test_a_group_that_was_removed_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as left:
        guard = Guard("nobody:1:1:")
        guard.add(left.pid)
        guard.remove(left.pid)

        guard.close()

        assert left.poll() is None
        left.kill()


def test_a_guard_of_an_inner_swapper_does_not_look_like_a_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(MARK_NAME, "outer:1:1:m:1")
    guard = Guard("inner:1:1:")
    guard.add(os.getpid() + 1_000_000_000)  # nobody
    pid = guard.pid
    assert pid is not None

    environ = Path(f"/proc/{pid}/environ").read_bytes()

    assert MARK_NAME.encode() not in environ
    guard.close()


def _links(pid: int | None) -> list[str]:
    folder = Path(f"/proc/{pid}/fd")
    return sorted(str(fd.readlink()).partition(":")[0] for fd in folder.iterdir())


def _ignores(pid: int, signum: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    mask = int(status.partition("SigIgn:")[2].split()[0], 16)
    return bool(mask & 1 << (signum - 1))
