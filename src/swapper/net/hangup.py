"""Notices that the peer of a socket has left, without reading from it.

One thread sleeps in the kernel for all watched sockets; data that arrives does not
wake it, and unread data does not hide a hang-up. A half-close (``shutdown`` of the
peer's writing side) counts as leaving, as in Go's ``net/http``.

A descriptor may be closed and used for another connection while its event is on the
way. Hence an event is only a hint: the watch is looked up first, then the socket is
asked again, then whoever pops the callback (the event or ``Watch.close``) has it.
"""

import contextlib
import errno
import logging
import os
import select
import socket
import sys
import threading
from collections.abc import Callable

from swapper.sync import OwnerThread

logger = logging.getLogger(__name__)

if sys.platform == "linux":
    _LEFT = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR

    class _Poller:
        """Says which sockets may have lost their peer. Any thread."""

        def __init__(self) -> None:
            self._epoll = select.epoll()

        def add(self, fd: int) -> None:
            """Report *fd* once per change, the present state included."""
            self._epoll.register(fd, _LEFT | select.EPOLLET)

        def add_wake_up(self, fd: int) -> None:
            """Report *fd* when it is readable."""
            self._epoll.register(fd, select.EPOLLIN)

        def remove(self, fd: int) -> None:
            """Stop reporting *fd*."""
            self._epoll.unregister(fd)

        def wait(self) -> list[int]:
            """Return descriptors to look at; blocks until there is one."""
            return [fd for fd, _ in self._epoll.poll()]

        def close(self) -> None:
            """Free the descriptor."""
            self._epoll.close()

    def has_hung_up(fd: int) -> bool:
        """Return whether the peer of a socket has closed or half-closed."""
        poll = select.poll()
        poll.register(fd, select.POLLRDHUP)
        return bool(poll.poll(0))

else:

    class _Poller:
        """Says which sockets may have lost their peer. Any thread."""

        def __init__(self) -> None:
            self._kqueue = select.kqueue()

        def add(self, fd: int) -> None:
            """Report *fd* on every change, arriving data included."""
            self._change(fd, select.KQ_EV_ADD | select.KQ_EV_CLEAR)

        add_wake_up = add

        def remove(self, fd: int) -> None:
            """Stop reporting *fd*."""
            self._change(fd, select.KQ_EV_DELETE)

        def wait(self) -> list[int]:
            """Return descriptors to look at; blocks until there is one."""
            return [event.ident for event in self._kqueue.control(None, 64, None)]

        def close(self) -> None:
            """Free the descriptor."""
            self._kqueue.close()

        def _change(self, fd: int, flags: int) -> None:
            event = select.kevent(fd, select.KQ_FILTER_READ, flags)
            self._kqueue.control([event], 0, 0)

    def has_hung_up(fd: int) -> bool:
        """Return whether the peer of a socket has closed or half-closed."""
        with contextlib.closing(select.kqueue()) as kqueue:
            event = select.kevent(fd, select.KQ_FILTER_READ, select.KQ_EV_ADD)
            found = kqueue.control([event], 1, 0)
        return any(event.flags & select.KQ_EV_EOF for event in found)


class Watch:
    """A callback tied to a socket; either a hang-up or ``close`` takes it."""

    __slots__ = ("_callbacks", "_watcher", "fd")

    def __init__(
        self, watcher: "HangupWatcher", fd: int, callback: Callable[[], object]
    ) -> None:
        self.fd = fd
        self._watcher = watcher
        self._callbacks = [callback]  # list.pop is the atomic "who takes it"

    def close(self) -> bool:
        """Stop watching; return True if the callback has not run and never will.

        Call it before closing the socket. Any thread, several times; never blocks.
        """
        if self._take() is None:
            return False
        self._watcher._forget(self)  # noqa: SLF001 - the two classes are one mechanism
        return True

    def _take(self) -> Callable[[], object] | None:
        try:
            return self._callbacks.pop()
        except IndexError:
            return None


class HangupWatcher:
    """Runs callbacks when peers hang up. All methods: any thread.

    Its thread starts with the first watch and ends with ``close``.
    """

    def __init__(self, name: str = "hangup") -> None:
        """Prepare a thread called *name*."""
        self._lock = threading.Lock()  # guards all below
        self._watches: dict[int, Watch] = {}
        self._poller: _Poller | None = None  # None before the first watch
        self._wake_up: tuple[int, int] | None = None  # reading and writing end
        self._thread = OwnerThread(name, self._run)
        self._is_closed = False

    def watch(self, sock: socket.socket, callback: Callable[[], object]) -> Watch:
        """Run *callback* once when the peer of *sock* has left, or has left already.

        One watch per socket at a time. After ``close`` nothing is watched.

        Args:
            sock: a connected stream socket, plain or TLS; not read from.
            callback: runs in the watcher's thread; must not block nor raise.

        Raises:
            OSError: *sock* is closed or watched already.
        """
        fd = sock.fileno()
        if fd < 0:
            raise OSError(errno.EBADF, "cannot watch a closed socket")
        self._open()
        watch = Watch(self, fd, callback)
        with self._lock:
            if self._poller is not None and not self._is_closed:
                # an event may come at once: by the time the thread gets the lock to
                # look the watch up, it is there
                self._poller.add(fd)
                self._watches[fd] = watch
        return watch

    def close(self) -> None:
        """End the thread; callbacks that have not run never will. Idempotent."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._watches.clear()
            if self._wake_up is not None:
                # under the lock, because the thread closes the pipe when it ends
                os.write(self._wake_up[1], b"x")
        if not self._thread.is_current():
            self._thread.join()

    def _open(self) -> None:
        """Start the thread, if this is the first watch."""
        with self._lock:
            if self._poller is not None or self._is_closed:
                return
            self._poller = _Poller()
            self._wake_up = os.pipe()
            self._poller.add_wake_up(self._wake_up[0])
        self._thread.start()

    def _run(self) -> None:
        poller, wake_up = self._poller, self._wake_up
        if poller is None or wake_up is None:
            return
        try:
            while not self._is_closed:
                for fd in poller.wait():
                    self._look_at(fd)
        finally:
            with self._lock:
                self._is_closed = True
                poller.close()
                for end in wake_up:
                    os.close(end)

    def _look_at(self, fd: int) -> None:
        with self._lock:
            watch = self._watches.get(fd)
        if watch is None or not has_hung_up(fd):
            return
        callback = watch._take()  # noqa: SLF001 - the two classes are one mechanism
        if callback is None:
            return
        self._forget(watch)
        try:
            callback()
        except Exception:
            logger.exception("hang-up callback failed")

    def _forget(self, watch: Watch) -> None:
        with self._lock:
            # the descriptor may be another connection's by now
            if self._watches.get(watch.fd) is not watch:
                return
            del self._watches[watch.fd]
            if self._poller is not None:
                # OSError: the socket was closed first, which ended it as well
                with contextlib.suppress(OSError):
                    self._poller.remove(watch.fd)
