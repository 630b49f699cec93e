"""The command line of the simulator, and the examples."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from swapper.sim.cli import main

TRACES = Path(__file__).parents[3] / "examples" / "traces"
QUICK = [path for path in sorted(TRACES.glob("*.jsonl")) if path.stem != "burst"]
AGENTS = str(TRACES / "two_agents.jsonl")


def test_text_has_numbers_and_timeline(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([AGENTS, "--scheduler", "fifo", "--width", "40"]) == 0

    out = capsys.readouterr().out
    assert "loads                               40" in out
    assert "fifo:\nllama |" in out


def test_both_schedulers_are_compared_if_none_is_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([AGENTS]) == 0

    head, _, loads, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["fifo", "adaptive"]
    assert int(loads.split()[1]) >= 4 * int(loads.split()[2])


def test_json_is_by_scheduler(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([AGENTS, "--scheduler", "fifo", "--json"]) == 0

    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert shown["fifo"]["loads"] == 40
    assert shown["fifo"]["makespan"] == 478.0


def test_svg_is_written(tmp_path: Path) -> None:
    path = tmp_path / "t.svg"

    assert main([AGENTS, "--scheduler", "fifo", "--svg", str(path)]) == 0
    assert path.read_text(encoding="utf-8").startswith("<svg ")


def test_decisions_are_shown_with_simulated_times(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = logging.getLogger("swapper").handlers[:]

    assert main([AGENTS, "--scheduler", "fifo", "--log"]) == 0
    err = capsys.readouterr().err
    assert "   10.000 stop model=qwen run=1 reason=swap for llama\n" in err
    assert logging.getLogger("swapper").handlers == before


def test_models_and_settings_of_a_configuration_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "models: {qwen: {cmd: 'x ${PORT}'}, llama: {cmd: 'x ${PORT}'}}\n"
        "groups: {g: {swap: false, members: [qwen, llama]}}\n",
        encoding="utf-8",
    )

    status = main(
        [
            AGENTS,
            "--config",
            str(config),
            "--json",
            "--scheduler=fifo",
            "--router=group",
        ]
    )
    assert status == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["fifo"]["loads"] == 2  # side by side


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nothing.jsonl"], "nothing.jsonl"),
        ([AGENTS, "--scheduler", "lifo"], "there is no scheduler 'lifo'"),
        (
            [AGENTS, "--scheduler", "fifo", "--router", "x"],
            "must be group, matrix or budget",
        ),
    ],
)
def test_mistake_is_told_in_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("path", QUICK, ids=lambda p: p.stem)
def test_example_runs_and_everybody_is_served(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(path), "--scheduler", "fifo", "--json"]) == 0

    shown = json.loads(capsys.readouterr().out)
    assert all(summary["refused"] == 0 for summary in shown.values())


@pytest.mark.timeout(300)  # seconds of work, on a busy machine many
def test_ten_thousand_requests_for_fifty_models_cause_fifty_loads(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = str(TRACES / "burst.jsonl")
    assert main([path, "--scheduler", "fifo", "--json"]) == 0

    [summary] = json.loads(capsys.readouterr().out).values()
    assert (summary["loads"], summary["wait"]["count"]) == (50, 10_000)
