"""The whole program with real model processes."""

import re
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.fakes.model_server import fake_release, fake_state
from tests.fakes.program import SwapperProgram, config_text, processes_with

pytestmark = pytest.mark.live


def starts(program: SwapperProgram) -> list[str]:
    """Return the models started, in order."""
    log = program.call("/logs").body.decode()
    return re.findall(r"start model=(\S+)", log)


def answering(reply: object) -> str:
    return str(reply["choices"][0]["message"]["content"])  # type: ignore[index]  # JSON


def test_a_request_starts_its_model_and_another_one_swaps_it(tmp_path: Path) -> None:
    with SwapperProgram(tmp_path, config_text({"a": "", "b": ""})) as program:
        assert answering(program.chat("a").json()).startswith("a")
        assert program.running() == {"a": "ready"}
        assert answering(program.chat("b").json()).startswith("b")
        assert program.running() == {"b": "ready"}

        assert program.stop() == 0


def test_fifty_concurrent_cold_requests_cause_one_start(tmp_path: Path) -> None:
    limit = "    concurrencyLimit: 100"
    config = config_text({"a": "--ready-after 0.5"}, limit)
    with SwapperProgram(tmp_path, config) as program, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(program.chat, ["a"] * 50))

        assert Counter(answer.status for answer in answers) == {200: 50}
        assert starts(program) == ["a"]


def test_a_b_c_a_b_c_arriving_together_cause_three_starts(tmp_path: Path) -> None:
    models = {"a": "--ready-after 0.7", "b": "", "c": ""}
    with SwapperProgram(tmp_path, config_text(models)) as program:
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(program.chat, "abcabc"))

        assert [answering(reply.json())[0] for reply in answers] == list("abcabc")
        assert sorted(starts(program)) == ["a", "b", "c"]


def test_a_stream_in_progress_is_never_cut_by_a_request_for_another_model(
    tmp_path: Path,
) -> None:
    config = config_text({"a": "", "b": ""}, "logLevel: debug")
    with SwapperProgram(tmp_path, config) as program, ThreadPoolExecutor(2) as pool:
        body = {"model": "a", "stream": True, "messages": []}
        target = "/v1/chat/completions?tokens=6&hold=s&hold_at=3"
        streaming = pool.submit(program.call, target, body)
        model = program.upstream_url("a")
        fake_state(model, min_held=1)
        waiting = pool.submit(program.chat, "b")
        program.wait_for_log("message=Submit.*model='b'")
        assert program.running() == {"a": "ready"}
        fake_release(model, "s")

        assert streaming.result().body.rstrip().endswith(b"data: [DONE]")
        assert answering(waiting.result().json()).startswith("b")


def test_unload_while_loading_followed_at_once_by_a_new_request(
    tmp_path: Path,
) -> None:
    config = config_text({"a": "--ready-after 1"}, "logLevel: debug")
    with SwapperProgram(tmp_path, config) as program, ThreadPoolExecutor(2) as pool:
        first = pool.submit(program.chat, "a")
        program.wait_for_log("start model=a run=1")
        unloading = pool.submit(
            program.call, "/api/models/unload/a", b"", method="POST"
        )
        program.wait_for_log("message=Unload")

        assert program.chat("a").status == 200
        assert first.result().status == 500
        assert "model unloaded" in first.result().json()["error"]["message"]
        assert unloading.result().body == b"OK"
        assert starts(program) == ["a", "a"]


def test_nothing_is_left_after_sigterm(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    config = config_text({"a": f"--fork 2 --daemon --pid-file {pids}"})
    with SwapperProgram(tmp_path, config) as program:
        program.chat("a")
        assert len(pids.read_text(encoding="utf-8").split()) == 4

        assert program.stop() == 0
        assert processes_with(program.token) == []
        assert [
            p for p in map(int, pids.read_text(encoding="utf-8").split()) if is_alive(p)
        ] == []


def test_no_model_process_survives_a_kill_of_swapper(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    config = config_text({"a": f"--fork 2 --daemon --ignore-term --pid-file {pids}"})
    with SwapperProgram(tmp_path, config) as program:
        program.chat("a")
        program.process.send_signal(signal.SIGKILL)
        program.process.wait()

        deadline, tick = time.monotonic() + 3, threading.Event()
        left = list(map(int, pids.read_text(encoding="utf-8").split()))
        while left and time.monotonic() < deadline:
            tick.wait(0.02)
            left = [pid for pid in left if is_alive(pid)]
        assert left == []


def test_a_model_that_ignores_sigterm_does_not_delay_other_models(
    tmp_path: Path,
) -> None:
    more = "groups: {g: {swap: false, members: [a, b]}}\nunloadTimeout: 2"
    config = config_text({"a": "--ignore-term", "b": ""}, more)
    with SwapperProgram(tmp_path, config) as program, ThreadPoolExecutor(1) as pool:
        program.chat("a")
        model = program.upstream_url("a")  # now: soon it is not ready any more
        unloading = pool.submit(program.call, "/unload")
        fake_state(model, min_terms=1)

        assert program.chat("b").status == 200
        assert not unloading.done()
        unloading.result()


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
