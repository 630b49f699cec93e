"""Every measure, and how good it should be.

The targets are ratios to a bare reverse proxy of Go's standard library, which does none
of what swapper does beside relaying, or plain limits, which stand with the measures.
"""

from collections.abc import Sequence
from typing import Final

from benchmarks.measures import (
    CPU,
    P50,
    P99,
    RATE,
    Measure,
    at_least,
    at_most,
)
from benchmarks.resources import (
    idle,
    memory_after_large_answer,
    memory_after_requests,
    startup,
    swap,
)
from benchmarks.traffic import (
    download,
    firehose,
    posts_beside_streams,
    small,
    streams,
    upload,
)

CATALOG: Final = (
    small(1, at_most(P50, 1.1)),
    small(8, at_least(RATE, 0.7)),
    small(64, at_least(RATE, 0.7)),
    streams(16, 100),
    streams(64, 100, at_most(P99, 1.2), at_most(CPU, 0.8)),
    streams(256, 50, at_most(P99, 1.1)),
    streams(256, 150, at_most(CPU, 0.9)),
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
