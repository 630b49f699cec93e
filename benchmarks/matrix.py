"""What the matrix router costs: loading its sets and planning a start.

Shapes: one set with many alternatives, flat, of pairs, and one inside the other;
a product of ten groups with ten alternatives each, which stands for 10^10 combinations;
the same product twice in one set.
"""

import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple

from swapper.config.expressions import MatrixConfig, evaluation_order, parse_expression
from swapper.core.ids import ModelId
from swapper.planner import MatrixPlanner

ROUNDS: Final = 15
SIZES: Final = (10, 100, 1000, 10_000)


class Case(NamedTuple):
    """A matrix as text and a question about it."""

    name: str
    expression: str
    target: str
    running: list[str]


def cases() -> Iterator[Case]:
    """Yield all shapes in all sizes."""
    for size in SIZES:
        names = [f"m{number}" for number in range(size)]
        last = names[-1]
        yield Case(f"a | b | ... x {size}", " | ".join(names), last, [names[0]])
        pairs = " | ".join(f"(t & {name})" for name in names)
        yield Case(f"(t & a) | ... x {size}", pairs, "t", [last])
        grown = f"t & (x | {' | '.join(f'(x & {name})' for name in names)})"
        yield Case(f"t & (x | (x & a) | ...) x {size}", grown, "t", ["x", last])
    groups = [[f"g{group}n{number}" for number in range(10)] for group in range(10)]
    product = " & ".join(f"({' | '.join(group)})" for group in groups)
    one_each = [group[3] for group in groups]
    three_each = sorted(name for group in groups for name in group[2:5])
    yield Case("10 groups of 10, 0 running", product, "g9n9", [])
    yield Case("10 groups of 10, 10 running", product, "g9n9", one_each)
    yield Case("10 groups of 10, 30 running", product, "g9n9", three_each)
    everything = sorted(name for group in groups for name in group if name != "g9n9")
    yield Case("10 groups of 10, 99 running", product, "g9n9", everything)
    twice = f"({product} & x) | ({product} & y)"
    yield Case("the same twice, 31 running", twice, "y", [*three_each, "x"])


def load(expression: str, models: Mapping[str, ModelId]) -> MatrixPlanner:
    """Return a planner with one set of that text."""
    tree = parse_expression(expression, models)
    return MatrixPlanner(MatrixConfig(sets=evaluation_order({"s": tree})))


def median_ms(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    times_s = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        action()
        times_s.append(time.perf_counter() - began_s)
    return statistics.median(times_s) * 1000


def main() -> None:
    """Measure every case and print a table."""
    print(f"{'':36}{'load':>10}{'plan':>10}   (ms, medians of {ROUNDS})")
    for case in cases():
        models = {n: ModelId(n) for n in re.findall(r"\w+", case.expression)}
        planner = load(case.expression, models)
        target, running = ModelId(case.target), [*map(ModelId, case.running)]
        load_ms = median_ms(partial(load, case.expression, models))
        plan_ms = median_ms(partial(planner.eviction_for, target, running))
        print(f"{case.name:36}{load_ms:10.3f}{plan_ms:10.3f}")


if __name__ == "__main__":
    main()
