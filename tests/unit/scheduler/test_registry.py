"""Schedulers by name, those of other packages included."""

from importlib import metadata

import pytest

from swapper.config import parse_config
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId
from swapper.planner import make_planner
from swapper.scheduler import (
    FifoScheduler,
    MemoryNeeds,
    MemorySwapTimes,
    Scheduler,
    SchedulerInputs,
    SwapTime,
    make_scheduler,
)
from tests.fakes.simulating import models, simulate, trace_of

CONFIG = "models: {a: {cmd: x, proxy: 'http://x'}}\nrouting: {scheduler: {use: %s}}"
made: list[SchedulerInputs] = []


def make_one(inputs: SchedulerInputs) -> Scheduler:
    """What a package would register."""
    made.append(inputs)
    return FifoScheduler(inputs.config.models, inputs.planner)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that registers the scheduler ``mine``."""
    point = metadata.EntryPoint("mine", f"{__name__}:make_one", "swapper.schedulers")
    monkeypatch.setattr(metadata.EntryPoint, "load", lambda _: make_one)

    def entry_points(group: str, name: str) -> tuple[metadata.EntryPoint, ...]:
        return (point,) if (group, name) == (point.group, point.name) else ()

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    made.clear()


@pytest.mark.usefixtures("registered")
def test_scheduler_of_another_package_gets_all_it_needs() -> None:
    config = parse_config(CONFIG % "mine")
    planner, times = make_planner("group", config), MemorySwapTimes()
    needs = MemoryNeeds()

    scheduler = make_scheduler(config, planner, times, needs)

    assert scheduler.states().keys() == {"a"}
    assert made == [
        SchedulerInputs(config=config, planner=planner, swap_times=times, needs=needs)
    ]


@pytest.mark.usefixtures("registered")
def test_scheduler_of_another_package_is_simulated() -> None:
    trace = trace_of(models("a"), {"client": "c", "model": "a", "duration": 1})

    assert simulate(trace, scheduler="mine").end_s == 9.0
    assert len(made) == 1


def test_unknown_scheduler_is_refused() -> None:
    config = parse_config(CONFIG % "fifo")
    planner = make_planner("group", config)
    assert isinstance(make_scheduler(config, planner), FifoScheduler)
    # A configuration names only what is registered; one made by hand may not.
    object.__setattr__(config, "scheduler", "lifo")

    with pytest.raises(ConfigError, match="there is no scheduler 'lifo'"):
        make_scheduler(config, planner)


def test_swap_times_are_kept_in_memory() -> None:
    times = MemorySwapTimes()
    times.put(ModelId("a"), SwapTime(load_s=3.0))

    assert times.get(ModelId("a")) == SwapTime(load_s=3.0, stop_s=None)
    assert times.get(ModelId("b")) == SwapTime()


def test_newer_swap_times_count_more_but_not_alone() -> None:
    first = SwapTime().loaded_in(8.0).stopped_in(3.0)

    assert first == SwapTime(load_s=8.0, stop_s=3.0)
    assert first.loaded_in(4.0) == SwapTime(load_s=6.0, stop_s=3.0)
    assert first.stopped_in(1.0) == SwapTime(load_s=8.0, stop_s=2.0)
