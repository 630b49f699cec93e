"""What a measure is, and the turn that one program has in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.build import Tools
from benchmarks.drive import Load, driving
from benchmarks.programs import Contender, Kind, Running
from benchmarks.results import BUSY, ERRORS, Figure, Pick, Target

MB: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How long and how much: everything, or just enough to see that it works."""

    seconds: float = 4.0
    warm_up_s: float = 1.0
    idle_s: float = 20.0
    requests: int = 10_000
    divisor: int = 1
    swaps: int = 6


QUICK: Final = Scale(
    seconds=0.3, warm_up_s=0.1, idle_s=0.3, requests=300, divisor=25, swaps=2
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One program's turn in one round."""

    contender: Contender
    running: Running
    tools: Tools
    scale: Scale
    troubles: list[str] = field(default_factory=list)
    """What went wrong, if anything did: the first error of each run."""

    def drive(self, request: bytes, connections: int, *, requests: int = 0) -> "Seen":
        """Run the generator; with *requests*, until so many are answered."""
        load = Load(
            request=request,
            connections=connections,
            requests=requests,
            seconds=60.0 if requests else self.scale.seconds,
            warm_up_s=0.0 if requests else self.scale.warm_up_s,
        )
        with driving(self.tools, self.running.port, load) as driver:
            driver.wait_until_it_counts()
            cpu_s = self.running.cpu_s()
            result = driver.result()
            if result["errors"]:
                self.troubles.append(result["first_error"])
            used_s = self.running.cpu_s() - cpu_s
            return Seen(result, used_s if self.running.process else None)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the generator saw and what it cost the proxy, if there is one."""

    result: Mapping[str, Any]
    cpu_s: float | None

    def figures(self, **rest: float | None) -> dict[str, float]:
        """Return what there is of *rest* with what belongs to every measurement."""
        told = {name: value for name, value in rest.items() if value is not None}
        return {ERRORS: self.result["errors"], BUSY: self.result["busy"], **told}

    def per_second(self, what: str) -> float:
        """Return the rate of ``requests``, ``events``, ``sent`` or ``received``."""
        rate: float = self.result[what] / self.result["seconds"]
        return rate

    def cpu_us(self, what: str, unit: float = 1.0) -> float | None:
        """Return microseconds of the proxy's CPU for each *unit* of them."""
        if self.cpu_s is None:
            return None
        units: float = self.result[what] / unit
        return self.cpu_s * 1e6 / max(1.0, units)


Figures = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Something to measure of every program.

    Attributes:
        run: measures once; is not called for ``direct`` if *needs_proxy*, and only for
            what manages models if *needs_models*.
        is_fresh: every turn starts the program anew, so that nothing of an earlier
            measurement is in its memory.
        is_saturating: the first figure is as much as the program can do.
    """

    name: str
    title: str
    figures: tuple[Figure, ...]
    targets: tuple[Target, ...]
    run: Callable[[Turn], Figures]
    needs_proxy: bool = False
    needs_models: bool = False
    is_fresh: bool = False
    is_saturating: bool = False

    def takes(self, contender: Contender) -> bool:
        """Return whether there is something to measure of it."""
        if self.needs_models:
            return contender.kind is Kind.MODELS
        return contender.kind is not Kind.DIRECT or not self.needs_proxy


RATE: Final = Figure("per_s", "req/s")
EVENT_RATE: Final = Figure("per_s", "events/s")
SPEED: Final = Figure("mb_per_s", "MB/s")
P50: Final = Figure("p50_us", "p50 us")
P99: Final = Figure("p99_us", "p99 us")
CPU: Final = Figure("cpu_us", "CPU us", 1)
CPU_MB: Final = Figure("cpu_us_per_mb", "CPU us/MB")
GROWTH: Final = Figure("growth_mib", "RSS growth MiB", 1, Pick.MOST)
RSS: Final = Figure("rss_mib", "RSS MiB", 1)


def at_most(figure: Figure, limit: float, *, is_ratio: bool = True) -> Target:
    """Return the target that a figure is no larger."""
    return Target(figure.name, limit, is_ratio)


def at_least(figure: Figure, limit: float) -> Target:
    """Return the target that a figure is no smaller, as a ratio."""
    return Target(figure.name, limit, is_minimum=True)
