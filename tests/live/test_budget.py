"""The budget router over the whole program with real model processes."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

BUDGET = """
routing:
  router:
    use: budget
    settings: {budget: {resources: {gpu: 24GiB}}}
"""
NEEDS = {"slow": "10GiB", "quick": "10GiB", "third": "12GiB"}


def config(pinned: str = "") -> str:
    """Return three models, of which two fit; ``slow`` takes longest to load."""
    text = config_text({"slow": "--ready-after 4", "quick": "", "third": ""}, BUDGET)
    for model, need in NEEDS.items():
        pin = f"\n    pin: {str(model == pinned).lower()}"
        text = text.replace(
            f"  {model}:\n", f"  {model}:\n    resources: {{gpu: {need}}}{pin}\n"
        )
    return text


def ask(program: SwapperProgram, *models: str) -> list[str]:
    """Ask for models one after another; return what runs then."""
    for model in models:
        answer = program.chat(model)
        assert answer.status == 200, answer.body
    states = program.running()
    assert set(states.values()) == {"ready"}
    return sorted(states)


def test_the_third_model_evicts_the_cheapest_idle_one(tmp_path: Path) -> None:
    with SwapperProgram(tmp_path, config()) as program:
        assert ask(program, "quick", "slow") == ["quick", "slow"]
        # used last, but back in a moment
        assert ask(program, "quick", "third") == ["slow", "third"]
        assert ask(program, "slow", "third") == ["slow", "third"]


def test_a_pinned_model_stays(tmp_path: Path) -> None:
    with SwapperProgram(tmp_path, config(pinned="quick")) as program:
        assert ask(program, "quick", "slow", "third") == ["quick", "third"]


MEASURED = """
store: {path: "%s"}
routing:
  router:
    use: budget
    settings: {budget: {resources: {ram: 370MiB}}}
"""


def test_what_a_model_holds_is_measured_and_kept(tmp_path: Path) -> None:
    """Two that hold little run together once that is known; a large one does not."""
    models = {"large": "--hold 300", "one": "--hold 60", "two": "--hold 60"}
    text = config_text(models, MEASURED % (tmp_path / "activity.db"))
    with SwapperProgram(tmp_path, text) as program:
        assert ask(program, "one") == ["one"]
        program.wait_for_log("decided model=one why=holds .* of ram, as measured")
        assert ask(program, "two") == ["two"]  # nobody knows yet: alone
        log = program.wait_for_log("decided model=two why=holds .* of ram")
        assert "decided model=two why=runs alone, for it has no resources" in log
        assert ask(program, "one") == ["one", "two"]
        assert ask(program, "large") == ["large"]
        program.wait_for_log("decided model=large why=holds .* of ram")
    with SwapperProgram(tmp_path, text) as program:
        assert ask(program, "one", "two") == ["one", "two"]
        assert ask(program, "large", "one") == ["one"]
        assert "runs alone" not in program.wait_for_log("decided model=one why=holds")


def test_a_load_waits_until_shared_memory_is_back(tmp_path: Path) -> None:
    """``one`` leaves some behind, which somebody removes a moment later."""
    left = Path("/dev/shm") / f"swapper-test-{os.getpid()}"  # noqa: S108 - that is what it is about
    models = {"one": f"--hold 50 --hold-in {left}", "two": ""}
    text = config_text(models, MEASURED % (tmp_path / "activity.db"))
    try:
        with (
            SwapperProgram(tmp_path, text) as program,
            ThreadPoolExecutor(1) as pool,
        ):
            assert ask(program, "one") == ["one"]
            asked = pool.submit(program.chat, "two")
            program.wait_for_log("load waits until memory is back model=two of=one")
            assert program.running() == {"two": "starting"}
            left.unlink()
            assert asked.result().status == 200
            log = program.wait_for_log("model ready model=two")
            assert "memory is not back" not in log
    finally:
        left.unlink(missing_ok=True)


def fails_beside(text: str, model: str, pid_file: Path, said: str) -> str:
    """Let *model* fail to start as long as the process of *pid_file* lives."""
    start = text.index("      ", text.index(f"  {model}:\n    cmd: |"))
    command = text[start : text.index("\n", start)].strip()
    alive = f"test -s {pid_file} && kill -0 $(cat {pid_file}) 2>/dev/null"
    script = f"if {alive}; then echo {said} >&2; exit 1; fi; exec {command}"
    return text.replace(command, f'sh -c "{script}"')


def test_a_load_that_lacks_memory_is_tried_once_more_with_more_room(
    tmp_path: Path,
) -> None:
    pid_file = tmp_path / "pids"
    extra = BUDGET + f"\nstore: {{path: {tmp_path / 'activity.db'}}}"
    text = config_text({"small": f"--pid-file {pid_file}", "large": ""}, extra)
    text = fails_beside(text, "large", pid_file, "CUDA error: out of memory")
    for model in ("small", "large"):
        text = text.replace(
            f"  {model}:\n", f"  {model}:\n    resources: {{gpu: 9GiB}}\n"
        )
    with SwapperProgram(tmp_path, text) as program:
        assert ask(program, "small", "large") == ["large"]
        log = program.wait_for_log("model ready model=large")
        assert (
            "decided model=large why=lacked memory and is tried once more; it needs at "
            "least 16.5 GiB of gpu" in log
        )
    with SwapperProgram(tmp_path, text) as program:  # is known the next time
        assert ask(program, "small", "large") == ["large"]
        log = program.wait_for_log("model ready model=large")
        assert "start failed" not in log


def test_the_second_failure_is_the_answer(tmp_path: Path) -> None:
    options = {"small": "", "large": "--exit-after 0 --say std::bad_alloc"}
    text = config_text(options, BUDGET)
    for model in options:
        text = text.replace(
            f"  {model}:\n", f"  {model}:\n    resources: {{gpu: 9GiB}}\n"
        )
    with SwapperProgram(tmp_path, text) as program:
        assert ask(program, "small") == ["small"]
        error = program.chat("large").json()["error"]
        assert error["code"] == "out_of_memory"
        assert "model large lacks memory, also with more room" in error["message"]
        assert "small" not in program.running()
