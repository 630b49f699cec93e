"""Accelerators out of what several witnesses tell."""

from pathlib import Path

import pytest

from swapper.hardware.accelerators import (
    Accelerator,
    find_accelerators,
    merged,
    parse_architectures,
    parse_nvidia,
    parse_rocm,
    read_drm,
)

NVIDIA = """\
0, NVIDIA GeForce RTX 4090, GPU-1, 00000000:01:00.0, 24564, 570.1, 450.00
1, NVIDIA H100, GPU-2, 0001:0A:00.0, [N/A], 570.1, [N/A]
"""
ROCM = """\
device,PCI Bus,Max Graphics Package Power (W),VRAM Total Memory (B),Card Series,GFX Version
card0,0000:03:00.0,327.0,25753026560,Radeon RX 7900 XTX,gfx1100

device,Driver version
system,6.8.5
"""


def test_nvidia_smi() -> None:
    first, second = parse_nvidia(NVIDIA, {"0": "Ada Lovelace"})
    assert first == Accelerator(
        address="0000:01:00.0",
        vendor="NVIDIA",
        model="NVIDIA GeForce RTX 4090",
        architecture="Ada Lovelace",
        memory_kind="dedicated",
        memory_bytes=24564 << 20,
        driver_name="NVIDIA",
        driver_version="570.1",
        power_limit_w=450.0,
    )
    assert second.address == "0001:0a:00.0"
    assert (second.memory_bytes, second.power_limit_w) == (None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0, Ampere\n1, [N/A]\n", {"0": "Ampere"}),
        (
            "0, 8.9\n1, 6.1\n2, 12.0\n3, 99.0\n",
            {"0": "Ada Lovelace", "1": "Pascal", "2": "Blackwell"},
        ),
        ("", {}),
    ],
)
def test_architectures(text: str, expected: dict[str, str]) -> None:
    assert parse_architectures(text) == expected


def test_rocm_smi() -> None:
    (device,) = parse_rocm(ROCM)
    assert (device.address, device.model) == ("0000:03:00.0", "Radeon RX 7900 XTX")
    assert (device.memory_bytes, device.power_limit_w) == (25753026560, 327.0)
    assert device.architecture == "gfx1100"


def test_the_kernels_devices(tmp_path: Path) -> None:
    pci = tmp_path / "pci" / "0000:05:00.0"
    (pci / "drm" / "renderD128").mkdir(parents=True)
    (pci / "vendor").write_text("0x8086\n", encoding="utf-8")
    screen = tmp_path / "pci" / "0000:06:00.0"
    screen.mkdir()
    (screen / "vendor").write_text("0x1a03\n", encoding="utf-8")
    drm = tmp_path / "drm"
    for name, device in (("card0", pci), ("card0-HDMI-A-1", pci), ("card1", screen)):
        (drm / name).mkdir(parents=True)
        (drm / name / "device").symlink_to(device)

    assert list(read_drm(drm)) == [
        Accelerator(address="0000:05:00.0", vendor="Intel", memory_kind="shared_system")
    ]


def test_the_first_known_fact_wins_and_addresses_order() -> None:
    found = merged(
        [
            Accelerator(address="b", vendor="AMD", model="first"),
            Accelerator(address="b", model="second", memory_bytes=5),
            Accelerator(address="a"),
        ]
    )
    assert found == [
        Accelerator(address="a"),
        Accelerator(address="b", vendor="AMD", model="first", memory_bytes=5),
    ]


def test_this_machine_can_be_asked() -> None:
    for index, device in enumerate(find_accelerators(1 << 30)):
        assert isinstance(device, dict)
        assert device["index"] == index
        assert not {"address", "uuid"} & set(device)
