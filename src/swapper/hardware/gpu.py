"""What the tools of GPU makers print, read. Pure: text in, readings out.

The formats: ``nvidia-smi --query-gpu``, ``rocm-smi --csv``, the LACT daemon's JSON
(http-api.md 25.3). A figure that cannot be read is 0, because a tool that does not
know says so in many ways.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from swapper.core.json import JsonValue

NVIDIA_FIELDS: Final = (
    "index,name,uuid,temperature.gpu,utilization.gpu,memory.used,memory.total,"
    "fan.speed,power.draw"
)
NVIDIA_PROCESSES: Final = (
    "--query-compute-apps=pid,used_memory",
    "--format=csv,noheader,nounits",
)
ROCM_OPTIONS: Final = (
    *("-i", "-P", "-t", "-f", "-u", "--showmemuse", "--showmeminfo", "vram"),
    *("--showproductname", "--csv"),
)
_MB: Final = 1 << 20
_CARD: Final = re.compile(r"card(\d+)")
_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuReading:
    """One GPU's figures; what is not known is 0 or "".

    Attributes:
        id: its number with the tool that was asked.
        power_w: watts.
    """

    id: int
    name: str = ""
    uuid: str = ""
    temp_c: int = 0
    vram_temp_c: int = 0
    util_percent: float = 0.0
    mem_used_mb: int = 0
    mem_total_mb: int = 0
    fan_percent: float = 0.0
    power_w: float = 0.0

    @property
    def mem_percent(self) -> float:
        """Return how much of the memory is used."""
        return 100 * self.mem_used_mb / self.mem_total_mb if self.mem_total_mb else 0.0


def parse_nvidia_line(line: str) -> GpuReading | None:
    """Return the GPU of one line of ``nvidia-smi``; None if it is something else."""
    fields = [field.strip() for field in line.split(",")]
    if len(fields) < 9 or not fields[0].isdigit():
        return None
    temp, util, used, total, fan, power = map(_number, fields[3:9])
    return GpuReading(
        id=int(fields[0]),
        name=fields[1],
        uuid=fields[2],
        temp_c=int(temp),
        util_percent=util,
        mem_used_mb=int(used),
        mem_total_mb=int(total),
        fan_percent=fan,
        power_w=power,
    )


def parse_nvidia_processes(text: str) -> dict[int, int]:
    """Return pid -> bytes on all GPUs from ``nvidia-smi --query-compute-apps``."""
    found: dict[int, int] = {}
    for line in text.splitlines():
        pid, _, megabytes = line.partition(",")
        if pid.strip().isdigit():
            held = int(_number(megabytes)) * _MB
            found[int(pid)] = found.get(int(pid), 0) + held
    return found


def parse_rocm(text: str) -> list[GpuReading]:
    """Return the GPUs of ``rocm-smi --csv``, in its order."""
    rows = csv.reader(line for line in text.splitlines() if line.strip())
    columns: Sequence[str] = ()
    found = []
    for row in rows:
        if row[0] == "device":
            columns = row
        elif columns and len(row) == len(columns):
            reading = _rocm_row(dict(zip(columns, row, strict=True)))
            if reading is not None:
                found.append(reading)
    return found


def _rocm_row(row: Mapping[str, str]) -> GpuReading | None:
    card = _CARD.fullmatch(row["device"])
    if card is None:
        return None
    series = next(
        (
            row[column]
            for column in ("Card Series", "Card series", "Device Name")
            if row.get(column, "N/A") not in {"", "N/A"}
        ),
        "",
    )
    version = row.get("GFX Version", "")
    power = row.get(
        "Average Graphics Package Power (W)",
        row.get("Current Socket Graphics Package Power (W)", ""),
    )
    return GpuReading(
        id=int(card[1]),
        name=f"{series} {card[0]} ({version})" if series else card[0],
        uuid=_unless_unknown(row.get("GUID", "")),
        temp_c=int(_number(row.get("Temperature (Sensor edge) (C)", ""))),
        vram_temp_c=int(_number(row.get("Temperature (Sensor memory) (C)", ""))),
        util_percent=_number(row.get("GPU use (%)", "")),
        mem_used_mb=int(_number(row.get("VRAM Total Used Memory (B)", ""))) // _MB,
        mem_total_mb=int(_number(row.get("VRAM Total Memory (B)", ""))) // _MB,
        fan_percent=_number(row.get("Fan speed (%)", "")),
        power_w=_number(power),
    )


def parse_lact(
    index: int, device: Mapping[str, JsonValue], stats: Mapping[str, JsonValue]
) -> GpuReading | None:
    """Return a GPU of the LACT daemon; None if it has no memory of its own.

    Args:
        index: its place in the list of devices.
        device: its entry there.
        stats: what ``device_stats`` said.
    """
    vram, fan = _mapping(stats.get("vram")), _mapping(stats.get("fan"))
    total = _float(vram.get("total"))
    if not total:
        return None
    power, temps = _mapping(stats.get("power")), _mapping(stats.get("temps"))
    average = _float(power.get("average"))
    edge = next((t for n in ("edge", "junction", *temps) if (t := _temp(temps, n))), 0)
    memory = next((t for n in ("mem", "VRAM") if (t := _temp(temps, n)) > 0), 0)
    return GpuReading(
        id=index,
        name=str(device.get("name") or ""),
        uuid=str(device.get("id") or ""),
        temp_c=int(edge),
        vram_temp_c=int(memory),
        util_percent=_float(stats.get("busy_percent")),
        mem_used_mb=int(_float(vram.get("used"))) // _MB,
        mem_total_mb=int(total) // _MB,
        fan_percent=100 * _float(fan.get("pwm_current")) / 255,
        power_w=average if average > 0 else _float(power.get("current")),
    )


def _temp(temps: Mapping[str, JsonValue], name: str) -> float:
    return _float(_mapping(temps.get(name)).get("current"))


def _number(text: str) -> float:
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else 0.0


def _unless_unknown(text: str) -> str:
    return "" if text in {"N/A", "n/a"} else text


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, Mapping) else {}


def _float(value: JsonValue) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else 0.0  # type: ignore[arg-type]  # it is one
