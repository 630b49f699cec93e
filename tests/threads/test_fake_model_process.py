"""The fake model starts, loads, talks and ends as its options say."""

import os
import select
import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from tests.fakes.model_server import FakeModel, fake_model_command
from tests.fakes.ports import free_port
from tests.fakes.raw_client import DEADLINE_S, connect


def is_dead(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_loading_model_answers_503_until_it_is_ready() -> None:
    with FakeModel("--ready-after", "0.3") as model:
        loading = model.call("/health").status, model.call("/v1/models").status
        ready_s = model.state()["ready_s"]
        while time.monotonic() < ready_s:
            select.select([], [], [], max(0.0, ready_s - time.monotonic()))
        assert loading == (503, 503)
        assert model.call("/health").status == 200


def test_a_port_can_open_late() -> None:
    port = free_port()
    began_s = time.monotonic()
    with FakeModel("--listen-after", "0.3", port=port) as model:
        assert time.monotonic() - began_s >= 0.3
        assert model.port == port
        assert model.call("/health").json()["ready_s"] >= began_s + 0.3


def run(*options: str) -> subprocess.CompletedProcess[str]:
    command = fake_model_command(*options).replace("${PORT}", "0")
    return subprocess.run(
        ["/bin/sh", "-c", command],
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE_S,
        check=False,
    )


def test_a_crash_at_start_says_why() -> None:
    done = run("--exit-after", "0", "--exit-code", "3", "--say", "out of memory")
    assert (done.returncode, done.stderr) == (3, "out of memory\n")
    assert "listens" not in done.stdout


def test_a_crash_later_comes_after_listening() -> None:
    done = run("--exit-after", "0.2", "--exit-code", "4")
    assert done.returncode == 4
    assert "listens on port" in done.stdout


def test_lines_are_written_before_the_port_opens() -> None:
    lines = run("--flood-lines", "2500", "--exit-after", "0").stdout.splitlines()
    assert lines == [f"fake line {n}" for n in range(1, 2501)]


def test_a_flood_is_written_and_measured() -> None:
    with FakeModel("--flood", "2") as model:
        assert model.process.stdout is not None
        length = sum(len(model.process.stdout.readline()) for _ in range(20_000))
        state = model.state(min_flood_bytes=2_000_000)
    assert length == 2_000_000
    assert state["flood_bytes"] == 2_000_000


def test_sigterm_ends_it_with_exit_code_0() -> None:
    with FakeModel() as model:
        model.process.terminate()
        assert model.process.wait(DEADLINE_S) == 0


def test_sigterm_can_take_its_time_and_serves_meanwhile() -> None:
    with FakeModel("--term-delay", "0.3") as model:
        began_s = time.monotonic()
        model.process.terminate()
        assert model.state(min_terms=1)["terms"] == 1
        assert model.process.wait(DEADLINE_S) == 0
        assert time.monotonic() - began_s >= 0.3


def test_sigterm_can_be_ignored() -> None:
    with FakeModel("--ignore-term") as model:
        model.process.terminate()
        assert model.state(min_terms=1)["terms"] == 1
        assert model.process.poll() is None


def test_health_can_be_missing() -> None:
    with FakeModel("--no-health") as model:
        assert model.call("/health").status == 404
        assert model.call("/v1/models").status == 200


def test_a_hanging_model_accepts_and_never_answers() -> None:
    with FakeModel("--hang") as model, connect(model.port) as sock:
        sock.sendall(b"GET /health HTTP/1.1\r\n\r\n")
        assert not select.select([sock], [], [], 0.1)[0]


def test_its_family_is_told_in_the_pid_file(tmp_path: Path) -> None:
    pid_file = tmp_path / "pids"
    options = ("--fork", "2", "--daemon", "--pid-file", str(pid_file))
    with FakeModel(*options) as model:
        pids = tuple(map(int, pid_file.read_text(encoding="utf-8").split()))
        assert pids == model.pids
        assert model.state()["children"] == list(pids[1:])
        own, _, _, daemon = pids
        assert own == model.process.pid
        assert os.getsid(daemon) != os.getsid(own)
        assert {child.pid for child in psutil.Process(own).children()} == set(pids[1:3])
        model.process.kill()
        model.process.wait()
        assert not any(map(is_dead, pids[1:]))
    gone, alive = psutil.wait_procs(
        [psutil.Process(pid) for pid in pids[1:] if not is_dead(pid)], DEADLINE_S
    )
    assert all(is_dead(process.pid) for process in alive), gone


def test_sleeping_children_end_on_sigterm_unless_it_is_ignored() -> None:
    with FakeModel("--fork", "1") as model:
        child = psutil.Process(model.pids[1])
        os.kill(child.pid, signal.SIGTERM)
        child.wait(DEADLINE_S)
    with FakeModel("--fork", "1", "--ignore-term") as model:
        os.kill(model.pids[1], signal.SIGTERM)
        ignored = Path(f"/proc/{model.pids[1]}/status").read_text(encoding="utf-8")
        assert not is_dead(model.pids[1])
    masks = dict(line.split(":\t") for line in ignored.splitlines() if ":\t" in line)
    assert int(masks["SigIgn"], 16) >> (signal.SIGTERM - 1) & 1


def test_a_model_that_ends_before_it_listens_fails_the_helper() -> None:
    with (
        pytest.raises(ChildProcessError, match="ended: 9"),
        FakeModel("--exit-after", "0", "--exit-code", "9"),
    ):
        pytest.fail("it never listened")


def test_the_command_for_a_config_keeps_its_options_apart() -> None:
    command = fake_model_command("--say", "two words", "--name", "x")
    assert command.endswith("--port ${PORT} --say 'two words' --name x")


def test_free_ports_can_be_bound() -> None:
    with closing(socket.create_server(("127.0.0.1", free_port()))) as sock:
        assert sock.getsockname()[1] > 0
