"""The example configurations are part of the documentation: they must be right."""

import re
from pathlib import Path

import pytest

from swapper.config import load_config
from swapper.config.keys import TOP_LEVEL
from swapper.core.ids import ModelId

EXAMPLES = Path(__file__).parents[3] / "examples"
FILES = sorted(EXAMPLES.glob("*.yaml"))


def test_there_are_examples() -> None:
    assert {"minimal.yaml", "two_groups.yaml", "full.yaml"} <= {
        path.name for path in FILES
    }


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_example_loads_without_a_warning(path: Path) -> None:
    config = load_config(path, environ={})

    assert config.models
    assert not config.warnings


def test_full_example_has_nearly_every_section() -> None:
    text = (EXAMPLES / "full.yaml").read_text(encoding="utf-8")
    left_out = {"groups", "matrix", "logRequests", "store"}  # old, or outside of it

    assert {
        key for key in TOP_LEVEL.keys if not re.search(f"(?m)^(# )?{key}:", text)
    } == left_out


def test_budget_example_means_what_its_comments_say() -> None:
    config = load_config(EXAMPLES / "budget.yaml", environ={})
    budget = config.budget

    assert budget.pinned == {"embed"}
    assert budget.can_run_together([ModelId("writer"), ModelId("painter")])
    assert not budget.can_run_together([ModelId("writer"), ModelId("coder")])


def test_two_groups_example_means_what_its_comments_say() -> None:
    config = load_config(EXAMPLES / "two_groups.yaml", environ={})

    assert config.preload == ("embed", "rerank")
    assert config.groups["search"].persistent
    assert not config.groups["(default)"].members
    assert config.models[ModelId("embed")].ttl_s == 0
    assert config.models[ModelId("qwen-coder")].ttl_s == 1800
    assert "# A line" not in config.models[ModelId("qwen-32b")].cmd
