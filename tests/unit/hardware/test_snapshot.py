"""What the machine is."""

import json

import pytest

from swapper.hardware.snapshot import (
    architecture,
    cpu_info,
    environment,
    known_text,
    present_pages,
    take_snapshot,
)


@pytest.mark.parametrize(
    ("machine", "name", "raw"),
    [
        ("x86_64", "x86_64", "amd64"),
        ("AMD64", "x86_64", "amd64"),
        ("aarch64", "arm64", None),
        ("armv7l", "armv7", "arm"),
        ("riscv64", "riscv64", None),
        ("sparc64", "other", "sparc64"),
        ("", "other", None),
    ],
)
def test_architecture(machine: str, name: str, raw: str | None) -> None:
    assert architecture(machine) == {"name": name, "raw_name": raw}


@pytest.mark.parametrize(
    ("kernel", "virt", "has_dockerenv", "kind", "name"),
    [
        ("5.15.1-microsoft-standard-WSL2", "wsl", False, "wsl", "WSL"),
        ("6.1.0", "kvm", False, "virtual_machine", "KVM"),
        ("6.1.0", "docker", True, "container", "Docker"),
        ("6.1.0", "", True, "container", "Docker"),
        ("6.1.0", "none", False, "native", None),
        ("6.1.0", "", False, "native", None),
        ("6.1.0", "powervm", False, "virtual_machine", "powervm"),
    ],
)
def test_environment(
    kernel: str, virt: str, has_dockerenv: bool, kind: str, name: str | None
) -> None:
    found = environment(kernel, virt, has_dockerenv=has_dockerenv)
    assert found == {"kind": kind, "name": name, "version": None}


@pytest.mark.parametrize("text", ["", " ", "N/A", "unknown", "Unknown "])
def test_nothing_is_none(text: str) -> None:
    assert known_text(text) is None


def test_cpu_info() -> None:
    text = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nphysical id\t: 0\n\n"
    text += text.replace("physical id\t: 0", "physical id\t: 1")
    assert cpu_info(text) == {
        "vendor": "AuthenticAMD",
        "model": "AMD EPYC",
        "socket_count": 2,
    }


def test_pages_of_devices_do_not_count() -> None:
    text = """\
Node 0, zone      DMA
        spanned  4095
        present  3998
Node 0, zone   Normal
        present  100000
Node 0, zone   Device
        present  7
"""
    assert present_pages(text) == 103998


def test_a_snapshot_of_this_machine() -> None:
    facts = take_snapshot()
    json.dumps(facts)
    assert set(facts) == {
        "schema_version",
        "captured_at",
        "capture",
        "architecture",
        "operating_system",
        "environment",
        "cpu",
        "memory",
        "accelerators",
    }
    memory = facts["memory"]
    assert isinstance(memory, dict)
    assert memory["capacity_bytes"] > 0
