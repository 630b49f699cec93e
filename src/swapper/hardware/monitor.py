"""Samples of the machine, the last hour of them (http-api.md 25.3)."""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import psutil

from swapper.core.clock import unix_time
from swapper.core.errors import InboxClosedError
from swapper.hardware.gpu import GpuReading
from swapper.hardware.samples import GpuSample, SystemSample, sample_system
from swapper.hardware.sources import GpuSource, SourceError, open_source
from swapper.sync import Inbox, OwnerThread

logger = logging.getLogger(__name__)

_KEPT_S: Final = 3600
_MAX_GPU_SAMPLES: Final = 20_000
"""Over all GPUs: an hour of 16 at one sample in 3 s."""


@dataclass(frozen=True, slots=True)
class _Configure:
    interval_s: float
    is_off: bool


@dataclass(frozen=True, slots=True)
class _End:
    pass


OpenSource: TypeAlias = Callable[[float], GpuSource | None]


class PerformanceMonitor:
    """Takes samples in a thread of its own, ``perf``. All methods: any thread.

    Attributes:
        is_available: it was on when swapper started; it cannot be switched on later.
        process_bytes: pid -> what it held on GPUs at the last sample; replaced, never
            changed.
    """

    def __init__(
        self,
        interval_s: float,
        *,
        is_off: bool,
        open_source: OpenSource = open_source,
        sample: Callable[[], SystemSample] = sample_system,
    ) -> None:
        """Prepare.

        Args:
            interval_s: between two samples, 1 at least.
            is_off: take none, now and later.
            open_source: finds the tool for GPUs; may block for seconds.
            sample: takes a sample of the system.
        """
        self.is_available = not is_off
        self._open_source = open_source
        self._sample = sample
        self._inbox: Inbox[_Configure | _End] = Inbox()
        self._settings = _Configure(interval_s, is_off)  # the last that was asked for
        # Replaced and appended to by the thread, copied by readers: atomic operations.
        self._system: deque[SystemSample] = deque()
        self._gpus: deque[GpuSample] = deque()
        self.process_bytes: Mapping[int, int] = {}
        self._thread = OwnerThread("perf", self._run)

    def start(self) -> None:
        """Begin to take samples, unless it is off. Once."""
        if self.is_available:
            self._thread.start()

    def configure(self, interval_s: float, *, is_off: bool) -> None:
        """Go on with other settings; samples taken by different ones are forgotten."""
        wanted = _Configure(interval_s, is_off)
        if self.is_available and wanted != self._settings:
            self._settings = wanted
            self._inbox.put(wanted)

    def system(self) -> list[SystemSample]:
        """Return the samples of the system, oldest first."""
        return list(self._system.copy())

    def gpus(self) -> list[GpuSample]:
        """Return the samples of all GPUs, oldest first."""
        return list(self._gpus.copy())

    def latest(self) -> tuple[SystemSample | None, list[GpuReading]]:
        """Return the newest sample of the system and of each GPU, by id."""
        system, newest = self.system(), {s.reading.id: s.reading for s in self.gpus()}
        return system[-1] if system else None, [newest[id_] for id_ in sorted(newest)]

    def close(self) -> None:
        """End the thread, and a tool that it runs."""
        try:
            self._inbox.put(_End())
        except InboxClosedError:
            return
        self._thread.join()

    # --- thread perf --------------------------------------------------------------

    def _run(self) -> None:
        settings: _Configure | _End = self._settings
        while isinstance(settings, _Configure):
            settings = self._take_samples(settings)
        self._inbox.close()

    def _take_samples(self, settings: _Configure) -> _Configure | _End:
        """Take samples until there are other settings; return these."""
        size = max(1, int(_KEPT_S / settings.interval_s))
        self._system = deque(maxlen=size)
        self._gpus = deque(maxlen=_MAX_GPU_SAMPLES)
        if settings.is_off:
            while (message := self._inbox.get()) is None:
                continue
            return message
        psutil.cpu_percent(percpu=True)  # what follows is since now
        gpus = _Gpus(lambda: self._open_source(settings.interval_s))
        due = time.monotonic()
        try:
            while True:
                due = max(due + settings.interval_s, time.monotonic())
                message = self._inbox.get(due)
                if message is not None:
                    return message
                self._take_one()
                self._take_gpus(gpus.poll(), size)
                self.process_bytes = gpus.process_bytes()
        finally:
            gpus.close()

    def _take_one(self) -> None:
        try:
            self._system.append(self._sample())
        except (OSError, psutil.Error) as exc:
            logger.debug("no sample of the system: %s", exc)

    def _take_gpus(self, readings: Sequence[GpuReading], size: int) -> None:
        now = unix_time()
        self._gpus.extend(GpuSample(taken_s=now, reading=r) for r in readings)
        oldest = now - _KEPT_S
        while self._gpus and self._gpus[0].taken_s < oldest and len(self._gpus) > size:
            self._gpus.popleft()


class _Gpus:
    """The tool for GPUs; looked for again if it fails. One thread."""

    def __init__(self, open_source: Callable[[], GpuSource | None]) -> None:
        self._open = open_source
        self._has_failed = False
        self._source = open_source()
        name = "none" if self._source is None else self._source.name
        logger.info("performance monitor started gpu_source=%s", name)

    def poll(self) -> Sequence[GpuReading]:
        """Return what is new; nothing if there is no GPU or its tool fails."""
        if self._source is None and self._has_failed:
            self._source = self._open()
        if self._source is None:
            return ()
        try:
            return self._source.poll()
        except SourceError as exc:
            self._fail(exc)
            return ()

    def process_bytes(self) -> Mapping[int, int]:
        """Return what processes hold on GPUs."""
        if self._source is None:
            return {}
        try:
            return self._source.process_bytes()
        except SourceError as exc:
            self._fail(exc)
            return {}

    def close(self) -> None:
        """End the tool."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def _fail(self, exc: SourceError) -> None:
        if not self._has_failed:  # once; it is tried again each time
            logger.warning("no figures of GPUs: %s", exc)
        self._has_failed = True
        self.close()
