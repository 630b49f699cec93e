"""One answer between two sockets: what has been read and not yet been sent."""

import select
import socket
import time
from typing import Final

from swapper.core.errors import ClientGoneError, SwapperError
from swapper.relay.passage import Passage
from swapper.sync import CancelToken

HIGH_BYTES: Final = 1 << 18
"""With so much unsent, nothing more is read ..."""

LOW_BYTES: Final = 1 << 16
"""... until no more than this is left."""

_SMALL_BYTES: Final = 1 << 14
"""So much is copied to be sent together with what is behind it."""


class Flow:
    """Moves an answer to its client without waiting for either. One thread at a time.

    A client that does not read costs what lies between two watermarks; then the
    upstream is not read either, and the kernel slows it down.

    Attributes:
        passage: where the bytes come from.
        client: where they go; plain and blocking. Not closed here.
        token: of the request.
        failure: why it ended before the end; None while it has not.
        is_over: there is nothing left to do, for better or worse.
        reads: the upstream is to be watched.
        writes: the client has not taken all there is; it is to be watched.
    """

    __slots__ = (
        "_is_paused",
        "_later",
        "_later_bytes",
        "_unsent",
        "client",
        "failure",
        "is_over",
        "passage",
        "reads",
        "token",
        "writes",
    )

    def __init__(
        self, passage: Passage, client: socket.socket, token: CancelToken, head: bytes
    ) -> None:
        """Begin with *head*, which has not been sent yet; no I/O."""
        self.passage = passage
        self.client = client
        self.token = token
        self.failure: SwapperError | None = None
        self.is_over = False
        self._unsent: bytes | memoryview = head
        self._later: list[bytes] = []  # behind _unsent
        self._later_bytes = 0
        self._is_paused = False
        self._look()

    def begin(self, grace_s: float) -> None:
        """Send the head with what is there, and relay for a moment. Blocks.

        Many an answer is complete before it is worth a change of threads.

        Args:
            grace_s: how long; shorter once the client does not keep up.
        """
        self.advance(may_read=self.passage.has_early)
        deadline = time.monotonic() + grace_s
        while self.reads and not self.writes:
            left_s = deadline - time.monotonic()
            poll = select.poll()
            poll.register(self.passage.sock, select.POLLIN)
            if left_s <= 0 or not poll.poll(left_s * 1000):
                return
            self.advance(may_read=True)

    def advance(self, *, may_read: bool) -> None:
        """Move what can be moved now.

        Args:
            may_read: look for more from the upstream.
        """
        if self.is_over:
            return
        if self.token.cancelled:
            self.give_up(ClientGoneError("the client hung up"))
            return
        if may_read and self.reads:
            self._receive()
        if self._unsent:
            self._send()
        self.passage.report()
        if self.passage.is_over and not self._unsent:
            self.is_over = True
        self._look()

    def give_up(self, failure: SwapperError) -> None:
        """End at once, whatever is left."""
        if not self.is_over:
            self.is_over = True
            self.failure = self.failure or failure
            self.passage.close()
        self._look()

    def _look(self) -> None:
        is_over = self.is_over
        self.reads = not (is_over or self._is_paused or self.passage.is_over)
        self.writes = bool(self._unsent) and not is_over

    def _receive(self) -> None:
        try:
            data = self.passage.receive()
        except SwapperError as exc:
            self.failure = exc  # what came before is still sent
            return
        if not data:
            return
        if not self._unsent:
            self._unsent = data
        else:
            self._later.append(data)
            self._later_bytes += len(data)
            self._is_paused = len(self._unsent) + self._later_bytes >= HIGH_BYTES

    def _send(self) -> None:
        if self._later and len(self._unsent) < _SMALL_BYTES:
            self._unsent = b"".join((self._unsent, *self._later))
            self._later.clear()
            self._later_bytes = 0
        try:
            sent = self.client.send(self._unsent, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as exc:
            gone = ClientGoneError("the client's connection broke")
            gone.__cause__ = exc
            self.give_up(gone)
            return
        if sent < len(self._unsent):
            self._unsent = memoryview(self._unsent)[sent:]
        elif self._later:
            self._unsent = b"".join(self._later)
            self._later.clear()
            self._later_bytes = 0
        else:  # a slice would keep what it is a slice of
            self._unsent = b""
        if self._is_paused:
            self._is_paused = len(self._unsent) + self._later_bytes > LOW_BYTES
