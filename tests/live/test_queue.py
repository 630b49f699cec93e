"""Who waits, why and for how long; models that fail to start or die when needed."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.model_server import Response, fake_release, fake_state
from tests.fakes.ports import free_port
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.live

DYING = Path(__file__).parents[1] / "fakes" / "dying_model.py"


def dying(folder: Path, mode: str, times: int) -> str:
    """Return a configuration of model a, which dies so many times."""
    lives = folder / "deaths"
    lives.mkdir()
    for number in range(times):
        (lives / str(number)).touch()
    command = f"{sys.executable} -ES {DYING} ${{PORT}} {mode} {lives}"
    return f"startPort: {free_port()}\nmodels: {{a: {{cmd: '{command}'}}}}\n"


def queue(program: SwapperProgram) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = program.call("/api/queue").json()["queue"]
    return rows


def wait_for_queue(program: SwapperProgram, length: int) -> list[dict[str, Any]]:
    """Return the queue once it is that long."""

    def look() -> list[dict[str, Any]] | None:
        rows = queue(program)
        return rows if len(rows) == length else None

    rows = wait_until(look)
    assert rows
    return rows


def held(program: SwapperProgram, model: str) -> Response:
    return program.call(f"/upstream/{model}/x?hold=here")


def test_r11_a_model_that_dies_at_the_grant_is_asked_once_more(tmp_path: Path) -> None:
    """The client notices nothing: no byte of its request had gone out."""
    config = dying(tmp_path, "at-grant", 1)
    with SwapperProgram(tmp_path, config) as program:
        answer = program.call("/upstream/a/x", b"hello")
        log = program.wait_for_log("start model=a run=2")

    assert (answer.status, answer.body) == (200, b"ok")
    assert "start model=a run=3" not in log


def test_r11_a_model_that_dies_twice_is_a_502_that_says_why(tmp_path: Path) -> None:
    config = dying(tmp_path, "at-grant", 9)
    with SwapperProgram(tmp_path, config) as program:
        answer = program.chat("a")
        log = program.wait_for_log("start model=a run=2")

    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (502, "model_exited")
    assert "model a" in error["message"]
    assert "exit code 7" in error["message"]
    assert "CUDA error: out of memory" in error["message"]
    assert error["detail"]["exit_code"] == 7
    assert error["detail"]["model"] == "a"
    assert "start model=a run=3" not in log


def test_r11_a_request_that_was_sent_is_not_sent_again(tmp_path: Path) -> None:
    config = dying(tmp_path, "at-request", 1)
    with SwapperProgram(tmp_path, config) as program:
        answer = program.chat("a")
        again = program.call("/upstream/a/x", b"hello")

    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (502, "model_exited")
    assert "exit code 7" in error["message"]
    assert "CUDA error: out of memory" in error["message"]
    assert again.status == 200


def test_r10_after_three_failed_starts_requests_are_told_to_come_later(
    tmp_path: Path,
) -> None:
    config = config_text({"a": "--exit-after 0 --exit-code 3 --say no_such_weights"})
    with SwapperProgram(tmp_path, config) as program:
        failed = [program.chat("a").status for _ in range(3)]
        answer = program.chat("a")

    error = answer.json()["error"]
    assert failed == [500, 500, 500]
    assert (answer.status, error["code"]) == (503, "start_refused")
    assert answer.header("Retry-After") == "1"
    assert "model a has failed to start 3 times in a row" in error["message"]
    assert "no_such_weights" in error["message"]
    assert error["detail"]["exit_code"] == 3


def test_a_queue_is_shown_with_reasons_and_waits_are_told(tmp_path: Path) -> None:
    config = config_text({"a": "", "b": "--ready-after 0.2"})
    with SwapperProgram(tmp_path, config) as program, ThreadPoolExecutor(4) as pool:
        assert program.chat("a").status == 200
        busy = pool.submit(held, program, "a")
        fake_state(f"{program.url}/upstream/a", min_held=1)
        first = pool.submit(program.chat, "b")
        wait_for_queue(program, 1)
        second = pool.submit(program.chat, "b")
        rows = wait_for_queue(program, 2)
        fake_release(f"{program.url}/upstream/a", "here")
        answers = [first.result(), second.result()]
        at_once = program.chat("b")
        assert busy.result().status == 200

    assert [(row["model"], row["position"]) for row in rows] == [("b", 1), ("b", 2)]
    assert rows[0]["why"] == "waits for a to finish 1 request"
    assert rows[0]["estimate_s"] is None  # b has never been loaded
    assert rows[0]["waited_s"] >= rows[1]["waited_s"] >= 0
    assert [a.header("X-Queue-Position") for a in answers] == ["1", "2"]
    assert all(float(a.header("X-Queue-Wait") or 0) > 0.1 for a in answers)
    assert at_once.header("X-Queue-Position") is None
    assert at_once.header("X-Queue-Wait") is None


def test_errors_tell_of_the_wait_too(tmp_path: Path) -> None:
    options = {"a": "", "b": "--exit-after 0", "c": "--ready-after 0.3"}
    with (
        SwapperProgram(tmp_path, config_text(options)) as program,
        ThreadPoolExecutor(4) as pool,
    ):
        assert program.chat("a").status == 200
        busy = pool.submit(held, program, "a")
        fake_state(f"{program.url}/upstream/a", min_held=1)
        in_vain = pool.submit(program.chat, "b")
        wait_for_queue(program, 1)
        unloaded = pool.submit(program.chat, "c")
        wait_for_queue(program, 2)
        program.call("/api/models/unload/c", b"")
        answers = [unloaded.result()]
        fake_release(f"{program.url}/upstream/a", "here")
        answers.append(in_vain.result())
        assert busy.result().status == 200
        # of a model that is ready and gives no answer
        broken = program.call("/upstream/c/x?drop=head")
        at_once = program.call("/upstream/c/x?drop=head")
        unknown = program.chat("nobody")

    codes = [answer.json()["error"]["code"] for answer in answers]
    assert codes == ["model_unloaded", "model_exited"]
    assert [a.header("X-Queue-Position") for a in answers] == ["2", "1"]
    assert all(float(a.header("X-Queue-Wait") or 0) > 0 for a in answers)
    assert (broken.status, broken.header("X-Queue-Position")) == (502, "0")
    assert float(broken.header("X-Queue-Wait") or 0) > 0.3
    assert (at_once.status, at_once.header("X-Queue-Wait")) == (502, None)
    assert (unknown.status, unknown.header("X-Queue-Wait")) == (404, None)


def test_who_loads_a_model_waits_at_position_zero(tmp_path: Path) -> None:
    config = config_text({"a": "--ready-after 0.4"}, "apiKeys: [secret]")
    key = {"Authorization": "Bearer secret"}
    with SwapperProgram(tmp_path, config) as program, ThreadPoolExecutor(1) as pool:
        body = json.dumps({"model": "a"})
        headers = {**key, "Content-Type": "application/json"}
        asked = pool.submit(program.call, "/v1/chat/completions", body, headers=headers)
        rows: list[dict[str, Any]] = wait_until(
            lambda: program.call("/api/queue", headers=key).json()["queue"]
        )
        answer = asked.result()
        refused = program.call("/api/queue")

    assert rows[0]["position"] == 0
    assert rows[0]["why"] == "a is loading"
    assert answer.header("X-Queue-Position") == "0"
    assert refused.status == 401
