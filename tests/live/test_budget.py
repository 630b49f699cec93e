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
