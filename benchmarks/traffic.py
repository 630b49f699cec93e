"""Measures of what passes through: requests, streams, large bodies."""

from typing import Final

from benchmarks import wire
from benchmarks.drive import Load, driving
from benchmarks.measures import (
    CPU,
    CPU_MB,
    EVENT_RATE,
    GROWTH,
    MB,
    P50,
    P99,
    RATE,
    SPEED,
    Figures,
    Measure,
    Seen,
    Turn,
    at_least,
    at_most,
)
from benchmarks.results import ERRORS, Figure, Target

_ALL_EVENTS: Final = at_least(EVENT_RATE, 0.98)
"""Without it, a program that delivers less could be the faster one."""


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
        targets=(_ALL_EVENTS, *targets),
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
        targets=(_ALL_EVENTS, at_most(P99, 3)),
        run=run,
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
