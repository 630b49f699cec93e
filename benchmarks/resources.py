"""Measures of what a program itself takes: time to start and to swap, CPU, memory."""

import statistics
import time

from benchmarks import wire
from benchmarks.measures import GROWTH, MB, RSS, Figures, Measure, Turn, at_most
from benchmarks.results import Figure, Pick
from benchmarks.swap_overhead import measure as measure_swaps


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
