"""The matrix router over the whole program with real model processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

# The example of config.md 13.4, and a model in no set.
MODELS = ("big", "chat", "code", "img", "other", "tts")
MATRIX = """
matrix:
  vars: {c: chat, k: code}
  evict_costs: {tts: 20, big: 4}
  sets:
    a_llm: "c | k"
    b_voice: "+a_llm & tts"
    c_art: "c & img"
    d_all: "big"
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[SwapperProgram]:
    config = config_text(dict.fromkeys(MODELS, ""), MATRIX)
    with SwapperProgram(tmp_path, config) as running:
        yield running


def ask(program: SwapperProgram, *models: str) -> list[str]:
    """Ask for models one after another; return what runs then."""
    for model in models:
        answer = program.chat(model)
        assert answer.status == 200, answer.body
        assert answer.json()["choices"][0]["message"]["content"].startswith(model)
    states = program.running()
    assert set(states.values()) == {"ready"}
    return sorted(states)


def test_sol_3_models_of_one_combination_run_together(program: SwapperProgram) -> None:
    assert ask(program, "tts", "code") == ["code", "tts"]
    # Both are ready: neither request stops the other model.
    assert ask(program, "tts", "code", "tts") == ["code", "tts"]
    log = program.call("/logs").body.decode()
    assert "stop model" not in log


def test_sol_4_what_costs_least_is_stopped(program: SwapperProgram) -> None:
    assert ask(program, "code", "tts", "chat") == ["chat", "tts"]


def test_sol_5_a_dear_model_goes_if_no_set_holds_it(program: SwapperProgram) -> None:
    assert ask(program, "chat", "tts", "img") == ["chat", "img"]


def test_sol_6_and_8_a_set_of_one(program: SwapperProgram) -> None:
    assert ask(program, "chat", "tts", "big") == ["big"]
    assert ask(program, "tts", "chat") == ["chat", "tts"]


def test_sol_17_and_18_a_model_in_no_set_runs_alone(program: SwapperProgram) -> None:
    assert ask(program, "chat", "tts", "other") == ["other"]
    assert ask(program, "code") == ["code"]


def test_models_that_may_run_together_load_at_the_same_time(
    program: SwapperProgram,
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(program.chat, ["tts", "code"] * 4))

    assert {answer.status for answer in answers} == {200}
    assert program.running() == {"code": "ready", "tts": "ready"}


def test_the_new_place_of_the_matrix_selects_it_too(tmp_path: Path) -> None:
    routing = "routing: {router: {use: matrix, settings: {matrix: {sets: {s: a & b}}}}}"
    with SwapperProgram(
        tmp_path, config_text({"a": "", "b": "", "c": ""}, routing)
    ) as program:
        assert ask(program, "a", "b") == ["a", "b"]
        assert ask(program, "c") == ["c"]
