"""``swapper plan``: what it prints, and its exit status."""

from pathlib import Path

import pytest

from swapper import cli

MODELS = """
models:
  small: {cmd: serve, proxy: "http://h", resources: {gpu: 10GiB}, aliases: [s]}
  large: {cmd: serve, proxy: "http://h", resources: {gpu: 14GiB}}
  third: {cmd: serve, proxy: "http://h", resources: {gpu: 9GiB}}
"""
BUDGET = (
    "routing: {router: {use: budget, settings: {budget: {resources: {gpu: 24GiB}}}}}"
)
MATRIX = "matrix: {evict_costs: {large: 3}, sets: {duo: small & (large | third)}}"
GROUPS = "groups: {g: {members: [small, large]}}"


def plan(tmp_path: Path, extra: str, *names: str) -> int:
    path = tmp_path / "c.yaml"
    path.write_text(MODELS + extra, encoding="utf-8")
    return cli.main(["plan", "--config", str(path), *names])


@pytest.mark.parametrize(
    ("extra", "names", "printed"),
    [
        pytest.param(
            BUDGET,
            "s large small third",
            """\
router budget
1. small: stops nothing
   then small runs
2. large: stops nothing
   then large, small run
3. small: runs already, stops nothing
   then large, small run
4. third: stops large
     gpu: third needs 9 GiB; 0 B of 24 GiB free
     large frees 14 GiB
   then small, third run
""",
            id="budget: the one used longest ago goes",
        ),
        pytest.param(
            MATRIX,
            "small large third",
            """\
router matrix
1. small: stops nothing
     set duo allows large & small
   then small runs
2. large: stops nothing
     set duo allows large & small
   then large, small run
3. third: stops large
     set duo allows small & third
     stopping large costs 3
   then small, third run
""",
            id="matrix",
        ),
        pytest.param(
            GROUPS,
            "small large third",
            """\
router group
1. small: stops nothing
   then small runs
2. large: stops small
     small: group g runs one at a time
   then large runs
3. third: stops large
     large: group (default) is exclusive, and group g is not persistent
   then third runs
""",
            id="group",
        ),
    ],
)
def test_plan_tells_who_stops_and_why(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    extra: str,
    names: str,
    printed: str,
) -> None:
    assert plan(tmp_path, extra, *names.split()) == 0
    assert capsys.readouterr().out == printed


def test_a_name_that_is_none_is_told_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan(tmp_path, GROUPS, "small", "smal") == 1
    assert capsys.readouterr().err == (
        "swapper: smal is neither a model nor an alias; there are large, small, third\n"
    )


def test_a_configuration_that_is_not_valid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan(tmp_path, BUDGET.replace("24", "12"), "small") == 1
    assert "models.large.resources.gpu: large needs 14 GiB" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["small"], ["--config", "c.yaml"], ["--what"]])
def test_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["plan", *words])

    assert exit_.value.code == 2
    assert "usage: swapper plan" in capsys.readouterr().err
