"""Start, stop, preload, idle unload, and what is said meanwhile."""

import http.client
import re
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.fakes.model_server import call, fake_release, fake_state
from tests.fakes.ports import free_port
from tests.fakes.program import SwapperProgram, config_text, processes_with
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.live


def test_sigterm_lets_running_and_waiting_requests_finish(tmp_path: Path) -> None:
    """EE11: log streams end at once, new connections are refused, then exit 0."""
    config = config_text({"a": "", "b": "--ready-after 1"}, "logLevel: debug")
    with SwapperProgram(tmp_path, config) as program, ThreadPoolExecutor(2) as pool:
        target = "/upstream/a/x?tokens=3&hold=k&hold_at=1&framing=chunked&slice=100"
        running = pool.submit(program.call, target)
        model = program.upstream_url("a")
        fake_state(model, min_held=1)
        waiting = pool.submit(program.chat, "b")
        address = ("127.0.0.1", int(program.url.rpartition(":")[2]))
        log = http.client.HTTPConnection(*address, timeout=60)
        log.request("GET", "/logs/stream/proxy")
        stream = log.getresponse()  # its head: the request has been accepted
        program.wait_for_log("message=Submit.*model='b'")
        program.process.send_signal(signal.SIGTERM)

        assert b"shutting down" in stream.read()
        log.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address).close()
        fake_release(model, "k")
        assert running.result().status == 200
        assert waiting.result().status == 200
        assert program.process.wait(40) == 0
        assert processes_with(program.token) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_cli_17_a_signal_while_idle_ends_with_status_0(
    tmp_path: Path, number: signal.Signals
) -> None:
    with SwapperProgram(tmp_path, config_text({"a": ""})) as program:
        program.process.send_signal(number)

        assert program.process.wait(20) == 0


def test_preload_starts_models_without_a_request(tmp_path: Path) -> None:
    more = "hooks: {on_startup: {preload: [b]}}"
    with SwapperProgram(tmp_path, config_text({"a": "", "b": ""}, more)) as program:
        wait_until(lambda: program.running() == {"b": "ready"})


def test_an_idle_model_is_unloaded_after_its_ttl(tmp_path: Path) -> None:
    with SwapperProgram(tmp_path, config_text({"a": ""}, "globalTTL: 1")) as program:
        program.chat("a")
        program.wait_for_log("stop model=a run=1 reason=ttl")
        wait_until(lambda: program.running() == {})

        assert program.chat("a").status == 200


def test_a_model_with_a_request_in_progress_is_not_idle(tmp_path: Path) -> None:
    config = config_text({"a": ""}, "globalTTL: 1")
    with SwapperProgram(tmp_path, config) as program, ThreadPoolExecutor(2) as pool:
        held = pool.submit(program.call, "/upstream/a/x?hold=k")
        model = program.upstream_url("a")
        fake_state(model, min_held=1)
        with pytest.raises(TimeoutError):  # two seconds without a SIGTERM
            fake_state(model, min_terms=1, within=2)
        fake_release(model, "k")

        assert held.result().status == 200


def test_a_model_that_was_killed_is_started_again(tmp_path: Path) -> None:
    with SwapperProgram(tmp_path, config_text({"a": ""})) as program:
        before = program.chat("a")
        pid = fake_state(program.upstream_url("a"))["pid"]
        call(f"{program.url}/upstream/a/x?crash=3")
        program.wait_for_log("process ended model=a")

        assert before.status == program.chat("a").status == 200
        assert fake_state(program.upstream_url("a"))["pid"] != pid


def test_model_output_and_own_log_can_be_followed(tmp_path: Path) -> None:
    with SwapperProgram(tmp_path, config_text({"a": "--flood-lines 3"})) as program:
        program.chat("a")
        host = program.url.partition("//")[2]
        for target, wanted in {
            "/logs/stream/a": rb"listens on port",
            "/logs/stream/upstream": rb"listens on port",
            "/logs/stream/proxy": rb"start model=a",
            "/logs/stream": rb"start model=a",
        }.items():
            connection = http.client.HTTPConnection(host, timeout=20)
            connection.request("GET", target)
            answer = connection.getresponse()
            seen = b""
            while not re.search(wanted, seen):
                piece = answer.read1(65536)
                assert piece, f"{target} ended: {seen!r}"
                seen += piece
            connection.close()

        assert b"listens on port" not in program.call("/logs").body
        assert program.call("/logs/stream/nope").status == 400


def test_leftovers_of_a_killed_run_are_stopped_at_the_next_start(
    tmp_path: Path,
) -> None:
    """Also when the guard was killed with it."""
    with SwapperProgram(tmp_path, config_text({"a": ""})) as program:
        program.chat("a")
        model = fake_state(program.upstream_url("a"))["pid"]
        children = psutil.Process(program.process.pid).children()
        [guard] = [child for child in children if "proctable" in child.cmdline()[-2]]
        for pid in (guard.pid, program.process.pid):
            signal.pidfd_send_signal(_pidfd(pid), signal.SIGKILL)
        program.process.wait()
    with SwapperProgram(tmp_path, config_text({"a": ""})) as program:
        assert any(f"pid={model}" in line for line in program.lines), program.lines
        assert program.chat("a").status == 200


def test_cli_16_the_reach_of_the_address_is_told(tmp_path: Path) -> None:
    port = free_port()
    with SwapperProgram(
        tmp_path, config_text({"a": ""}), "--listen", f":{port}"
    ) as program:
        program.wait_for_log("other hosts can connect")


def _pidfd(pid: int) -> int:
    import os

    return os.pidfd_open(pid)
