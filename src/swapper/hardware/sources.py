"""Where readings of GPUs come from: the first tool that works, chosen once.

A source is polled by the thread of the performance monitor, which may wait for it.
NVIDIA: the library of the ``nvidia`` extra, else ``nvidia-smi`` in its own loop, which
prints without being asked. AMD: the LACT daemon, else ``rocm-smi`` each time.
"""

import contextlib
import importlib
import json
import os
import shutil
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BufferedRWPair
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol

from swapper.core.json import JsonValue
from swapper.hardware.gpu import (
    NVIDIA_FIELDS,
    NVIDIA_PROCESSES,
    ROCM_OPTIONS,
    GpuReading,
    parse_lact,
    parse_nvidia_line,
    parse_nvidia_processes,
    parse_rocm,
)
from swapper.sync import OwnerThread

_TOOL_S: Final = 5.0
_MB: Final = 1 << 20
_STOP_S: Final = 2.0


class SourceError(Exception):
    """A source does not work."""


class GpuSource(Protocol):
    """A tool that tells about GPUs. One thread."""

    name: str

    def poll(self) -> Sequence[GpuReading]:
        """Return what is new since the last call, possibly nothing.

        Raises:
            SourceError: it does not work, perhaps only this time.
        """
        ...

    def process_bytes(self) -> Mapping[int, int]:
        """Return pid -> bytes it holds on all GPUs; empty if it does not tell.

        Raises:
            SourceError: it does not work, perhaps only this time.
        """
        ...

    def close(self) -> None:
        """End it."""
        ...


def open_source(interval_s: float) -> GpuSource | None:
    """Return the first source that works here, None if there is no GPU to tell of."""
    makers: tuple[Callable[[], GpuSource], ...] = (
        Lact,
        NvidiaLibrary,
        lambda: NvidiaLoop(interval_s),
        RocmSmi,
    )
    for make in makers:
        with contextlib.suppress(SourceError):
            return make()
    return None


class Lact:
    """The LACT daemon, asked on a new connection each time."""

    name = "LACT"

    def __init__(self) -> None:
        """Find the daemon.

        Raises:
            SourceError: it does not answer, or has nothing to tell.
        """
        places = (
            os.environ.get("LACT_DAEMON_SOCKET_PATH", ""),
            "/run/lactd.sock",
            f"/run/user/{os.getuid()}/lactd.sock",
        )
        self._path = next((p for p in places if p and Path(p).is_socket()), "")
        if not (self._path and self.poll()):
            raise SourceError("there is no LACT daemon")

    def poll(self) -> Sequence[GpuReading]:
        """Return all GPUs."""
        try:
            return list(self._readings())
        except (OSError, ValueError) as exc:
            raise SourceError(f"LACT: {exc}") from exc

    def process_bytes(self) -> Mapping[int, int]:
        """Return nothing: it does not tell."""
        return {}

    def close(self) -> None:
        """Do nothing: no connection is kept."""

    def _readings(self) -> Iterator[GpuReading]:
        with socket.socket(socket.AF_UNIX) as sock, sock.makefile("rwb") as wire:
            sock.settimeout(_TOOL_S)
            sock.connect(self._path)
            devices = _lact_asked(wire, "list_devices")
            if not isinstance(devices, list):
                raise ValueError("the devices are no list")  # noqa: TRY004 - bad data
            for index, device in enumerate(devices):
                stats = _lact_asked(wire, "device_stats", {"id": device["id"]})
                if isinstance(stats, Mapping):
                    reading = parse_lact(index, device, stats)
                    if reading is not None:
                        yield reading


def _lact_asked(
    wire: BufferedRWPair, command: str, args: Mapping[str, str] | None = None
) -> JsonValue:
    question: dict[str, object] = {"command": command}
    if args is not None:
        question["args"] = args
    wire.write(json.dumps(question).encode() + b"\n")
    wire.flush()
    answer = json.loads(wire.readline())
    if not isinstance(answer, dict) or answer.get("status") != "ok":
        raise ValueError(f"{command} was refused")
    data: JsonValue = answer.get("data")
    return data


def nvml_memory(lib: Any, device: object) -> Any:
    """Return ``total`` and ``used`` of a GPU in bytes, as ``nvidia-smi`` tells them.

    The first version of the call counts what the driver reserves as used: half a
    gigabyte on an H100. Libraries and drivers before 510 know no other.

    Raises:
        lib.NVMLError: the library cannot tell.
    """
    try:
        return lib.nvmlDeviceGetMemoryInfo(device, version=lib.nvmlMemory_v2)
    except (AttributeError, lib.NVMLError):
        return lib.nvmlDeviceGetMemoryInfo(device)


class NvidiaLibrary:
    """NVIDIA's own library, of the extra ``nvidia``."""

    name = "NVML"

    def __init__(self) -> None:
        """Open the library.

        Raises:
            SourceError: it is not installed, or there is no such GPU.
        """
        try:
            self._lib: Any = importlib.import_module("pynvml")  # an extra
        except ImportError as exc:
            raise SourceError("pynvml is not installed") from exc
        with self._translated():
            self._lib.nvmlInit()
            count = self._lib.nvmlDeviceGetCount()
            self._devices = [
                self._lib.nvmlDeviceGetHandleByIndex(index) for index in range(count)
            ]
        if not self._devices:
            raise SourceError("there is no NVIDIA GPU")

    def poll(self) -> Sequence[GpuReading]:
        """Return all GPUs."""
        with self._translated():
            return [
                self._reading(index, device)
                for index, device in enumerate(self._devices)
            ]

    def process_bytes(self) -> Mapping[int, int]:
        """Return what each process that computes holds."""
        found: Counter[int] = Counter()
        with self._translated():
            for device in self._devices:
                for process in self._lib.nvmlDeviceGetComputeRunningProcesses(device):
                    found[process.pid] += process.usedGpuMemory or 0
        return found

    def close(self) -> None:
        """Close the library."""
        with contextlib.suppress(SourceError), self._translated():
            self._lib.nvmlShutdown()

    def _reading(self, index: int, device: object) -> GpuReading:
        lib = self._lib
        memory = nvml_memory(lib, device)
        return GpuReading(
            id=index,
            name=_text(lib.nvmlDeviceGetName(device)),
            uuid=_text(lib.nvmlDeviceGetUUID(device)),
            temp_c=self._known(
                lambda: lib.nvmlDeviceGetTemperature(device, lib.NVML_TEMPERATURE_GPU)
            ),
            util_percent=self._known(
                lambda: lib.nvmlDeviceGetUtilizationRates(device).gpu
            ),
            mem_used_mb=memory.used // _MB,
            mem_total_mb=memory.total // _MB,
            fan_percent=self._known(lambda: lib.nvmlDeviceGetFanSpeed(device)),
            power_w=self._known(lambda: lib.nvmlDeviceGetPowerUsage(device)) / 1000,
        )

    def _known(self, ask: Callable[[], int]) -> int:
        """Return a figure, 0 for one that this GPU does not have."""
        try:
            return ask()
        except self._lib.NVMLError:
            return 0

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._lib.NVMLError as exc:
            raise SourceError(f"NVML: {exc}") from exc


class NvidiaLoop:
    """``nvidia-smi``, which prints a line for each GPU every few seconds."""

    name = "nvidia-smi"

    def __init__(self, interval_s: float) -> None:
        """Start the tool.

        Raises:
            SourceError: it is not there or tells of no GPU.
        """
        query = (f"--query-gpu={NVIDIA_FIELDS}", "--format=csv,noheader,nounits")
        first = run_tool("nvidia-smi", *query)
        if not any(map(parse_nvidia_line, first.splitlines())):
            raise SourceError("nvidia-smi tells of no GPU")
        self._lines: SimpleQueue[str] = SimpleQueue()
        for line in first.splitlines():
            self._lines.put(line)
        seconds = str(max(1, round(interval_s)))
        self._tool = subprocess.Popen(
            ["nvidia-smi", *query, "--loop", seconds],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
        )
        self._reader = OwnerThread("gpu", self._read)
        self._reader.start()

    def poll(self) -> Sequence[GpuReading]:
        """Return the lines printed since the last call.

        Raises:
            SourceError: the tool has ended.
        """
        found = []
        with contextlib.suppress(Empty):
            while True:
                reading = parse_nvidia_line(self._lines.get_nowait())
                if reading is not None:
                    found.append(reading)
        if not found and self._tool.poll() is not None:
            raise SourceError(f"nvidia-smi ended with status {self._tool.returncode}")
        return found

    def process_bytes(self) -> Mapping[int, int]:
        """Ask for what each process that computes holds."""
        return parse_nvidia_processes(run_tool("nvidia-smi", *NVIDIA_PROCESSES))

    def close(self) -> None:
        """Stop the tool."""
        self._tool.terminate()
        try:
            self._tool.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._tool.kill()
            self._tool.wait()
        self._reader.join(_STOP_S)
        if self._tool.stdout is not None:
            self._tool.stdout.close()

    def _read(self) -> None:
        for line in self._tool.stdout or ():
            self._lines.put(line)


class RocmSmi:
    """``rocm-smi``, run each time."""

    name = "rocm-smi"

    def __init__(self) -> None:
        """Try it.

        Raises:
            SourceError: it is not there or tells of no GPU.
        """
        if not self.poll():
            raise SourceError("rocm-smi tells of no GPU")

    def poll(self) -> Sequence[GpuReading]:
        """Return all GPUs."""
        return parse_rocm(run_tool("rocm-smi", *ROCM_OPTIONS))

    def process_bytes(self) -> Mapping[int, int]:
        """Return nothing: it does not tell."""
        return {}

    def close(self) -> None:
        """Do nothing: it does not stay."""


def run_tool(name: str, *options: str) -> str:
    """Return what a program prints. Blocks for 5 s at most.

    Raises:
        SourceError: it is not there, fails or takes too long.
    """
    if shutil.which(name) is None:
        raise SourceError(f"{name} is not installed")
    try:
        done = subprocess.run(
            [name, *options],
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_TOOL_S,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise SourceError(f"{name}: {exc}") from exc
    return done.stdout.decode("utf-8", "replace")


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
