"""The supervisor over real processes: start, readiness, exit, and what is told."""

import logging
import os
import random
import signal
import threading
from pathlib import Path

import pytest

from swapper.core.errors import (
    ExitedError,
    StartAbortedError,
)
from swapper.core.ids import RunId
from swapper.core.states import ProcessState
from swapper.process import Exited, Started, Stopped
from tests.fakes.waiting import wait_until
from tests.threads.process.bench import (
    Bench,
    is_alive,
    pid_in,
    python,
)


def test_a_model_that_answers_is_ready_and_stops_when_told(bench: Bench) -> None:
    model = bench.model()
    pid = model.run_until_ready(1)
    assert model.state() is ProcessState.READY
    assert model.supervisor.snapshot.run == 1
    assert is_alive(pid)

    model.stop(1)
    model.stopped(1)

    assert not is_alive(pid)
    assert model.told.of(1) == [Started, Stopped]
    assert model.state() is ProcessState.STOPPED
    assert model.supervisor.snapshot.pid is None


def test_the_thread_starts_with_the_first_message(bench: Bench) -> None:
    model = bench.model()
    name = f"process:{model.config.id}"
    assert name not in {thread.name for thread in threading.enumerate()}

    model.run_until_ready(1)

    assert name in {thread.name for thread in threading.enumerate()}


def test_an_exit_while_starting_tells_code_and_last_words(bench: Bench) -> None:
    model = bench.model("--say", "no such \x1b[31mfile\x1b[0m: a.gguf", "--exit", 3)

    model.ensure_ready(1)
    error = model.started(1).error
    model.stopped(1)

    assert isinstance(error, ExitedError)
    assert error.returncode == 3
    assert error.log_tail == ("no such file: a.gguf",)
    assert "exited prematurely" in str(error)
    assert model.told.of(1) == [Started, Stopped]


def test_all_output_before_an_exit_is_in_the_error(bench: Bench) -> None:
    text = "import sys; print('x' * 200000); print('the reason'); sys.exit(1)"
    model = bench.command(python("-c", text))

    model.ensure_ready(1)
    error = model.started(1).error

    assert isinstance(error, ExitedError)
    assert error.log_tail[-1] == "the reason"


def test_a_process_killed_while_starting_tells_the_signal(bench: Bench) -> None:
    model = bench.model("--kill-self")

    model.ensure_ready(1)
    error = model.started(1).error

    assert isinstance(error, ExitedError)
    assert error.returncode == -signal.SIGKILL
    assert "killed by signal 9" in str(error)


def test_a_ready_process_that_ends_is_told_and_can_start_again(bench: Bench) -> None:
    model = bench.model("--exit-on-request", 7)
    model.run_until_ready(1)
    model.tell_to_exit()

    exited = model.told.wait_for(Exited, 1)
    model.stopped(1)

    assert exited.error.returncode == 7
    assert exited.error.log_tail[-1] == "giving up"
    assert model.told.of(1) == [Started, Exited, Stopped]
    model.run_until_ready(2)
    model.tell_to_exit()
    model.stopped(2)
    assert model.told.of(2) == [Started, Exited, Stopped]


def test_a_stop_while_starting_aborts_at_once(bench: Bench) -> None:
    model = bench.model("--listen-after", 60)
    model.ensure_ready(1)
    wait_until(lambda: model.supervisor.snapshot.pid)
    pid = model.supervisor.snapshot.pid
    assert pid is not None

    model.stop(1)
    model.stopped(1)

    assert isinstance(model.started(1).error, StartAbortedError)
    assert model.told.of(1) == [Started, Stopped]
    assert not is_alive(pid)


def test_a_stop_while_a_health_check_hangs_aborts_at_once(bench: Bench) -> None:
    model = bench.model("--hang-always")
    model.ensure_ready(1)
    wait_until(lambda: _threads(":start"))

    model.stop(1)
    model.stopped(1)

    wait_until(lambda: not _threads(":start"), 3.0)


def test_a_stop_right_behind_the_start_leaves_nothing(bench: Bench) -> None:
    model = bench.model()
    for run in range(20):
        model.ensure_ready(run)
        model.stop(run)
    for run in range(20):
        model.stopped(run)
        assert model.told.of(run) == [Started, Stopped]


def test_a_start_while_stopping_waits_for_the_stop(bench: Bench) -> None:
    model = bench.model("--ignore-term")
    first = model.run_until_ready(1)

    model.stop(1, grace_s=0.3)
    model.ensure_ready(2)
    second_started = model.started(2)

    assert second_started.error is None
    assert not is_alive(first)
    stopped, started = Stopped(model.config.id, RunId(1)), second_started
    assert model.told.facts.index(stopped) < model.told.facts.index(started)


def test_a_start_that_waits_for_a_stop_can_be_called_off(bench: Bench) -> None:
    model = bench.model("--ignore-term")
    model.run_until_ready(1)

    model.stop(1, grace_s=0.3)
    model.ensure_ready(2)
    model.stop(2)
    model.stopped(2)
    model.stopped(1)

    assert isinstance(model.started(2).error, StartAbortedError)
    assert model.told.of(2) == [Started, Stopped]


def test_a_second_run_while_one_is_ready_is_refused(bench: Bench) -> None:
    model = bench.model()
    pid = model.run_until_ready(1)

    model.ensure_ready(2)
    model.ensure_ready(1)  # the same again: nothing to do
    model.stopped(2)

    assert isinstance(model.started(2).error, StartAbortedError)
    assert model.told.of(1) == [Started]
    assert is_alive(pid)


def test_a_stop_of_another_run_is_ignored(bench: Bench) -> None:
    model = bench.model()
    model.run_until_ready(2)

    model.stop(1)
    model.ensure_ready(3)  # answered after the stop was read
    model.stopped(3)

    assert model.state() is ProcessState.READY
    assert model.told.of(1) == []


def test_shutdown_stops_the_process_and_ends_the_thread(bench: Bench) -> None:
    model = bench.model()
    pid = model.run_until_ready(1)

    model.supervisor.shutdown(5.0)

    assert model.supervisor.join(10.0)
    assert not is_alive(pid)
    assert model.told.of(1) == [Started, Stopped]
    assert model.state() is ProcessState.SHUTDOWN


def test_shutdown_answers_everything(bench: Bench) -> None:
    model = bench.model("--ignore-term")
    model.run_until_ready(1)
    model.stop(1, grace_s=60.0)
    model.ensure_ready(2)

    model.supervisor.shutdown(0.1)
    model.ensure_ready(3)
    assert model.supervisor.join(10.0)
    model.ensure_ready(4)

    assert model.told.of(1) == [Started, Stopped]
    for run in (2, 3, 4):
        assert isinstance(model.started(run).error, StartAbortedError)
        assert model.told.of(run) == [Started, Stopped]


def test_shutdown_while_starting_aborts_the_start(bench: Bench) -> None:
    model = bench.model("--listen-after", 60)
    model.ensure_ready(1)

    model.supervisor.shutdown(5.0)

    assert model.supervisor.join(10.0)
    assert isinstance(model.started(1).error, StartAbortedError)
    assert model.told.of(1) == [Started, Stopped]


def test_a_grandchild_that_holds_the_output_does_not_delay_the_news(
    bench: Bench, tmp_path: Path
) -> None:
    model = bench.model("--child", tmp_path / "pid", "--exit-on-request", 1)

    model.run_until_ready(1)
    model.tell_to_exit()
    model.told.wait_for(Exited, 1)
    model.stopped(1)

    assert not is_alive(pid_in(tmp_path / "pid"))


def test_an_ended_listener_is_no_fault_of_the_supervisor(bench: Bench) -> None:
    from swapper.process import ProcessSupervisor
    from swapper.sync import Inbox

    ended: Inbox[object] = Inbox()
    ended.close()
    model = bench.model()
    supervisor = ProcessSupervisor(
        model.config.id, notify=ended.put, monitor=model.monitor, host=bench.host
    )

    supervisor.ensure_ready(RunId(1), model.config)
    supervisor.shutdown(0.0)

    assert supervisor.join(10.0)


@pytest.mark.parametrize("seed", range(3))
def test_random_orders_over_crashing_models_keep_the_guarantee(
    bench: Bench, seed: int
) -> None:
    """Each run gets one Started and one Stopped, in this order, whatever happens."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, nothing secret
    models = [
        bench.model("--exit-after-ready", 1),
        bench.model("--exit", 2),
        bench.model("--ignore-term"),
        bench.model("--ready-after", 0.05),
    ]
    for run in range(1, 25):
        model = rng.choice(models)
        model.ensure_ready(run)
        if rng.random() < 0.5:
            model.told.wait_for(Started, run)
        if rng.random() < 0.7:
            model.stop(run - rng.choice([0, 0, 1]), rng.choice([0.0, 0.05]))
    for model in models:
        model.supervisor.shutdown(0.05)
    for model in models:
        assert model.supervisor.join(15.0)

    for model in models:
        runs = {fact.run for fact in model.told.facts}
        for run_id in runs:
            told = model.told.of(run_id)
            assert told in ([Started, Stopped], [Started, Exited, Stopped])
    assert sum(len({f.run for f in m.told.facts}) for m in models) == 24


def _threads(suffix: str) -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.endswith(suffix)]


def test_the_listener_knows_before_the_log_says_so(bench: Bench) -> None:
    """Whoever acts on a log line must not find the router in the past."""
    model = bench.model()
    told_at_line: list[tuple[str, list[type]]] = []

    class Noting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told_at_line.append((record.getMessage(), model.told.of(1)))

    logger = logging.getLogger("swapper.process.supervisor")
    noting, level = Noting(), logger.level
    logger.addHandler(noting)
    logger.setLevel(logging.INFO)
    try:
        os.kill(model.run_until_ready(1), signal.SIGKILL)
        model.stopped(1)
        model.supervisor.shutdown(0.0)
        model.supervisor.join(10.0)
    finally:
        logger.removeHandler(noting)
        logger.setLevel(level)

    told = {line.partition(" model=")[0]: facts for line, facts in told_at_line}
    assert told["model ready"] == [Started]
    assert told["process ended"] == [Started, Exited]
    assert told["model stopped"] == [Started, Exited, Stopped]
