"""The newest samples as Prometheus text (http-api.md 25.4). Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from swapper.core.exposition import Sample, family
from swapper.hardware.gpu import GpuReading
from swapper.hardware.samples import SystemSample

_MB = 1 << 20
_GpuFigure: TypeAlias = Callable[[GpuReading], float]

_GPU_FAMILIES: tuple[tuple[str, str, _GpuFigure], ...] = (
    ("temperature_celsius", "Temperature of the GPU.", lambda g: g.temp_c),
    ("vram_temperature_celsius", "Temperature of its memory.", lambda g: g.vram_temp_c),
    ("util_percent", "How busy the GPU is, 0 to 100.", lambda g: g.util_percent),
    ("memory_util_percent", "Memory in use, 0 to 100.", lambda g: g.mem_percent),
    ("memory_used_bytes", "Memory in use.", lambda g: g.mem_used_mb * _MB),
    ("memory_total_bytes", "Memory there is.", lambda g: g.mem_total_mb * _MB),
    ("fan_speed_percent", "Speed of the fan, 0 to 100.", lambda g: g.fan_percent),
    ("power_draw_watts", "Power it draws.", lambda g: g.power_w),
)


def host_families(
    system: SystemSample | None, gpus: Sequence[GpuReading]
) -> Iterator[str]:
    """Return the families of the reference, with its names; none without a sample."""
    if system is not None:
        yield from _system_families(system)
    if gpus:
        for name, about, figure in _GPU_FAMILIES:
            samples = [Sample(_gpu_labels(gpu), float(figure(gpu))) for gpu in gpus]
            yield family(f"llamaswap_gpu_{name}", "gauge", about, samples)


def _system_families(system: SystemSample) -> Iterator[str]:
    cores = [
        Sample({"core": str(core)}, float(percent))
        for core, percent in enumerate(system.cpu_percent)
    ]
    yield family("llamaswap_cpu_util_percent", "gauge", "How busy each core is.", cores)
    for name, about, megabytes in (
        ("memory_total_bytes", "Memory there is.", system.mem_total_mb),
        ("memory_used_bytes", "Memory in use.", system.mem_used_mb),
        ("memory_free_bytes", "Memory nobody uses.", system.mem_free_mb),
        ("swap_total_bytes", "Swap space there is.", system.swap_total_mb),
        ("swap_used_bytes", "Swap space in use.", system.swap_used_mb),
    ):
        one: Iterable[Sample] = [Sample({}, megabytes * _MB)]
        yield family(f"llamaswap_{name}", "gauge", about, one)
    loads = [
        Sample({"interval": interval}, float(load))
        for interval, load in zip(("1m", "5m", "15m"), system.load, strict=True)
    ]
    yield family(
        "llamaswap_load_average", "gauge", "Processes that want to run.", loads
    )
    if system.net:
        traffic = [
            Sample({"interface": io.name, "direction": direction}, count)
            for io in system.net
            for direction, count in (("recv", io.bytes_recv), ("sent", io.bytes_sent))
        ]
        about = "Bytes through the interface since boot."
        yield family("llamaswap_network_bytes_total", "counter", about, traffic)


def _gpu_labels(gpu: GpuReading) -> dict[str, str]:
    labels = {"id": str(gpu.id), "name": gpu.name}
    return labels | {"uuid": gpu.uuid} if gpu.uuid else labels
