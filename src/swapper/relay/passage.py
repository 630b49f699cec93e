"""The rest of an answer on its way through, without ever waiting.

What an ``AnswerBody`` becomes when somebody relays it who waits for many sockets at
once: bytes come in the framing that the client was told of, checked, and untouched if
that is the upstream's own.
"""

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from swapper.core.errors import ClientGoneError, SwapperError
from swapper.net.chunked import LAST_CHUNK, ChunkTracker
from swapper.net.http1 import Framing, ProtocolError
from swapper.net.stream import READ_BYTES, TruncatedError

if TYPE_CHECKING:
    from swapper.relay.answer import AnswerBody

_BULK_BYTES: Final = 1 << 18
"""Read at once while an upstream fills every read."""


def _nobody(_piece: bytes) -> None:
    """Look at a piece that nobody wants to see."""


class Passage:
    """Bytes of one answer, as they come. One thread at a time.

    Ends as ``AnswerBody`` does: when the last byte has come the connection is back in
    its pool and ``on_end`` has run; on failure the connection is closed.

    Attributes:
        sock: where to wait for more; not to be used once ``is_over``.
        is_over: nothing more will come.
        is_complete: all of it has come.
        failure: why not all of it has come, once it is over.
        is_bulk: of known length, so somebody waits for the whole rather than for the
            next piece.
        payload_bytes: what has come, without framing.
        on_piece: sees the payload in ``report``.
        on_end: runs once when it is over, in whatever way.
    """

    __slots__ = (
        "_answer",
        "_early",
        "_is_coded",
        "_left",
        "_payload",
        "_read_bytes",
        "_source",
        "_tracker",
        "failure",
        "is_complete",
        "is_over",
        "on_end",
        "on_piece",
        "payload_bytes",
        "sock",
    )

    def __init__(
        self,
        answer: "AnswerBody",
        sock: socket.socket,
        early: bytes,
        *,
        source: Framing,
        left: int,
        target: Framing,
    ) -> None:
        """Go on where *answer* stands; ``AnswerBody.hand_over`` makes one.

        Args:
            answer: ended through ``end`` and ``broken``.
            sock: the upstream's, plain and blocking.
            early: bytes behind the head that have been received.
            source: the upstream's framing.
            left: bytes still to come, with ``Framing.LENGTH``.
            target: the client's framing: ``CHUNKED``, or ``LENGTH`` as *source*.
        """
        self.sock = sock
        self.is_over = self.is_complete = False
        self.failure: SwapperError | None = None
        self.payload_bytes = 0
        self.on_piece: Callable[[bytes], object] = _nobody
        self.on_end: Callable[[], object] = lambda: None
        self._answer = answer
        self._early = early
        self._source = source
        self._left = left
        self._payload: list[bytes] = []
        self._tracker = ChunkTracker(self._payload)
        self._is_coded = source is not target
        self._read_bytes = READ_BYTES

    @property
    def has_early(self) -> bool:
        """Return whether ``receive`` has something without asking the socket."""
        return bool(self._early)

    @property
    def is_bulk(self) -> bool:
        """Return whether the length is known; see the class."""
        return self._source is Framing.LENGTH

    def receive(self) -> bytes | None:
        """Return what can be sent to the client; None if nothing has come. Never waits.

        Empty if what came is not complete enough to be passed on.

        Raises:
            UpstreamError: the answer broke off or is malformed.
            ClientGoneError: cancelled, or closed before the end.
        """
        try:
            data = self._read()
            if data and self._source is Framing.CHUNKED:
                return self._pass_chunked(data)
            return None if data is None else self._pass(data)
        except (OSError, ProtocolError, ClientGoneError) as exc:
            raise self._fail(exc) from exc

    def report(self) -> None:
        """Show what came since the last time to whoever wants to see it."""
        payload = self._payload
        for piece in payload:
            self.on_piece(piece)
        payload.clear()

    def close(self) -> None:
        """Give up the rest."""
        if not self.is_over:
            self._fail(ClientGoneError("closed before the end"))

    def _read(self) -> bytes | None:
        if self._early:
            data, self._early = self._early, b""
            return data
        limit = self._read_bytes
        if self._source is Framing.LENGTH:
            limit = min(limit, self._left)
        try:
            data = self.sock.recv(limit, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        self._read_bytes = _BULK_BYTES if len(data) == limit else READ_BYTES
        return data

    def _pass(self, data: bytes) -> bytes:
        if data:
            self._payload.append(data)
            self.payload_bytes += len(data)
        if self._source is Framing.CHUNKED:
            raise TruncatedError("connection closed in the middle of a chunk")
        if self._source is Framing.LENGTH:
            if not data:
                raise TruncatedError(f"connection closed {self._left} bytes early")
            self._left -= len(data)
            ends = not self._left
        else:
            ends = not data
            if ends:
                self._answer.check_whole()
        if ends:
            self._end(b"")
        if not self._is_coded:
            return data
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return chunk + LAST_CHUNK if ends else chunk

    def _pass_chunked(self, data: bytes) -> bytes:
        tracker = self._tracker
        passed = tracker.feed(data)
        self.payload_bytes = tracker.payload_bytes
        if tracker.done:
            self._end(tracker.leftover())
        return passed

    def _end(self, leftover: bytes) -> None:
        self.is_over = self.is_complete = True
        self._answer.end(leftover)
        self.on_end()

    def _fail(self, exc: OSError | ProtocolError | ClientGoneError) -> SwapperError:
        self.is_over = True
        self.failure = self._answer.broken(exc, self.payload_bytes)
        self.on_end()
        return self.failure
