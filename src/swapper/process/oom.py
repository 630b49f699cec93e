"""Whether the kernel has killed a process because memory was short."""

import re
from pathlib import Path
from typing import Final

_COUNTER: Final = re.compile(rb"^oom_kill (\d+)$", re.MULTILINE)
_KILLED: Final = frozenset({-9, 137})  # the second if a shell tells of it


def oom_kills() -> int | None:
    """Return how often the kernel has done so since boot; None if it does not tell."""
    try:
        found = _COUNTER.search(Path("/proc/vmstat").read_bytes())
    except OSError:
        return None
    return None if found is None else int(found[1])


def oom_killed(returncode: int, before: int | None, after: int | None) -> bool | None:
    """Tell whether that was a process's end; None if nobody knows. Pure.

    Args:
        returncode: exit code, or minus the signal's number.
        before: kills counted when it began.
        after: when it had ended.
    """
    if returncode not in _KILLED:
        return False
    return None if before is None or after is None else after > before
