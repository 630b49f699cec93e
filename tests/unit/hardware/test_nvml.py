"""NVIDIA's library in its versions."""

from types import SimpleNamespace
from typing import Any

from swapper.hardware.sources import nvml_memory

NEW = SimpleNamespace(total=81559, used=1551)
OLD = SimpleNamespace(total=81559, used=2031)  # with what the driver reserves


class NVMLError(Exception):
    """As in the library."""


def test_memory_is_told_as_nvidia_smi_tells_it() -> None:
    def ask(_device: object, version: int | None = None) -> object:
        return NEW if version == 2 else OLD

    lib: Any = SimpleNamespace(
        NVMLError=NVMLError, nvmlMemory_v2=2, nvmlDeviceGetMemoryInfo=ask
    )
    assert nvml_memory(lib, object()) is NEW


def test_an_older_driver_is_asked_the_old_way() -> None:
    def ask(_device: object, version: int | None = None) -> object:
        if version is not None:
            raise NVMLError("function not found")
        return OLD

    lib: Any = SimpleNamespace(
        NVMLError=NVMLError, nvmlMemory_v2=2, nvmlDeviceGetMemoryInfo=ask
    )
    assert nvml_memory(lib, object()) is OLD


def test_an_older_library_too() -> None:
    lib: Any = SimpleNamespace(
        NVMLError=NVMLError, nvmlDeviceGetMemoryInfo=lambda _device: OLD
    )
    assert nvml_memory(lib, object()) is OLD
