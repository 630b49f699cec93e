"""The threads that relay many answers at once.

A stream of tokens is long and mostly silent: a thread of its own for each would cost
memory and, from a few dozen on, more time in switching than in relaying. Here one
thread sleeps in the kernel for all of them. It never waits for a single one: every
read and write is of the kind that fails rather than waits, and what is told to
tracks and owners on the way must not block.
"""

import logging
import os
import select
import selectors
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from swapper.core.errors import ClientGoneError
from swapper.relay.flow import Flow
from swapper.sync import Binding, OwnerThread
from swapper.sync.affinity import AFFINITY

logger = logging.getLogger(__name__)

if sys.platform == "linux":
    READ, WRITE = select.EPOLLIN, select.EPOLLOUT

    class _Poller:
        """Says which descriptors are ready. One thread.

        ``selectors`` would take longer to say so than a token takes to be relayed.
        """

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self.wait = self._epoll.poll
            self.close = self._epoll.close

        def watch(self, fd: int, event: int) -> None:
            """Report *fd*, which is not watched, when it is ready."""
            self._epoll.register(fd, event)

        def forget(self, fd: int) -> None:
            """Report *fd* no more."""
            # it may be closed; then the kernel has forgotten it already
            with suppress(OSError):
                self._epoll.unregister(fd)

else:
    READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

    class _Poller:
        """Says which descriptors are ready. One thread."""

        def __init__(self) -> None:
            self._selector = selectors.DefaultSelector()
            self.close = self._selector.close

        def watch(self, fd: int, event: int) -> None:
            """Report *fd*, which is not watched, when it is ready."""
            self._selector.register(fd, event)

        def forget(self, fd: int) -> None:
            """Report *fd* no more; it may be closed."""
            self._selector.unregister(fd)

        def wait(self) -> list[tuple[int, int]]:
            """Return descriptors and what they are ready for; blocks."""
            return [(key.fd, events) for key, events in self._selector.select()]


class _Entry:
    """A flow in the loop; the relay thread's.

    Attributes:
        on_over: called once when nothing is left to do.
        binding: wakes the loop when the request is cancelled; None before the thread
            has seen the flow.
        is_read: its upstream is watched.
        is_written: its client is watched.
    """

    __slots__ = (
        "binding",
        "client_fd",
        "flow",
        "is_read",
        "is_written",
        "on_over",
        "upstream_fd",
    )

    def __init__(self, flow: Flow, on_over: Callable[[], object]) -> None:
        self.flow = flow
        self.on_over = on_over
        self.binding: Binding | None = None
        self.upstream_fd = flow.passage.sock.fileno()
        self.client_fd = flow.client.fileno()
        self.is_read = self.is_written = False


class RelayLoop:
    """One relay thread. It starts with its first flow and ends with ``close``."""

    def __init__(self, name: str) -> None:
        """Prepare a thread called *name*."""
        # Guards _is_started, _is_closed and the writing end of _wake_up.
        self._lock = threading.Lock()
        self._is_started = self._is_closed = False
        self._news: deque[_Entry] = deque()  # new or cancelled; any thread appends
        self._thread = OwnerThread(name, self._run)
        # The thread's own, as is the poller. By descriptor: what it belongs to, and
        # whether that is its upstream.
        self._entries: set[_Entry] = set()
        self._ends: dict[int, tuple[_Entry, bool]] = {}

    def add(self, flow: Flow, on_over: Callable[[], object]) -> bool:
        """Relay *flow* from now on. Any thread; never blocks.

        Args:
            flow: belongs to the loop until *on_over*.
            on_over: called once, in the relay thread, when ``flow.is_over``; must not
                block nor raise.

        Returns:
            False if the loop has been closed; then *flow* was not taken.
        """
        return self._tell(_Entry(flow, on_over))

    def close(self) -> None:
        """Give up what is being relayed and end the thread. Idempotent."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
            if self._is_started and not was_closed:
                self._wake()
        if not self._thread.is_current():
            self._thread.join()

    def _tell(self, entry: _Entry) -> bool:
        with self._lock:
            if self._is_closed:
                return False
            if not self._is_started:
                self._start()
            self._news.append(entry)
            self._wake()
        return True

    def _start(self) -> None:
        self._poller = _Poller()
        self._wake_up = os.pipe()
        for end in self._wake_up:
            os.set_blocking(end, False)
        self._poller.watch(self._wake_up[0], READ)
        self._thread.start()
        self._is_started = True

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # full: it will wake up anyway
            os.write(self._wake_up[1], b"x")

    # --- the relay thread -----------------------------------------------------------

    def _run(self) -> None:
        try:
            with AFFINITY.spread():
                self._relay()
        finally:
            self._give_up()

    def _relay(self) -> None:
        wait, ends, wake_up = self._poller.wait, self._ends, self._wake_up[0]
        while not self._is_closed:
            for fd, _ in wait():
                if fd in ends:  # else it has just ended, together with its event
                    self._advance(*ends[fd])  # no name that would keep the last
                elif fd == wake_up:
                    self._take_news()

    def _take_news(self) -> None:
        os.read(self._wake_up[0], 4096)
        while self._news:
            entry = self._news.popleft()
            if entry.binding is None:
                self._entries.add(entry)
                # fires at once if it is too late already
                entry.binding = entry.flow.token.bind(partial(self._tell, entry))
            if entry in self._entries:  # else it was cancelled as it ended
                self._advance(entry, False)

    def _advance(self, entry: _Entry, may_read: bool) -> None:
        flow = entry.flow
        try:
            flow.advance(may_read=may_read)
        except Exception:
            logger.exception("relaying failed")
            flow.give_up(ClientGoneError("relaying failed"))
        if entry.is_read is not flow.reads:
            entry.is_read = flow.reads
            self._watch(entry.upstream_fd, READ, (entry, True), flow.reads)
        if entry.is_written is not flow.writes:
            entry.is_written = flow.writes
            self._watch(entry.client_fd, WRITE, (entry, False), flow.writes)
        if flow.is_over:
            self._end(entry)

    def _watch(
        self, fd: int, event: int, end: tuple[_Entry, bool], is_on: bool
    ) -> None:
        if is_on:
            self._ends[fd] = end
            self._poller.watch(fd, event)
        else:
            del self._ends[fd]
            self._poller.forget(fd)

    def _end(self, entry: _Entry) -> None:
        self._entries.discard(entry)
        if entry.binding is not None:
            entry.binding.release()
        entry.on_over()

    def _give_up(self) -> None:
        with self._lock:
            self._is_closed = True  # the thread may have crashed
            for end in self._wake_up:
                os.close(end)
        self._entries.update(entry for entry in self._news if entry.binding is None)
        for entry in tuple(self._entries):
            entry.flow.give_up(ClientGoneError("the server is ending"))
            self._end(entry)
        self._poller.close()
