"""The budget router over the whole program with real model processes."""

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
