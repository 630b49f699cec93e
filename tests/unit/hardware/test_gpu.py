"""What the tools print, as recorded."""

import pytest

from swapper.core.json import JsonValue
from swapper.hardware.gpu import (
    GpuReading,
    parse_lact,
    parse_nvidia_line,
    parse_nvidia_processes,
    parse_rocm,
)

ROCM = """\
WARNING: AMD GPU device(s) is/are in a low-power state. Check power control/runtime_status

device,Device Name,Device ID,Device Rev,Subsystem ID,GUID,Temperature (Sensor edge) (C),\
Temperature (Sensor junction) (C),Temperature (Sensor memory) (C),Fan speed (level),\
Fan speed (%),Fan RPM,Average Graphics Package Power (W),GPU use (%),\
GPU Memory Allocated (VRAM%),VRAM Total Memory (B),VRAM Total Used Memory (B),\
Card Series,Card Model,Card Vendor,Card SKU,Node ID,GFX Version
card0,Navi 31,0x744c,0xc8,0x471e,55764,41.0,43.0,56.0,0,12.5,0,17.0,3,11,25753026560,\
2864373760,Radeon RX 7900 XTX,0x744c,AMD,APM1023,1,gfx1100
card1,N/A,0x164e,0xc1,0x8877,N/A,39.0,N/A,N/A,N/A,N/A,N/A,N/A,0,2,536870912,15560704,\
N/A,0x164e,AMD,RAPHAEL,2,gfx1036
short,row
"""


def test_a_line_of_nvidia_smi() -> None:
    line = "0, NVIDIA H100 80GB HBM3, GPU-1f2e, 34, 17, 1024, 81559, [N/A], 69.71\n"
    assert parse_nvidia_line(line) == GpuReading(
        id=0,
        name="NVIDIA H100 80GB HBM3",
        uuid="GPU-1f2e",
        temp_c=34,
        util_percent=17.0,
        mem_used_mb=1024,
        mem_total_mb=81559,
        fan_percent=0.0,
        power_w=69.71,
    )


@pytest.mark.parametrize(
    "line", ["", "No devices were found", "0, a, b", "x, a, b, 1, 2, 3, 4, 5, 6"]
)
def test_what_is_no_line_of_a_gpu(line: str) -> None:
    assert parse_nvidia_line(line) is None


def test_unreadable_figures_are_zero() -> None:
    reading = parse_nvidia_line("1, a, b, [Unknown Error], nan, inf, 0x10, -, 1e3")
    assert reading == GpuReading(id=1, name="a", uuid="b")


def test_processes_on_several_gpus_are_summed_up() -> None:
    text = "4711, 1000\n4711, 24\n12, [N/A]\nNo running processes found\n"
    assert parse_nvidia_processes(text) == {4711: 1024 << 20, 12: 0}


def test_the_table_of_rocm_smi() -> None:
    first, second = parse_rocm(ROCM)
    assert first == GpuReading(
        id=0,
        name="Radeon RX 7900 XTX card0 (gfx1100)",
        uuid="55764",
        temp_c=41,
        vram_temp_c=56,
        util_percent=3.0,
        mem_used_mb=2731,
        mem_total_mb=24560,
        fan_percent=12.5,
        power_w=17.0,
    )
    assert (second.name, second.uuid, second.mem_total_mb) == ("card1", "", 512)


@pytest.mark.parametrize("text", ["", "ERROR: no GPU", "card0,1,2\n", "device\n"])
def test_rocm_smi_without_a_gpu(text: str) -> None:
    assert parse_rocm(text) == []


def test_a_device_of_lact() -> None:
    stats: dict[str, JsonValue] = {
        "fan": {"pwm_current": 51},
        "vram": {"total": 17163091968, "used": 1 << 30},
        "power": {"average": 0, "current": 33.5},
        "temps": {"junction": {"current": 50.6}, "mem": {"current": 61.0}},
        "busy_percent": 7,
    }
    device = {"id": "1002:73BF-1", "name": "RX 6800"}
    assert parse_lact(2, device, stats) == GpuReading(
        id=2,
        name="RX 6800",
        uuid="1002:73BF-1",
        temp_c=50,
        vram_temp_c=61,
        util_percent=7.0,
        mem_used_mb=1024,
        mem_total_mb=16368,
        fan_percent=20.0,
        power_w=33.5,
    )


@pytest.mark.parametrize("vram", [None, {}, {"total": 0}, {"total": "much"}, [1]])
def test_a_device_without_memory_is_left_out(vram: object) -> None:
    assert parse_lact(0, {}, {"vram": vram}) is None  # type: ignore[dict-item]  # bad data
