"""The client's connection, under whichever WSGI server we run.

Our own server puts a ``swapper.client`` into the environ; gunicorn its socket, which
we watch ourselves; waitress a function to ask, which has to be polled. Elsewhere a
hang-up is noticed only when a write fails.
"""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from swapper.net.hangup import HangupWatcher
from swapper.sync import CancelToken, Inbox, OwnerThread

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_POLL_INTERVAL_S = 0.1


def _nothing() -> None:
    """Be the end of a watch that there is not."""


class Client(Protocol):
    """The other end of a request."""

    @property
    def token(self) -> CancelToken:
        """Return the token that is cancelled when the client hangs up."""
        ...

    def takeover(self) -> tuple[socket.socket, bytes] | None:
        """Hand over the socket and bytes read ahead; None if there is no socket."""
        ...


@dataclass(frozen=True, slots=True)
class _ForeignClient:
    """A client behind a server that is not ours."""

    token: CancelToken
    sock: socket.socket | None = None
    end_watch: Callable[[], object] = _nothing

    def takeover(self) -> tuple[socket.socket, bytes] | None:
        """Hand over the socket; bytes the server read ahead are not to be had.

        The watch ends: for a tunnel a half-close is no hang-up.
        """
        if self.sock is None:
            return None
        self.end_watch()
        return self.sock, b""


class ClientWatch:
    """Notices hang-ups for servers that do not do it themselves. Any thread."""

    def __init__(self) -> None:
        self._watcher = HangupWatcher()
        self._poller = _Poller()

    def client(self, environ: "WSGIEnvironment") -> tuple[Client, Callable[[], object]]:
        """Return the client and what to call when its request has ended."""
        own = environ.get("swapper.client")
        if own is not None:
            return cast("Client", own), _nothing
        token = CancelToken()
        sock = environ.get("gunicorn.socket")
        if sock is not None:
            watch = self._watcher.watch(sock, token.cancel)
            return _ForeignClient(token, sock, watch.close), watch.close
        has_left = environ.get("waitress.client_disconnected")
        if has_left is not None:
            return _ForeignClient(token), self._poller.watch(has_left, token)
        return _ForeignClient(token), _nothing

    def close(self) -> None:
        """End the threads."""
        self._watcher.close()
        self._poller.close()


@dataclass(frozen=True, slots=True)
class _Add:
    token: CancelToken
    has_left: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Remove:
    token: CancelToken


@dataclass(frozen=True, slots=True)
class _End:
    pass


def client_ip(environ: "WSGIEnvironment") -> str:
    """Return who asked: as proxies before us say, else the connection's address.

    For showing only; whoever connects can say anything. Source: http-api.md 2.5.
    """
    forwarded = str(environ.get("HTTP_X_FORWARDED_FOR", "")).partition(",")[0].strip()
    return (
        forwarded
        or str(environ.get("HTTP_X_REAL_IP", ""))
        or str(environ.get("REMOTE_ADDR", ""))
    )


class _Poller:
    """Asks for each request in progress whether its client has left.

    Costs nothing while there is none. waitress answers only if it reads ahead
    (``channel_request_lookahead`` of at least 1).
    """

    def __init__(self) -> None:
        self._inbox: Inbox[_Add | _Remove | _End] = Inbox()
        self._thread = OwnerThread("hangup-poll", self._run)
        self._starts = [self._thread.start]  # list.pop makes the start happen once

    def watch(
        self, has_left: Callable[[], bool], token: CancelToken
    ) -> Callable[[], object]:
        """Cancel *token* once *has_left*; return what ends the watch."""
        if self._starts:
            with suppress(IndexError):  # another thread was faster
                self._starts.pop()()
        self._inbox.put(_Add(token, has_left))
        return lambda: self._inbox.put(_Remove(token))

    def close(self) -> None:
        """End the thread."""
        self._inbox.put(_End())
        self._thread.join()

    def _run(self) -> None:
        watched: dict[CancelToken, Callable[[], bool]] = {}
        while True:
            deadline = time.monotonic() + _POLL_INTERVAL_S if watched else None
            match self._inbox.get(deadline):
                case _Add(token, has_left):
                    watched[token] = has_left
                case _Remove(token):
                    watched.pop(token, None)
                case _End():
                    return
                case None:
                    for token in [t for t, left in watched.items() if left()]:
                        del watched[token]
                        token.cancel()
