"""What the machine is: the hardware snapshot (http-api.md 25.5).

Unknown facts are None. Taken when somebody first asks, and kept.
"""

import os
import platform
import re
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil

from swapper import __version__
from swapper.core import wire
from swapper.core.clock import unix_time
from swapper.core.json import JsonValue
from swapper.core.rfc3339 import rfc3339
from swapper.hardware.accelerators import find_accelerators
from swapper.hardware.sources import SourceError, run_tool

_ARCHITECTURES: Final = {
    "x86_64": ("x86_64", "amd64"),
    "amd64": ("x86_64", "amd64"),
    "aarch64": ("arm64", None),
    "arm64": ("arm64", None),
    "armv7l": ("armv7", "arm"),
    "ppc64le": ("ppc64le", None),
    "riscv64": ("riscv64", None),
    "s390x": ("s390x", None),
}
_FAMILIES: Final = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_CONTAINERS: Final = frozenset(
    {"docker", "lxc", "lxc-libvirt", "rkt", "podman", "containerd", "systemd-nspawn"}
)
_PRETTY: Final = {
    "docker": "Docker",
    "kvm": "KVM",
    "vmware": "VMware",
    "oracle": "VirtualBox",
    "microsoft": "Hyper-V",
    "lxc": "LXC",
}
_PAGE: Final = re.compile(r"^Node \d+, zone +(\S+)|^ +present +(\d+)", re.MULTILINE)
_CGROUP_LIMITS: Final = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)

Facts = Mapping[str, JsonValue]


class HardwareSnapshot:
    """The snapshot, taken once. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # one takes it, the others wait; guards _facts
        self._facts: Facts | None = None

    def facts(self) -> Facts:
        """Return the snapshot as JSON; blocks for seconds the first time."""
        with self._lock:
            if self._facts is None:
                self._facts = take_snapshot()
            return self._facts


def take_snapshot() -> Facts:
    """Return what this machine is. Runs the tools of GPU makers, at most 5 s each."""
    memory = memory_bytes()
    return {
        "schema_version": 1,
        "captured_at": rfc3339(unix_time()),
        "capture": {
            "scope": "inference_host",
            "method": "detected",
            "detector": {"name": wire.SRC, "version": __version__},
        },
        "architecture": architecture(platform.machine()),
        "operating_system": _operating_system(),
        "environment": _environment(),
        "cpu": _cpu(),
        "memory": {"capacity_bytes": memory},
        "accelerators": find_accelerators(memory),
    }


def architecture(machine: str) -> Facts:
    """Return the architecture's name, and the raw one if it was renamed. Pure."""
    known = _ARCHITECTURES.get(machine.lower())
    if known is None:
        return {"name": "other", "raw_name": known_text(machine)}
    return {"name": known[0], "raw_name": known[1]}


def known_text(text: str) -> str | None:
    """Return *text*, None if it is one of the ways to say nothing. Pure."""
    text = text.strip()
    return None if text.lower() in {"", "n/a", "unknown"} else text


def _operating_system() -> Facts:
    family = _FAMILIES.get(sys.platform)
    if family is None and sys.platform.startswith("freebsd"):
        family = "freebsd"
    facts: dict[str, JsonValue] = {"family": family or "other"}
    if family is None:
        facts["raw_family"] = sys.platform
    if family == "linux":
        release = _os_release()
        facts["name"] = known_text(release.get("ID", ""))
        facts["version"] = known_text(release.get("VERSION_ID", ""))
    else:
        facts["name"] = {"macos": "macOS", "windows": "Windows"}.get(family or "")
        version = platform.mac_ver()[0] if family == "macos" else platform.version()
        facts["version"] = known_text(version)
    facts["kernel"] = known_text(platform.release())
    return facts


def _os_release() -> Mapping[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _environment() -> Facts:
    if sys.platform != "linux":
        return {"kind": "unknown", "name": None, "version": None}
    try:
        virt = run_tool("systemd-detect-virt").strip()
    except SourceError:
        virt = ""  # "none" comes with status 1
    return environment(
        platform.release(), virt, has_dockerenv=Path("/.dockerenv").exists()
    )


def environment(kernel: str, virt: str, *, has_dockerenv: bool) -> Facts:
    """Return what a Linux runs in. Pure.

    Args:
        kernel: its release.
        virt: what ``systemd-detect-virt`` said, "" for nothing.
        has_dockerenv: there is a ``/.dockerenv``.
    """
    if re.search("(?i)microsoft|wsl", kernel):
        return {"kind": "wsl", "name": "WSL", "version": None}
    if not virt and has_dockerenv:
        virt = "docker"
    if not virt or virt == "none":
        return {"kind": "native", "name": None, "version": None}
    kind = "container" if virt in _CONTAINERS else "virtual_machine"
    return {"kind": kind, "name": _PRETTY.get(virt, virt), "version": None}


def _cpu() -> Facts:
    logical, physical = psutil.cpu_count(), psutil.cpu_count(logical=False)
    if logical and physical and physical > logical:
        physical = None
    told = cpu_info(_read("/proc/cpuinfo"))
    return {
        **told,
        "physical_core_count": physical or None,
        "logical_thread_count": logical or None,
    }


def cpu_info(text: str) -> Facts:
    """Return vendor, model and sockets out of ``/proc/cpuinfo``. Pure."""
    pairs = [line.partition(":")[::2] for line in text.splitlines()]
    fields = [(key.strip(), value.strip()) for key, value in pairs]
    first = dict(reversed(fields))
    sockets = {value for key, value in fields if key == "physical id"}
    return {
        "vendor": known_text(first.get("vendor_id", "")),
        "model": known_text(first.get("model name", "") or platform.processor()),
        "socket_count": len(sockets) or None,
    }


def memory_bytes() -> int:
    """Return how much memory there is: what is built in, or what we may use of it."""
    total = int(psutil.virtual_memory().total)
    page = os.sysconf("SC_PAGE_SIZE")
    total = max(total, present_pages(_read("/proc/zoneinfo")) * page)
    for path in _CGROUP_LIMITS:
        limit = _read(path).strip()
        if limit.isdigit() and 0 < int(limit) < total:
            total = int(limit)
    return total


def present_pages(zoneinfo: str) -> int:
    """Return the pages of all zones but devices' of ``/proc/zoneinfo``. Pure."""
    pages, zone = 0, ""
    for name, present in _PAGE.findall(zoneinfo):
        if name:
            zone = name
        elif zone != "Device":
            pages += int(present)
    return pages


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
