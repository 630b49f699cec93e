"""How much may be read into the page cache without taking memory from anybody."""

from pathlib import Path
from typing import Final

_MARGIN_BYTES: Final = 1 << 30
_MARGIN_SHARE: Final = 0.05
_OWN_GROUP: Final = "0::"  # of version 2, in /proc/self/cgroup


def cache_room_bytes() -> int:
    """Return how many bytes of files may be read; below 0 if none. Linux only.

    What is available to the machine and to our control group, less what running
    programs have mapped of files, which counts as available but is in use, and less a
    margin: a gigabyte, or a twentieth of the memory where that is more. Any thread.
    """
    machine = _amounts("/proc/meminfo", 10)
    total = machine.get("MemTotal:", 0)
    free = machine.get("MemAvailable:", 0) - machine.get("Mapped:", 0)
    group = _own_group()
    limit = _read(group / "memory.max").strip() if group else ""
    if group and limit.isdigit():
        held = int(_read(group / "memory.current") or 0)
        kinds = _amounts(group / "memory.stat", 0)
        files = kinds.get("inactive_file", 0) + kinds.get("active_file", 0)
        total = min(total, int(limit))
        free = min(free, int(limit) - held + files - kinds.get("file_mapped", 0))
    return free - max(_MARGIN_BYTES, int(total * _MARGIN_SHARE))


def _own_group() -> Path | None:
    for line in _read("/proc/self/cgroup").splitlines():
        if line.startswith(_OWN_GROUP):
            return Path("/sys/fs/cgroup", line.removeprefix(_OWN_GROUP).lstrip("/"))
    return None


def _amounts(path: str | Path, shift: int) -> dict[str, int]:
    """Return the first number of each line by the line's first word."""
    fields = (line.split() for line in _read(path).splitlines())
    return {f[0]: int(f[1]) << shift for f in fields if len(f) > 1 and f[1].isdigit()}


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
