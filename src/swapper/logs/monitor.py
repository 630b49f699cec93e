"""A sink for bytes that remembers the last of them and feeds live readers.

One lock per monitor guards its history and the queues of its subscriptions: the
history a reader starts with and what follows live meet without gap or overlap.
Nothing is called and nothing waits while the lock is held, so a reader that never
reads costs the writer nothing but dropped bytes.
"""

import threading
from collections import deque
from typing import Final, Protocol

from swapper.logs.ring import HISTORY_BYTES, ByteRing

QUEUE_PIECES: Final = 1024
"""Pieces a reader may be behind (http-api.md 25.2)."""

QUEUE_BYTES: Final = 1 << 20
"""Bytes a reader may be behind."""


class Sink(Protocol):
    """Where a monitor passes on what it is written."""

    def write(self, data: bytes) -> None:
        """Take *data*; must not block and must not raise."""
        ...


class Subscription:
    """One live reader of a monitor. ``read`` in one thread, ``close`` in any."""

    __slots__ = (
        "_bell",
        "_closed",
        "_dropped_bytes",
        "_monitor",
        "_pieces",
        "_queued_bytes",
        "_ready",
    )

    def __init__(
        self, monitor: "Monitor", lock: threading.Lock, bell: threading.Event | None
    ) -> None:
        self._monitor = monitor
        self._bell = bell
        self._ready = threading.Condition(lock)  # the monitor's lock guards all below
        self._pieces: deque[bytes] = deque()
        self._queued_bytes = 0
        self._dropped_bytes = 0
        self._closed = False

    def read(self, timeout_s: float | None = None) -> bytes | None:
        r"""Return all that has come since the last call, at least one byte.

        Bytes dropped because the reader was too slow are replaced, where they were,
        by ``\n— 123 bytes dropped —\n``.

        Returns:
            None if nothing came within *timeout_s* (None waits for as long as it
            takes); b"" when the subscription has ended.
        """
        with self._ready:
            self._ready.wait_for(self._has_news, timeout_s)
            if self._pieces or self._dropped_bytes:
                return self._take()
            return b"" if self._closed else None

    def close(self) -> None:
        """End the subscription and wake its reader; what was queued is dropped."""
        self._monitor.unsubscribe(self)

    def finish(self) -> None:
        """End the subscription after what is queued. Any thread."""
        self._monitor.unsubscribe(self, discard=False)

    def _has_news(self) -> bool:
        return bool(self._pieces or self._dropped_bytes or self._closed)

    def _take(self) -> bytes:
        if self._dropped_bytes:
            notice = f"\n— {self._dropped_bytes} bytes dropped —\n"
            self._pieces.append(notice.encode())
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._queued_bytes = self._dropped_bytes = 0
        return data

    # The rest is for the monitor, which holds the lock.

    def _offer(self, data: bytes) -> None:
        # Once something is dropped all is dropped until the reader comes back: the
        # notice then stands exactly where the bytes are missing.
        fits = len(self._pieces) < QUEUE_PIECES and (
            self._queued_bytes + len(data) <= QUEUE_BYTES or not self._pieces
        )
        if self._dropped_bytes or not fits:
            self._dropped_bytes += len(data)
            return
        self._pieces.append(data)
        self._queued_bytes += len(data)
        self._ready.notify()
        if self._bell is not None and not self._bell.is_set():
            self._bell.set()

    def _end(self, *, discard: bool) -> None:
        self._closed = True
        if discard:
            self._pieces.clear()
            self._dropped_bytes = 0
        self._ready.notify_all()
        if self._bell is not None:
            self._bell.set()


class Monitor:
    """Bytes in; history, live readers and an optional next sink out.

    All methods may be called from any thread and never wait for a reader. Writers
    of one monitor that must keep their order have to agree among themselves.
    """

    __slots__ = ("_closed", "_lock", "_next", "_ring", "_subscriptions")

    def __init__(
        self, forward_to: Sink | None = None, *, history_bytes: int = HISTORY_BYTES
    ) -> None:
        """Make an empty monitor.

        Args:
            forward_to: gets every write too, after this monitor has it.
            history_bytes: how much to remember.
        """
        self._next = forward_to
        self._lock = threading.Lock()  # guards what follows and each subscription
        self._ring = ByteRing(history_bytes)
        self._subscriptions: tuple[Subscription, ...] = ()
        self._closed = False

    def write(self, data: bytes) -> None:
        """Append *data* to the history and pass it to every reader."""
        if not data:
            return
        with self._lock:
            self._ring.write(data)
            for subscription in self._subscriptions:
                subscription._offer(data)  # noqa: SLF001 - one mechanism, two classes
        if self._next is not None:
            self._next.write(data)

    def history(self) -> bytes:
        """Return the last bytes written, up to the limit; may start mid-character."""
        return self.since(0)

    def mark(self) -> int:
        """Return how many bytes were ever written, as a position for ``since``."""
        with self._lock:
            return self._ring.total

    def since(self, mark: int) -> bytes:
        """Return what the history still has of the bytes written after *mark*."""
        with self._lock:
            return self._ring.since(mark)

    def subscribe(
        self, *, history: bool = True, bell: threading.Event | None = None
    ) -> Subscription:
        """Return a reader of everything written from now on.

        Args:
            history: let it begin with the history, without gap or repetition.
            bell: set whenever there is something to read, for a thread that waits
                for several things; it reads with a timeout of 0.
        """
        subscription = Subscription(self, self._lock, bell)
        with self._lock:
            past = self._ring.since(0) if history else b""
            if past:
                subscription._offer(past)  # noqa: SLF001 - one mechanism
            if self._closed:
                subscription._end(discard=False)  # noqa: SLF001 - one mechanism
            else:
                self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription, *, discard: bool = True) -> None:
        """End *subscription*; the same as its ``close`` or ``finish``."""
        with self._lock:
            self._subscriptions = tuple(
                other for other in self._subscriptions if other is not subscription
            )
            subscription._end(discard=discard)  # noqa: SLF001 - one mechanism

    def close(self) -> None:
        """End all readers, also later ones, after what they have queued.

        Writing goes on to be remembered and forwarded.
        """
        with self._lock:
            self._closed = True
            for subscription in self._subscriptions:
                subscription._end(discard=False)  # noqa: SLF001 - one mechanism
            self._subscriptions = ()
