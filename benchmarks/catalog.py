"""Every measure, and how good it should be.

The targets are ratios to a bare reverse proxy of Go's standard library, which does none
of what swapper does beside relaying, or plain limits.
"""

import statistics
import time
from collections.abc import Sequence
from typing import Final

from benchmarks import wire
from benchmarks.drive import Load, driving
from benchmarks.measures import Figures, Measure, Seen, Turn
from benchmarks.results import ERRORS, Figure, Pick, Target
from benchmarks.swap_overhead import measure as measure_swaps

MB: Final = 1_000_000
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


def small(connections: int, *targets: Target) -> Measure:
    """Return the measure of small requests over some keep-alive connections."""

    def run(turn: Turn) -> Figures:
        seen = turn.drive(wire.chat(), connections)
        latency = seen.result["latency_us"]
        return seen.figures(
            per_s=seen.per_second("requests"),
            p50_us=latency["p50"],
            p99_us=latency["p99"],
            cpu_us=seen.cpu_us("requests"),
        )

    return Measure(
        name=f"small-{connections}",
        title=f"small JSON, {connections} at a time, keep-alive",
        figures=(RATE, P50, P99, CPU),
        targets=targets,
        run=run,
        is_saturating=connections > 1,
    )


def streams(count: int, per_s: int, *targets: Target) -> Measure:
    """Return the measure of event streams; latency is from the upstream's hand to ours."""

    def run(turn: Turn) -> Figures:
        seen = turn.drive(wire.chat(f"stream {1_000_000 // per_s}"), count)
        return _of_events(seen)

    return Measure(
        name=f"streams-{count}x{per_s}",
        title=f"{count} streams with {per_s} events/s each",
        figures=(EVENT_RATE, P50, P99, CPU),
        targets=targets,
        run=run,
    )


def firehose() -> Measure:
    """Return the measure of one stream as fast as it goes."""

    def run(turn: Turn) -> Figures:
        return _of_events(turn.drive(wire.chat("stream 0"), 1))

    return Measure(
        name="firehose",
        title="one stream, as fast as it goes, one send for each event",
        figures=(EVENT_RATE, CPU),
        targets=(),
        run=run,
        is_saturating=True,
    )


def upload(connections: int) -> Measure:
    """Return the measure of large multipart uploads."""

    def run(turn: Turn) -> Figures:
        request = wire.transcription(25 * MB // turn.scale.divisor)
        return _of_bytes(turn, request, connections, "sent")

    return Measure(
        name=f"upload-{connections}",
        title=f"25 MB multipart uploads, {connections} at a time",
        figures=(SPEED, CPU_MB, GROWTH),
        targets=(at_least(SPEED, 0.8), at_most(GROWTH, 20, is_ratio=False)),
        run=run,
        is_fresh=True,
        is_saturating=True,
    )


def download(connections: int) -> Measure:
    """Return the measure of large answers."""

    def run(turn: Turn) -> Figures:
        request = wire.speech(100 * MB // turn.scale.divisor)
        return _of_bytes(turn, request, connections, "received")

    return Measure(
        name=f"download-{connections}",
        title=f"100 MB answers, {connections} at a time",
        figures=(SPEED, CPU_MB, GROWTH),
        targets=(at_least(SPEED, 0.8), at_most(GROWTH, 20, is_ratio=False)),
        run=run,
        is_fresh=True,
        is_saturating=True,
    )


def posts_beside_streams() -> Measure:
    """Return the measure of streams that must not suffer from somebody's large posts."""
    post_ms = Figure("post_ms", "post ms", 1)

    def run(turn: Turn) -> Figures:
        scale = turn.scale
        posts = Load(
            request=wire.chat_with_image(20 * MB // scale.divisor),
            seconds=scale.seconds + scale.warm_up_s,
            every_ms=100,
        )
        with driving(turn.tools, turn.running.port, posts) as driver:
            figures = _of_events(turn.drive(wire.chat("stream 10000"), 16))
            driver.wait_until_it_counts()  # long since
            result = driver.result()
        figures[ERRORS] += result["errors"]
        return {**figures, "post_ms": result["latency_us"]["p50"] / 1000}

    return Measure(
        name="posts-20mb",
        title="16 streams with 100 events/s, beside them a 20 MB JSON post every 100 ms",
        figures=(EVENT_RATE, P50, P99, post_ms),
        targets=(at_most(P99, 3),),
        run=run,
    )


def swap(load_ms: int) -> Measure:
    """Return the measure of what a swap takes beyond stop, start and load."""
    overhead = Figure("overhead_ms", "overhead ms", 1)

    def run(turn: Turn) -> Figures:
        # that module's templates have a port where ours have an address
        template = turn.contender.command.replace("{listen}", "127.0.0.1:{port}")
        _, [told] = measure_swaps(
            load_ms / 1000, "listen", turn.scale.swaps, {turn.contender.name: template}
        )
        return {
            "overhead_ms": statistics.median(told.overheads_s) * 1000,
            "worst_ms": max(told.overheads_s) * 1000,
            "after_ready_ms": statistics.median(told.after_ready_s) * 1000,
        }

    return Measure(
        name=f"swap-{load_ms}",
        title=f"swaps between two models that load for {load_ms} ms",
        figures=(
            overhead,
            Figure("worst_ms", "worst ms", 1, Pick.MOST),
            Figure("after_ready_ms", "after ready ms", 1),
        ),
        targets=(at_most(overhead, 15, is_ratio=False),),
        run=run,
        needs_models=True,
    )


def startup() -> Measure:
    """Return the measure of the way to the first answer."""
    start = Figure("start_s", "start s", 3)

    def run(turn: Turn) -> Figures:
        return {"start_s": turn.running.start_s}

    return Measure(
        name="startup",
        title="from the start of the process until /health is answered",
        figures=(start,),
        targets=(at_most(start, 0.35, is_ratio=False),),
        run=run,
        needs_proxy=True,
        is_fresh=True,
    )


def idle() -> Measure:
    """Return the measure of a program that has a model and nothing to do."""
    share = Figure("cpu_percent", "CPU %", 2)

    def run(turn: Turn) -> Figures:
        time.sleep(turn.scale.warm_up_s)
        began_s, cpu_s = time.monotonic(), turn.running.cpu_s()
        time.sleep(turn.scale.idle_s)
        used_s, took_s = turn.running.cpu_s() - cpu_s, time.monotonic() - began_s
        return {
            "cpu_percent": 100 * used_s / took_s,
            "rss_mib": turn.running.rss_mib(),
        }

    return Measure(
        name="idle",
        title="a model loaded, one request served, a listener on /api/events, no work",
        figures=(share, RSS),
        targets=(at_most(share, 0.2, is_ratio=False), at_most(RSS, 45, is_ratio=False)),
        run=run,
        needs_proxy=True,
        is_fresh=True,
    )


def memory_after_requests() -> Measure:
    """Return the measure of what many small requests leave behind."""

    def run(turn: Turn) -> Figures:
        seen = turn.drive(wire.chat(), 8, requests=turn.scale.requests)
        return seen.figures(rss_mib=turn.running.rss_mib())

    return Measure(
        name="memory-10k",
        title="memory after 10,000 small requests over 8 connections, captures off",
        figures=(RSS,),
        targets=(at_most(RSS, 60, is_ratio=False),),
        run=run,
        needs_proxy=True,
        is_fresh=True,
    )


def memory_after_large_answer() -> Measure:
    """Return the measure of what one very large JSON answer leaves behind."""

    def run(turn: Turn) -> Figures:
        before_mib = turn.running.rss_mib()
        request = wire.chat(f"bytes {300 * MB // turn.scale.divisor}")
        seen = turn.drive(request, 1, requests=1)
        rss_mib, peak_mib = turn.running.rss_mib(), turn.running.peak_mib()
        return seen.figures(rss_mib=rss_mib, growth_mib=peak_mib - before_mib)

    return Measure(
        name="memory-300mb",
        title="memory after one 300 MB JSON answer",
        figures=(RSS, GROWTH),
        targets=(at_most(GROWTH, 20, is_ratio=False),),
        run=run,
        needs_proxy=True,
        is_fresh=True,
    )


def _of_events(seen: Seen) -> Figures:
    delay = seen.result["delay_us"]
    return seen.figures(
        per_s=seen.per_second("events"),
        p50_us=delay["p50"],
        p99_us=delay["p99"],
        cpu_us=seen.cpu_us("events"),
    )


def _of_bytes(turn: Turn, request: bytes, connections: int, way: str) -> Figures:
    has_proxy = turn.running.process is not None
    before_mib = turn.running.rss_mib() if has_proxy else 0.0
    seen = turn.drive(request, connections)
    figures = seen.figures(
        mb_per_s=seen.per_second(way) / MB, cpu_us_per_mb=seen.cpu_us(way, MB)
    )
    if has_proxy:
        figures["growth_mib"] = turn.running.peak_mib() - before_mib
    return figures


CATALOG: Final = (
    small(1, at_most(P50, 1.1)),
    small(8, at_least(RATE, 0.7)),
    small(64, at_least(RATE, 0.7)),
    streams(16, 100),
    streams(64, 100, at_most(P99, 1.2), at_most(CPU, 0.8)),
    streams(256, 50, at_most(P99, 1.1)),
    streams(256, 150, at_least(EVENT_RATE, 0.98), at_most(CPU, 0.9)),
    firehose(),
    upload(1),
    upload(8),
    download(8),
    posts_beside_streams(),
    *map(swap, (0, 100, 300, 700)),
    startup(),
    idle(),
    memory_after_requests(),
    memory_after_large_answer(),
)


def choose(names: Sequence[str]) -> list[Measure]:
    """Return the measures whose name is given or begins with what is given; all for none.

    A name ends where a dash or a letter follows: ``streams-64`` is not ``streams-640x1``.

    Raises:
        ValueError: a name leads to nothing.
    """
    chosen = set()
    for name in names:
        found = {m.name for m in CATALOG if _leads_to(name, m.name)}
        if not found:
            known = ", ".join(m.name for m in CATALOG)
            raise ValueError(f"no measure {name!r}; there are {known}")
        chosen |= found
    return [m for m in CATALOG if not names or m.name in chosen]


def _leads_to(given: str, name: str) -> bool:
    return name.startswith(given) and not name[len(given) :][:1].isdigit()
