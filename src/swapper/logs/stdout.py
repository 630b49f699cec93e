"""Standard output as one more reader of the combined log.

A terminal that is stopped, a pipe nobody reads or a full disk must never stop a model
or a request. So stdout is written by one thread that reads a subscription: while it
is stuck, the bounded queue drops and says so, and everybody else goes on. A reader
of our stdout that has gone away (EPIPE) ends the thread for good.

Under load a line per request would mean a change of threads per request. So after a
write the thread looks away for a moment; a first line still goes out at once.
"""

import threading
from typing import BinaryIO, Final

from swapper.logs.monitor import Monitor
from swapper.sync import OwnerThread

_LAST_LINES_S: Final = 1.0
"""How long the end of swapper waits for its last lines to get out."""

_PAUSE_S: Final = 0.02


class StdoutWriter:
    """Copies a monitor to a binary stream in a thread of its own."""

    __slots__ = ("_is_ending", "_stream", "_subscription", "_thread")

    def __init__(self, monitor: Monitor, stream: BinaryIO) -> None:
        self._stream = stream
        self._is_ending = threading.Event()
        self._subscription = monitor.subscribe(history=False)
        self._thread = OwnerThread("stdout", self._run)
        self._thread.start()

    def join(self) -> bool:
        """Wait, not for long, until the closed monitor's last bytes are written."""
        self._is_ending.set()
        return self._thread.join(_LAST_LINES_S)

    def _run(self) -> None:
        while data := self._subscription.read():
            try:
                self._stream.write(data)
                self._stream.flush()
                self._is_ending.wait(_PAUSE_S)
            except (BrokenPipeError, ValueError):  # ValueError: the file is closed
                self._subscription.close()
            except OSError:
                continue  # a full disk, a non-blocking terminal: these bytes are lost
