"""The output of all models: one thread reads every pipe into its log.

Pipes are non-blocking and read one piece per turn, so a flood from one model neither
starves another nor slows its writer down. A log never blocks. Only this thread reads
and closes the pipes; others ask it to.
"""

import contextlib
import fcntl
import os
import select
import selectors
import threading
from dataclasses import dataclass
from typing import Final, TypeAlias

from swapper.core.errors import InboxClosedError
from swapper.logs import Sink
from swapper.sync import Inbox, OwnerThread

_PIECE_BYTES: Final = 1 << 16
_PIPE_BYTES: Final = 1 << 18

_DRAIN_BYTES: Final = 1 << 20
"""More than a pipe holds: all that was written before the drain was asked for."""

_PAUSE_S: Final = 0.002
"""Between two looks at models that write a little at a time. A server writes a line for
each request, and whoever reads it at once takes the interpreter from the answer."""

_ANSWER_S: Final = 2.0
"""Bound of waiting for this thread; it answers within milliseconds."""


class Channel:
    """The reading end of one process's output. Only ``OutputPump`` looks inside."""

    __slots__ = ("fd", "is_open", "sink")

    def __init__(self, fd: int, sink: Sink) -> None:
        self.fd = fd
        self.sink = sink
        self.is_open = True  # the pump's own; false after end of file or ``finish``


@dataclass(frozen=True, slots=True)
class _Attach:
    channel: Channel


@dataclass(frozen=True, slots=True)
class _Drain:
    channel: Channel
    done: threading.Event
    last: bool


@dataclass(frozen=True, slots=True)
class _Close:
    pass


_Request: TypeAlias = _Attach | _Drain | _Close


class OutputPump:
    """Owner of all output pipes; thread ``output``, started with the first one."""

    __slots__ = (
        "_channels",
        "_closed",
        "_inbox",
        "_lock",
        "_pause",
        "_pause_ms",
        "_selector",
        "_thread",
        "_wake",
    )

    def __init__(self, *, pause_s: float = _PAUSE_S) -> None:
        """Prepare; *pause_s* lies between two looks at pipes that hold little."""
        self._pause_ms = pause_s * 1000
        self._inbox: Inbox[_Request] = Inbox()
        # Guards start and end of the thread; keeps _wake open while it is written to.
        self._lock = threading.Lock()
        self._closed = False
        self._wake: tuple[int, int] | None = None
        self._thread: OwnerThread | None = None
        self._selector: selectors.BaseSelector
        self._pause: select.poll  # ends early when something is asked of the thread
        self._channels: set[Channel] = set()

    def open_channel(self, sink: Sink) -> tuple[Channel, int]:
        """Return a channel into *sink* and the writing end for the process.

        Any thread. The caller closes the writing end once the process has it.

        Raises:
            OSError: no more file descriptors.
            InboxClosedError: the pump was closed.
        """
        reading, writing = os.pipe()
        channel = Channel(reading, sink)
        try:
            _widen(reading)
            os.set_blocking(reading, False)
            self._post(_Attach(channel))
        except BaseException:
            os.close(reading)
            os.close(writing)
            raise
        return channel, writing

    def drain(self, channel: Channel) -> None:
        """Wait until all that was written so far is in the log. Any other thread."""
        self._ask(channel, last=False)

    def finish(self, channel: Channel) -> None:
        """Like ``drain``, then close the pipe, whoever else still holds its end."""
        self._ask(channel, last=True)

    def close(self) -> None:
        """Close all pipes and end the thread."""
        with contextlib.suppress(InboxClosedError):
            self._post(_Close())
        if self._thread is not None:
            self._thread.join(_ANSWER_S)

    def _ask(self, channel: Channel, *, last: bool) -> None:
        done = threading.Event()
        with contextlib.suppress(InboxClosedError):
            self._post(_Drain(channel, done, last))
            done.wait(_ANSWER_S)

    def _post(self, request: _Request) -> None:
        with self._lock:
            if self._closed:
                raise InboxClosedError
            self._closed = isinstance(request, _Close)
            if self._thread is None:
                if self._closed:
                    return  # never used
                self._start()
            self._inbox.put(request)
            if self._wake is not None:
                with contextlib.suppress(BlockingIOError):  # full: it is awake
                    os.write(self._wake[1], b"\0")

    def _start(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake = os.pipe()
        for fd in self._wake:
            os.set_blocking(fd, False)
        self._selector.register(self._wake[0], selectors.EVENT_READ)
        self._pause = select.poll()
        self._pause.register(self._wake[0], select.POLLIN)
        self._thread = OwnerThread("output", self._run)
        self._thread.start()

    # --- the thread -----------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            self._end()

    def _turn(self) -> bool:
        most_bytes = 0
        for key, _ in self._selector.select():
            if isinstance(key.data, Channel):
                most_bytes = max(most_bytes, self._read(key.data))
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(key.fd, 4096)
        while (request := self._inbox.get(0.0)) is not None:
            match request:
                case _Attach(channel):
                    self._channels.add(channel)
                    self._selector.register(channel.fd, selectors.EVENT_READ, channel)
                case _Drain():
                    self._drain(request)
                case _Close():
                    return False
        if 0 < most_bytes < _PIECE_BYTES:
            self._pause.poll(self._pause_ms)
        return True

    def _read(self, channel: Channel) -> int:
        """Read one piece; return its size, 0 if there is none or no more to come."""
        if not channel.is_open:
            return 0
        try:
            data = os.read(channel.fd, _PIECE_BYTES)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if data:
            channel.sink.write(data)
        else:
            self._shut(channel)
        return len(data)

    def _drain(self, request: _Drain) -> None:
        left = _DRAIN_BYTES
        while left > 0 and (size := self._read(request.channel)):
            left -= size
        if request.last:
            self._shut(request.channel)
        request.done.set()

    def _shut(self, channel: Channel) -> None:
        if channel.is_open:
            channel.is_open = False
            self._channels.discard(channel)
            self._selector.unregister(channel.fd)
            os.close(channel.fd)

    def _end(self) -> None:
        for request in self._inbox.close():
            match request:
                case _Attach(channel):
                    os.close(channel.fd)
                case _Drain(done=done):
                    done.set()
                case _Close():
                    continue
        for channel in tuple(self._channels):
            self._shut(channel)
        self._selector.close()
        with self._lock:
            wake, self._wake = self._wake, None
        if wake is not None:
            os.close(wake[0])
            os.close(wake[1])


def _widen(fd: int) -> None:
    """Give the pipe more room where that can be had; fewer turns per megabyte."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux
        with contextlib.suppress(OSError):  # above the user's share
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
