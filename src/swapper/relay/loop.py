"""The threads that relay many answers at once.

A stream of tokens is long and mostly silent: a thread of its own for each would cost
memory and, from a few dozen on, more time in switching than in relaying. Here one
thread sleeps in the kernel for all of them. It never waits for a single one: every
read and write is of the kind that fails rather than waits, and what is told to
observers and owners on the way must not block.
"""

import logging
import os
import selectors
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from swapper.core.errors import ClientGoneError
from swapper.relay.flow import Flow
from swapper.sync import Binding, OwnerThread

logger = logging.getLogger(__name__)


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
        self._entries: set[_Entry] = set()  # the thread's own, as is the selector

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
        self._selector = selectors.DefaultSelector()
        self._wake_up = os.pipe()
        for end in self._wake_up:
            os.set_blocking(end, False)
        self._selector.register(self._wake_up[0], selectors.EVENT_READ)
        self._thread.start()
        self._is_started = True

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # full: it will wake up anyway
            os.write(self._wake_up[1], b"x")

    # --- the relay thread -----------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._is_closed:
                for key, _ in self._selector.select():
                    if key.data is None:
                        self._take_news()
                    else:
                        entry, is_upstream = key.data
                        self._advance(entry, may_read=is_upstream)
        finally:
            self._give_up()

    def _take_news(self) -> None:
        os.read(self._wake_up[0], 4096)
        while self._news:
            entry = self._news.popleft()
            if entry.binding is None:
                self._entries.add(entry)
                # fires at once if it is too late already
                entry.binding = entry.flow.token.bind(partial(self._tell, entry))
            self._advance(entry, may_read=False)

    def _advance(self, entry: _Entry, *, may_read: bool) -> None:
        if entry not in self._entries:
            return  # an event that came together with its end
        flow = entry.flow
        try:
            flow.advance(may_read=may_read)
        except Exception:
            logger.exception("relaying failed")
            flow.give_up(ClientGoneError("relaying failed"))
        self._watch(entry)
        if flow.is_over:
            self._end(entry)

    def _watch(self, entry: _Entry) -> None:
        """Watch the two sockets for what the flow waits for, and no more."""
        reads, writes = entry.flow.reads, entry.flow.writes
        if entry.is_read is not reads:
            entry.is_read = reads
            self._register(
                entry.upstream_fd, selectors.EVENT_READ, (entry, True), reads
            )
        if entry.is_written is not writes:
            entry.is_written = writes
            self._register(
                entry.client_fd, selectors.EVENT_WRITE, (entry, False), writes
            )

    def _register(
        self, fd: int, event: int, data: tuple[_Entry, bool], is_on: bool
    ) -> None:
        if is_on:
            self._selector.register(fd, event, data)
        else:
            # the descriptor may be closed; then the kernel has forgotten it already
            self._selector.unregister(fd)

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
        self._selector.close()
