"""Stopping a process with everything that came out of it."""

import socket
import time
from pathlib import Path

import pytest

from swapper.process import Stopped
from tests.fakes.waiting import wait_until
from tests.threads.process.bench import (
    FAKE_MODEL,
    Bench,
    Subject,
    is_alive,
    own_threads,
    pid_in,
    python,
)


def test_the_process_gets_exactly_one_sigterm(bench: Bench, tmp_path: Path) -> None:
    counted = tmp_path / "terms"
    model = bench.model("--count-term", counted)
    model.run_until_ready(1)

    model.stop(1, grace_s=0.5)
    model.stopped(1)

    assert counted.read_text(encoding="ascii") == "T"


def test_what_ignores_sigterm_is_killed_after_the_grace(bench: Bench) -> None:
    model = bench.model("--ignore-term")
    pid = model.run_until_ready(1)

    asked_at = time.monotonic()
    model.stop(1, grace_s=0.3)
    model.stopped(1)

    assert time.monotonic() - asked_at >= 0.3
    assert not is_alive(pid)


def test_a_second_stop_shortens_the_grace(bench: Bench) -> None:
    model = bench.model("--ignore-term")
    pid = model.run_until_ready(1)

    model.stop(1, grace_s=600.0)
    model.stop(1, grace_s=0.0)
    model.stopped(1)

    assert not is_alive(pid)
    assert model.told.of(1).count(Stopped) == 1


def test_a_second_stop_cannot_lengthen_the_grace(bench: Bench) -> None:
    model = bench.model("--ignore-term")
    model.run_until_ready(1)

    model.stop(1, grace_s=0.1)
    model.stop(1, grace_s=600.0)

    model.stopped(1)


def test_children_and_daemons_go_with_the_process(bench: Bench, tmp_path: Path) -> None:
    """Both ignore SIGTERM; the daemon has another session and no parent of ours."""
    model = bench.model("--child", tmp_path / "child", "--daemon", tmp_path / "daemon")
    model.run_until_ready(1)
    child, daemon = pid_in(tmp_path / "child"), pid_in(tmp_path / "daemon")
    assert is_alive(child)
    assert is_alive(daemon)

    model.stop(1)
    model.stopped(1)

    assert not is_alive(child)
    assert not is_alive(daemon)


def test_what_a_dead_process_left_is_stopped(bench: Bench, tmp_path: Path) -> None:
    model = bench.model("--daemon", tmp_path / "daemon", "--exit", 1)

    model.ensure_ready(1)
    model.stopped(1)

    assert not is_alive(pid_in(tmp_path / "daemon"))


def test_a_daemon_that_forgot_its_environment_is_found_by_descent(
    bench: Bench, tmp_path: Path
) -> None:
    text = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        f"    open({str(tmp_path / 'x')!r}, 'w').write(str(os.getpid()))\n"
        f"    os.rename({str(tmp_path / 'x')!r}, {str(tmp_path / 'pid')!r})\n"
        "    os.execve('/bin/sleep', ['sleep', '60'], {})\n"
        "time.sleep(60)\n"
    )
    model = bench.command(python("-c", text), check_endpoint="none")
    model.run_until_ready(1)
    pid = pid_in(tmp_path / "pid")

    model.stop(1)
    model.stopped(1)

    assert not is_alive(pid)


@pytest.mark.parametrize("leave", ["None", "os.setsid()"], ids=["stays", "leaves"])
def test_what_is_forked_during_the_stop_goes_too(
    bench: Bench, tmp_path: Path, leave: str
) -> None:
    """The process leaves a child at SIGTERM; it had none until then."""
    text = (
        "import os, signal, time\n"
        "def on_term(*_):\n"
        "    if pid := os.fork():\n"
        f"        open({str(tmp_path / 'pid')!r}, 'w').write(str(pid))\n"
        "        os._exit(0)\n"
        f"    {leave}\n"
        "    signal.signal(15, signal.SIG_IGN)\n"
        "    time.sleep(60)\n"
        "signal.signal(15, on_term)\n"
        "print('there', flush=True)\n"
        "time.sleep(60)\n"
    )
    model = bench.command(python("-c", text), check_endpoint="none")
    model.run_until_ready(1)
    wait_until(lambda: "there" in model.text())

    model.stop(1)
    model.stopped(1)

    assert not is_alive(pid_in(tmp_path / "pid"))


def test_a_daemon_gets_its_sigterm_though_the_process_ends_at_once(
    bench: Bench, tmp_path: Path
) -> None:
    terms = tmp_path / "terms"
    text = (
        "import os, signal, time\n"
        "def on_term(*_):\n"
        f"    open({str(terms)!r}, 'a').write('T')\n"
        "    os._exit(0)\n"
        "if not (middle := os.fork()):\n"
        "    os.setsid()\n"
        "    signal.signal(15, on_term)\n"
        "    if os.fork(): os._exit(0)\n"
        "    print('there', flush=True)\n"
        "    time.sleep(60)\n"
        "os.waitpid(middle, 0)\n"
        "time.sleep(60)\n"
    )
    model = bench.command(python("-c", text), check_endpoint="none")
    model.run_until_ready(1)
    wait_until(lambda: "there" in model.text())

    model.stop(1)
    model.stopped(1)

    assert terms.read_text(encoding="ascii") == "T"


def test_stopped_means_the_port_is_free(bench: Bench) -> None:
    model = bench.model()
    model.run_until_ready(1)
    port = int(model.config.proxy.rpartition(":")[2])

    model.stop(1)
    model.stopped(1)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1.0)


def test_cmd_stop_runs_instead_of_sigterm(bench: Bench, tmp_path: Path) -> None:
    model = _with_cmd_stop(
        bench,
        "sh -c 'echo stopping $1 for $WHO; kill -INT $1' - ${PID}",
        "--count-term",
        tmp_path / "terms",
        env=("WHO=us",),
    )
    pid = model.run_until_ready(1)

    model.stop(1, grace_s=60.0)
    model.stopped(1)

    assert f"stopping {pid} for us" in model.text()
    assert not (tmp_path / "terms").exists()


def test_a_hanging_cmd_stop_is_killed_with_the_process(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pid_file = tmp_path / "pid"
    model = _with_cmd_stop(bench, f"sh -c 'echo $$ > {pid_file}; sleep 600'")
    pid = model.run_until_ready(1)

    model.stop(1, grace_s=0.5)
    model.stopped(1)

    assert not is_alive(pid)
    assert not is_alive(pid_in(pid_file))
    assert "stop command failed model=m0 it does not end" in caplog.text


def test_a_cmd_stop_that_outlives_the_process_is_ended(
    bench: Bench, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    model = _with_cmd_stop(
        bench, f"sh -c 'echo $$ > {pid_file}; kill -9 $1; sleep 600' - ${{PID}}"
    )
    model.run_until_ready(1)

    model.stop(1, grace_s=60.0)
    model.stopped(1)

    assert not is_alive(pid_in(pid_file))


@pytest.mark.parametrize("before", ["", "kill -9 $1; "])
def test_a_cmd_stop_that_forgot_its_environment_blocks_nothing(
    bench: Bench, tmp_path: Path, before: str
) -> None:
    pid_file = tmp_path / "pid"
    model = _with_cmd_stop(
        bench,
        f"env -i /bin/sh -c '{before}echo $$ > {pid_file}; exec sleep 600' - ${{PID}}",
    )
    model.run_until_ready(1)

    model.stop(1, grace_s=0.5)
    model.stopped(1)

    assert not is_alive(pid_in(pid_file))


@pytest.mark.parametrize(
    ("cmd_stop", "complaint"),
    [
        ("# only a comment", "empty command"),
        ("no-such-program ${PID}", "executable file not found in PATH"),
        ("sh -c 'exit 4'", "returncode=4"),
    ],
)
def test_a_failing_cmd_stop_is_logged_and_sigterm_sent(
    bench: Bench, caplog: pytest.LogCaptureFixture, cmd_stop: str, complaint: str
) -> None:
    model = _with_cmd_stop(bench, cmd_stop)
    pid = model.run_until_ready(1)

    model.stop(1, grace_s=600.0)
    model.stopped(1)

    assert not is_alive(pid)
    assert "stop command failed model=m0" in caplog.text
    assert complaint in caplog.text


def test_somebody_else_on_the_port_delays_the_news_but_does_not_hold_it(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    model = bench.command(python(FAKE_MODEL), check_endpoint="none")
    model.run_until_ready(1)
    port = int(model.config.proxy.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)):
        model.stop(1)
        model.stopped(1)

    assert "address still in use after stop" in caplog.text


def test_no_thread_of_a_stop_is_left(bench: Bench) -> None:
    model = _with_cmd_stop(bench, "kill ${PID}")
    model.run_until_ready(1)
    model.stop(1)
    model.stopped(1)

    wait_until(lambda: sorted(own_threads()) == ["output", "process:m0"])


def _with_cmd_stop(
    bench: Bench, cmd_stop: str, *words: object, env: tuple[str, ...] = ()
) -> Subject:
    return bench.model(*words, cmd_stop=cmd_stop, env=env)
