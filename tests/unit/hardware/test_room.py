"""How much may be read into the page cache."""

from pathlib import Path

import pytest

from swapper.hardware import room
from swapper.hardware.room import cache_room_bytes

GIB = 1 << 30


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return what the files of /proc and /sys tell, empty if not in it."""
    files: dict[str, str] = {}
    monkeypatch.setattr(room, "_read", lambda path: files.get(str(path), ""))
    return files


def machine(*, total: int, available: int, mapped: int = 0) -> str:
    return (
        f"MemTotal: {total << 20} kB\nMemFree: 1 kB\n"
        f"MemAvailable: {available << 20} kB\nMapped: {mapped << 20} kB\n"
    )


def test_a_twentieth_stays_free(told: dict[str, str]) -> None:
    told["/proc/meminfo"] = machine(total=100, available=60)

    assert cache_room_bytes() == 55 * GIB


def test_a_gigabyte_stays_free_on_a_small_machine(told: dict[str, str]) -> None:
    told["/proc/meminfo"] = machine(total=8, available=6)

    assert cache_room_bytes() == 5 * GIB


def test_what_programs_have_mapped_is_in_use(told: dict[str, str]) -> None:
    told["/proc/meminfo"] = machine(total=8, available=6, mapped=4)

    assert cache_room_bytes() == 1 * GIB


def test_there_is_no_room_where_nothing_is_told(told: dict[str, str]) -> None:
    assert not told
    assert cache_room_bytes() < 0


@pytest.mark.parametrize("name", ["/", "/system.slice/swapper.service"])
def test_the_limit_of_the_control_group_counts(told: dict[str, str], name: str) -> None:
    told["/proc/meminfo"] = machine(total=100, available=60)
    told["/proc/self/cgroup"] = f"4:memory:/other\n0::{name}\n"
    group = Path("/sys/fs/cgroup" + name)
    told[str(group / "memory.max")] = f"{20 * GIB}\n"
    told[str(group / "memory.current")] = f"{15 * GIB}\n"
    told[str(group / "memory.stat")] = (
        f"anon {4 * GIB}\nfile {11 * GIB}\nfile_mapped {2 * GIB}\n"
        f"inactive_file {6 * GIB}\nactive_file {4 * GIB}\n"
    )

    assert cache_room_bytes() == (20 - 15 + 10 - 2 - 1) * GIB


def test_a_control_group_without_a_limit_does_not_count(told: dict[str, str]) -> None:
    told["/proc/meminfo"] = machine(total=100, available=60)
    told["/proc/self/cgroup"] = "0::/user.slice\n"
    told["/sys/fs/cgroup/user.slice/memory.max"] = "max\n"

    assert cache_room_bytes() == 55 * GIB


def test_of_this_machine_less_than_all_memory_is_room() -> None:
    total = int(Path("/proc/meminfo").read_text("ascii").split()[1]) << 10

    assert cache_room_bytes() < 0.95 * total
