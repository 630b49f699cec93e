"""What a start checks, and what it says when it fails."""

import os
import socket
import threading

import pytest

from swapper.core.errors import HealthCheckTimeoutError, PortInUseError, SpawnError
from tests.fakes.ports import free_port
from tests.fakes.waiting import wait_until
from tests.threads.process.bench import FAKE_MODEL, Bench, python


def test_503_while_loading_is_not_ready(bench: Bench) -> None:
    model = bench.model("--ready-after", 0.3)

    model.run_until_ready(1)

    wait_until(lambda: "200 OK\n" in model.text())  # an answer may outrun its line
    assert model.text().splitlines()[0].endswith("503 Loading")


def test_a_model_that_listens_late_becomes_ready(bench: Bench) -> None:
    bench.model("--listen-after", 0.3).run_until_ready(1)


def test_a_first_request_that_hangs_does_not_hang_the_start(bench: Bench) -> None:
    bench.model("--hang-first").run_until_ready(1)


def test_without_a_health_check_a_running_process_is_ready(bench: Bench) -> None:
    model = bench.command(python(FAKE_MODEL), check_endpoint=" none ")

    model.run_until_ready(1)


def test_the_health_check_asks_below_the_path_of_the_proxy(bench: Bench) -> None:
    port = free_port()
    model = bench.command(
        python(FAKE_MODEL, "--port", port),
        proxy=f"http://localhost:{port}/base/",
        check_endpoint="http://elsewhere/v1/ok?deep=1",
    )

    model.run_until_ready(1)

    wait_until(lambda: "GET /base/v1/ok?deep=1 HTTP/1.1 200 OK" in model.text())


def test_a_model_that_never_answers_times_out(bench: Bench) -> None:
    model = bench.model(
        "--hang-always", "--say", "still at it", health_check_timeout_s=1
    )

    model.ensure_ready(1)
    error = model.started(1).error
    model.stopped(1)

    assert isinstance(error, HealthCheckTimeoutError)
    assert error.cause == "health check timed out after 1s"
    assert error.log_tail == ("still at it",)
    assert 1.0 <= error.duration_s < 5.0


def test_a_command_that_does_not_exist_fails_to_start(bench: Bench) -> None:
    model = bench.command("no-such-program --port 1")

    model.ensure_ready(1)
    error = model.started(1).error
    model.stopped(1)

    assert isinstance(error, SpawnError)
    assert error.cause == (
        "failed to start command 'no-such-program --port 1': "
        "executable file not found in PATH"
    )


@pytest.mark.parametrize(
    ("cmd", "reason"),
    [
        ("", "empty command"),
        ("/", "Permission denied"),
        ("/no/such/file", "No such file or directory"),
    ],
)
def test_a_command_that_cannot_run_says_why(
    bench: Bench, cmd: str, reason: str
) -> None:
    model = bench.command(cmd)

    model.ensure_ready(1)
    error = model.started(1).error

    assert isinstance(error, SpawnError)
    assert error.cause == f"failed to start command '{cmd}': {reason}"


@pytest.mark.parametrize("proxy", ["", "not a url", "localhost:80", "http://[::1"])
def test_a_model_without_an_address_fails_to_start(bench: Bench, proxy: str) -> None:
    model = bench.command(python(FAKE_MODEL), proxy=proxy, check_endpoint="none")

    model.ensure_ready(1)

    assert isinstance(model.started(1).error, SpawnError)
    model.stopped(1)


def test_an_address_in_use_names_who_listens_there(bench: Bench) -> None:
    """Whatever answers there would be taken for the model."""
    first = bench.model()
    pid = first.run_until_ready(1)
    second = bench.command(python(FAKE_MODEL), proxy=first.config.proxy)

    second.ensure_ready(1)
    error = second.started(1).error
    second.stopped(1)

    assert isinstance(error, PortInUseError)
    assert f"is already in use by pid {pid} (python" in error.cause
    assert second.text() == ""  # never started


def test_a_busy_listener_with_a_full_backlog_is_noticed_too(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        queued = [_connecting(port) for _ in range(4)]
        model = bench.command(python(FAKE_MODEL), proxy=f"http://localhost:{port}")

        model.ensure_ready(1)
        error = model.started(1).error

        assert isinstance(error, PortInUseError)
        assert f"pid {os.getpid()} (" in error.cause
        for sock in queued:
            sock.close()


def test_the_start_thread_ends_with_the_start(bench: Bench) -> None:
    model = bench.model()
    model.run_until_ready(1)

    wait_until(
        lambda: not any(t.name.endswith(":start") for t in threading.enumerate())
    )


def _connecting(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", port))
    return sock
