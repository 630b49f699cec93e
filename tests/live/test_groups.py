"""The group router over the whole program with real model processes (config.md 13.1)."""

from pathlib import Path

import pytest

from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live


@pytest.mark.parametrize(
    ("groups", "steps"),
    [
        pytest.param("", [("a", "a"), ("b", "b")], id="GRP-1"),
        pytest.param(
            "groups: {g: {swap: false, members: [a, b]}}",
            [("a", "a"), ("b", "a b"), ("c", "c")],
            id="GRP-2",
        ),
        pytest.param(
            "groups: {g: {exclusive: false, members: [b]}}",
            [("a", "a"), ("b", "a b"), ("a", "a")],
            id="GRP-3",
        ),
        pytest.param(
            "groups: {g: {persistent: true, members: [a]}}",
            [("a", "a"), ("b", "a b"), ("c", "a c")],
            id="GRP-4",
        ),
        pytest.param(
            "groups: {g: {persistent: true, members: [a, b]}}",
            [("a", "a"), ("b", "b"), ("c", "b c")],
            id="GRP-5",
        ),
    ],
)
def test_who_runs_after_each_request(
    tmp_path: Path, groups: str, steps: list[tuple[str, str]]
) -> None:
    models = dict.fromkeys("abc", "")
    with SwapperProgram(tmp_path, config_text(models, groups)) as program:
        for model, running in steps:
            answer = program.chat(model)
            assert answer.status == 200, answer.body
            assert answer.json()["choices"][0]["message"]["content"].startswith(model)
            assert program.running() == dict.fromkeys(running.split(), "ready")
