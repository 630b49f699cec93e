"""``/api/performance``, ``/api/hardware``: how busy the machine is, and what it is."""

from collections.abc import Sequence

from swapper.core.errors import BadRequestError
from swapper.core.json import JsonValue
from swapper.core.rfc3339 import parse_rfc3339, rfc3339
from swapper.hardware import (
    GpuSample,
    HardwareSnapshot,
    PerformanceMonitor,
    SystemSample,
)
from swapper.web.request import Request
from swapper.web.response import Response, json_response


class PerformanceRoutes:
    """Shows samples, and the hardware (http-api.md 20.4, 20.5)."""

    def __init__(self, monitor: PerformanceMonitor, hardware: HardwareSnapshot) -> None:
        self._monitor = monitor
        self._hardware = hardware

    def hardware(self, request: Request) -> Response:  # noqa: ARG002 - a handler
        """Return what the machine is; takes seconds the first time."""
        return json_response(self._hardware.facts())

    def samples(self, request: Request) -> Response:
        """Return the samples of the last hour, or those after a time.

        Raises:
            BadRequestError: ``after`` is no time.
        """
        if not self._monitor.is_available:
            return json_response({"enabled": False}, 503)
        after = _after(request)
        system: Sequence[SystemSample] = self._monitor.system()
        gpus: Sequence[GpuSample] = self._monitor.gpus()
        if after is not None:
            system = [sample for sample in system if sample.taken_s > after]
            gpus = [sample for sample in gpus if sample.taken_s > after]
        is_listed = after is not None  # an empty list is null without a filter
        return json_response(
            {
                "enabled": True,
                "gpu_stats": [_gpu(s) for s in gpus] if gpus or is_listed else None,
                "sys_stats": [_system(s) for s in system]
                if system or is_listed
                else None,
            }
        )


def _after(request: Request) -> float | None:
    text = (request.query_value("after") or "").strip()
    if not text:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError:
        message = f"invalid 'after' timestamp {text!r}, use RFC3339 format"
        raise BadRequestError(message) from None


def _system(sample: SystemSample) -> dict[str, JsonValue]:
    one, five, fifteen = sample.load
    return {
        "timestamp": rfc3339(sample.taken_s),
        "cpu_util_per_core": list(sample.cpu_percent),
        "mem_total_mb": sample.mem_total_mb,
        "mem_used_mb": sample.mem_used_mb,
        "mem_free_mb": sample.mem_free_mb,
        "swap_total_mb": sample.swap_total_mb,
        "swap_used_mb": sample.swap_used_mb,
        "load_avg_1": one,
        "load_avg_5": five,
        "load_avg_15": fifteen,
        "net_io": [
            {
                "name": io.name,
                "bytes_recv": io.bytes_recv,
                "bytes_sent": io.bytes_sent,
            }
            for io in sample.net
        ],
    }


def _gpu(sample: GpuSample) -> dict[str, JsonValue]:
    gpu = sample.reading
    return {
        "timestamp": rfc3339(sample.taken_s),
        "id": gpu.id,
        "name": gpu.name,
        "uuid": gpu.uuid,
        "temp_c": gpu.temp_c,
        "vram_temp_c": gpu.vram_temp_c,
        "gpu_util_pct": gpu.util_percent,
        "mem_util_pct": gpu.mem_percent,
        "mem_used_mb": gpu.mem_used_mb,
        "mem_total_mb": gpu.mem_total_mb,
        "fan_speed_pct": gpu.fan_percent,
        "power_draw_w": gpu.power_w,
    }
