"""Processes of an earlier run of the same configuration, found by their mark.

There are some only if the guard was killed together with swapper.
"""

import logging
from collections.abc import Iterator
from typing import Final

from swapper.process.mark import Mark, parse_mark
from swapper.process.proctable import Entry, end_processes
from swapper.process.tree import command_of, read_marks

logger = logging.getLogger(__name__)

_GRACE_S: Final = 3.0
_LIMIT_S: Final = 10.0


def stop_leftovers(instance: str) -> int:
    """Stop what an earlier, dead swapper of this configuration has left running.

    Blocks until it is gone, at most ten seconds. Meant for the start, before any
    model; processes of a swapper that still runs are left alone.

    Args:
        instance: key of the configuration, as given to ``ProcessHost``.

    Returns:
        How many processes were found; each is logged.
    """
    found = list(_find(instance))
    for entry, mark in found:
        logger.warning(
            "stopping a leftover of an earlier run pid=%d model=%s command=%s",
            entry.pid,
            mark.model,
            command_of(entry.pid),
        )
    if found and not end_processes(
        lambda: (entry for entry, _ in _find(instance)),
        grace_s=_GRACE_S,
        limit_s=_LIMIT_S,
    ):
        logger.error("leftovers of an earlier run cannot be stopped")
    return len(found)


def _find(instance: str) -> Iterator[tuple[Entry, Mark]]:
    for entry, text in read_marks():
        mark = parse_mark(text)
        if mark and mark.instance == instance and not mark.owner_is_alive:
            yield entry, mark
