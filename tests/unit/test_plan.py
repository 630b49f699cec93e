"""``swapper plan``: what it prints, and its exit status."""

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from swapper import cli
from swapper.config import parse_config
from swapper.config.learnt import Footprint, Learnt
from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId
from swapper.plan import _looked_up
from swapper.record.known import Known, KnownTimes
from swapper.record.store import Store

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
figures from the configuration alone, for store.path is not set
   small takes 10 GiB of gpu, as its resources say; its load was not measured yet and \
is taken to last 10 s
   large takes 14 GiB of gpu, as its resources say; its load was not measured yet and \
is taken to last 10 s
   third takes 9 GiB of gpu, as its resources say; its load was not measured yet and \
is taken to last 10 s
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


STORED = BUDGET + "\nstore: {path: %s}"


def stored(path: Path, times: Mapping[str, float], **needs: Learnt) -> None:
    """Make the file of an activity log that knows this."""
    store = Store(str(path), 10)
    store.start()
    for model, load_s in times.items():
        store.put_times(ModelId(model), KnownTimes(load_s, None))
    for model, learnt in needs.items():
        store.put_needs(ModelId(model), learnt)
    store.close()


def test_what_was_measured_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``large`` was used last, but is back sooner than ``small``."""
    path = tmp_path / "a.db"
    stored(path, {"small": 60.0, "large": 2.5})
    before = path.read_bytes()

    assert plan(tmp_path, STORED % path, "large", "small", "large", "third") == 0
    out = capsys.readouterr().out

    assert f"figures from the configuration and {path}\n" in out
    assert "large takes 14 GiB of gpu, as its resources say; loads in 2.5 s\n" in out
    assert "4. third: stops large\n" in out
    assert path.read_bytes() == before


def test_what_was_learnt_counts_and_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, gib = tmp_path / "a.db", 1 << 30
    basis = ModelConfig(id=ModelId("x"), cmd="serve").basis
    held = Footprint(ram_bytes=1, gpu_bytes={0: 3 * gib})
    stored(
        path,
        {},
        small=Learnt(basis=basis, at_least={"gpu": Fraction(11 * gib)}),
        free=Learnt(basis=basis, footprint=held),
        other=Learnt(basis="of another command", footprint=held),
    )
    extra = (
        '  free: {cmd: serve, proxy: "http://h"}\n'
        '  other: {cmd: serve, proxy: "http://h"}\n'
    )

    assert plan(tmp_path, extra + STORED % path, "small", "free", "large", "other") == 0
    out = capsys.readouterr().out

    assert (
        "   small takes 11 GiB of gpu, as its resources say, but for gpu: with less a "
        "load has failed; " in out
    )
    assert "   free takes 3 GiB of gpu, as measured; " in out
    assert "other runs alone, for it has no resources and was not measured yet; " in out
    assert "2. free: stops nothing\n" in out
    assert "3. large: stops small\n" in out
    assert "4. other: stops free, large\n" in out


@pytest.mark.parametrize(
    "text", [None, "", "no database, but long enough for one " * 9]
)
def test_a_file_that_tells_nothing_is_told_of_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    path = tmp_path / "a.db"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    config = replace(parse_config(MODELS + BUDGET), store_path=str(path))

    known, where = _looked_up(config)

    assert known == Known()
    assert str(path) in where
    assert path.exists() is (text is not None)


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
