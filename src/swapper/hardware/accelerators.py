"""Which accelerators there are: several witnesses, merged by PCI address.

Addresses and UUIDs only serve to merge; they never leave this module.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final

from swapper.core.json import JsonValue
from swapper.hardware.sources import SourceError, run_tool

_MB: Final = 1 << 20
_VENDORS: Final = {
    "0x10de": "NVIDIA",
    "0x1002": "AMD",
    "0x1022": "AMD",
    "0x8086": "Intel",
    "0x106b": "Apple",
}
_GENERATIONS: Final = {
    "2": "Fermi",
    "3": "Kepler",
    "5": "Maxwell",
    "6": "Pascal",
    "7.0": "Volta",
    "7.2": "Volta",
    "7.5": "Turing",
    "8.0": "Ampere",
    "8.6": "Ampere",
    "8.7": "Ampere",
    "8.9": "Ada Lovelace",
    "9.0": "Hopper",
    "10": "Blackwell",
    "11.0": "Blackwell",
    "12": "Blackwell",
}
_NVIDIA: Final = (
    "--query-gpu=index,name,uuid,pci.bus_id,memory.total,driver_version,power.limit"
)
_NVIDIA_FORMAT: Final = "--format=csv,noheader,nounits"
_ROCM: Final = (
    *("-i", "--showmeminfo", "vram", "--showproductname", "--showdriverversion"),
    *("--showmaxpower", "--showbus", "--csv"),
)
_ADDRESS: Final = re.compile(r"(?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-9a-f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """What one witness knows of a device; None for what it does not."""

    address: str
    vendor: str | None = None
    model: str | None = None
    architecture: str | None = None
    memory_kind: str | None = None
    memory_bytes: int | None = None
    driver_name: str | None = None
    driver_version: str | None = None
    power_limit_w: float | None = None


def find_accelerators(memory_bytes: int) -> list[JsonValue]:
    """Return the accelerators of this machine, by PCI address.

    Args:
        memory_bytes: of the machine, for devices that share it.
    """
    witnesses: tuple[Callable[[], Iterable[Accelerator]], ...] = (
        _ask_nvidia,
        _ask_rocm,
        lambda: read_drm(Path("/sys/class/drm")),
    )
    found: list[Accelerator] = []
    for witness in witnesses:
        try:
            found += witness()
        except (SourceError, OSError, ValueError):
            continue
    return [
        _shown(index, device, memory_bytes)
        for index, device in enumerate(merged(found))
    ]


def merged(found: Iterable[Accelerator]) -> list[Accelerator]:
    """Return one for each address: of each fact the first that is known. Pure."""
    by_address: dict[str, Accelerator] = {}
    for device in found:
        first = by_address.get(device.address)
        if first is None:
            by_address[device.address] = device
            continue
        missing = {
            field.name: getattr(device, field.name)
            for field in fields(device)
            if getattr(first, field.name) is None
        }
        by_address[device.address] = replace(first, **missing)
    return [by_address[address] for address in sorted(by_address)]


def parse_nvidia(text: str, architectures: Mapping[str, str]) -> Iterator[Accelerator]:
    """Read ``nvidia-smi``'s table. Pure.

    Args:
        text: the table.
        architectures: index -> name.
    """
    for line in text.splitlines():
        row = [field.strip() for field in line.split(",")]
        if len(row) < 7 or not row[0].isdigit():
            continue
        index, model, _uuid, address, megabytes, version, power = row[:7]
        total = _positive(megabytes)
        yield Accelerator(
            address=_address(address),
            vendor="NVIDIA",
            model=_known(model),
            architecture=architectures.get(index),
            memory_kind="dedicated" if total else None,
            memory_bytes=int(total * _MB) if total else None,
            driver_name="NVIDIA",
            driver_version=_known(version),
            power_limit_w=_positive(power),
        )


def parse_architectures(text: str) -> dict[str, str]:
    """Read lines of index and architecture, or index and compute capability. Pure."""
    found = {}
    for line in text.splitlines():
        index, _, what = (part.strip() for part in line.partition(","))
        if re.fullmatch(r"\d+\.\d+", what):
            major = what.partition(".")[0]
            what = _GENERATIONS.get(what, _GENERATIONS.get(major, ""))
        if index.isdigit() and _known(what):
            found[index] = what
    return found


def parse_rocm(text: str) -> Iterator[Accelerator]:
    """Read ``rocm-smi``'s table. Pure."""
    columns: list[str] = []
    version = None
    for row in csv.reader(line for line in text.splitlines() if line.strip()):
        if row[0] == "device":
            columns = row
        elif columns and len(row) == len(columns):
            told = dict(zip(columns, row, strict=True))
            version = _known(told.get("Driver version", "")) or version
            if "PCI Bus" in told:
                yield _of_rocm(told, version)


def _of_rocm(told: Mapping[str, str], version: str | None) -> Accelerator:
    names = ("Card Series", "Card series", "Device Name", "Card Model", "Card model")
    total = _positive(told.get("VRAM Total Memory (B)", ""))
    power = told.get("Max Graphics Package Power (W)", "")
    return Accelerator(
        address=_address(told["PCI Bus"]),
        vendor="AMD",
        model=next((n for c in names if (n := _known(told.get(c, "")))), None),
        architecture=_known(told.get("GFX Version", "")),
        memory_kind="dedicated" if total else None,
        memory_bytes=int(total) if total else None,
        driver_name="amdgpu" if version else None,
        driver_version=version,
        power_limit_w=_positive(power),
    )


def read_drm(folder: Path) -> Iterator[Accelerator]:
    """Read the kernel's graphics devices that can be computed with.

    Args:
        folder: ``/sys/class/drm``.
    """
    for card in sorted(folder.glob("card[0-9]*")):
        device = card / "device"
        vendor = _VENDORS.get(_read(device / "vendor"))
        has_render_node = any((device / "drm").glob("renderD*"))
        if "-" in card.name or vendor is None or not has_render_node:
            continue
        total = _positive(_read(device / "mem_info_vram_total"))
        caps = sorted((device / "hwmon").glob("hwmon*/power1_cap"))
        microwatts = _positive(_read(caps[0])) if caps else None
        yield Accelerator(
            address=_address(device.resolve().name),
            vendor=vendor,
            memory_kind="dedicated" if total else "shared_system",
            memory_bytes=int(total) if total else None,
            driver_name=(device / "driver").resolve().name
            if (device / "driver").exists()
            else None,
            power_limit_w=microwatts / 1e6 if microwatts else None,
        )


def _ask_nvidia() -> list[Accelerator]:
    table = run_tool("nvidia-smi", _NVIDIA, _NVIDIA_FORMAT)
    try:
        names = run_tool("nvidia-smi", "--query-gpu=index,architecture", _NVIDIA_FORMAT)
    except SourceError:
        names = run_tool("nvidia-smi", "--query-gpu=index,compute_cap", _NVIDIA_FORMAT)
    return list(parse_nvidia(table, parse_architectures(names)))


def _ask_rocm() -> list[Accelerator]:
    return list(parse_rocm(run_tool("rocm-smi", *_ROCM)))


def _shown(index: int, device: Accelerator, memory_bytes: int) -> dict[str, JsonValue]:
    driver: JsonValue = None
    if device.driver_name:
        driver = {"name": device.driver_name, "version": device.driver_version}
    capacity = device.memory_bytes
    if device.memory_kind == "shared_system" and capacity is None:
        capacity = memory_bytes
    return {
        "index": index,
        "kind": "gpu",
        "vendor": device.vendor,
        "model": device.model,
        "architecture": device.architecture,
        "memory": {"kind": device.memory_kind or "unknown", "capacity_bytes": capacity},
        "driver": driver,
        "power_limit_watts": device.power_limit_w,
    }


def _address(text: str) -> str:
    """Return a PCI address with a domain of four digits, whoever wrote it."""
    lower = text.strip().lower()
    if not _ADDRESS.fullmatch(lower):
        return lower
    domain = lower[:-8]  # what stands before ":bb:dd.f"
    return f"{domain[-4:].rjust(4, '0')}:{lower[-7:]}"


def _known(text: str) -> str | None:
    text = text.strip().strip("[]")
    is_unknown = text.lower() in {"", "n/a", "unknown", "not supported"}
    return None if is_unknown else text


def _positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
