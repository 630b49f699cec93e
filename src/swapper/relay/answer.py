"""The body of an upstream's answer, and what becomes of its connection."""

import ssl
import threading
from enum import Enum

from swapper.core.errors import ClientGoneError, SwapperError
from swapper.net.http1 import Framing, ProtocolError, ResponseHead
from swapper.net.stream import READ_BYTES, LengthBody, TruncatedError, open_body
from swapper.relay.connection import Connection
from swapper.relay.exchange import Exchange
from swapper.relay.faults import Faults
from swapper.relay.passage import Passage
from swapper.relay.pool import ConnectionPool
from swapper.sync import CancelToken


class _State(Enum):
    OPEN = 0
    READING = 1
    READING_CLOSE = 2  # closed by another thread while one was reading
    ENDED = 3


class AnswerBody:
    """What ``requests`` calls ``raw``: the undecoded body, as it arrives.

    One thread reads; ``close`` may be called by any, at any time. The connection
    goes back to the pool before the last piece is handed out, so that whoever saw
    the end can count on it.
    """

    __slots__ = (
        "_body",
        "_connection",
        "_cut",
        "_failure",
        "_faults",
        "_head",
        "_lock",
        "_may_keep",
        "_pool",
        "_received_bytes",
        "_state",
        "_token",
        "_upload",
    )

    def __init__(
        self,
        exchange: Exchange,
        head: ResponseHead,
        token: CancelToken,
        pool: ConnectionPool,
        faults: Faults,
    ) -> None:
        self._connection: Connection = exchange.connection
        self._upload = exchange.upload
        self._cut = exchange.failure
        self._may_keep = head.keep_alive and exchange.failure is None
        self._head = head
        self._token = token
        self._pool = pool
        self._faults = faults
        self._body = open_body(self._connection.reader, head.framing, head.length)
        self._received_bytes = 0
        self._failure: SwapperError | None = None
        self._lock = threading.Lock()  # guards _state: reading against close
        self._state = _State.OPEN
        if self._body.complete:
            self.end()

    def read1(self, limit_bytes: int = READ_BYTES) -> bytes:
        """Return what is there, at least one byte; b"" at the end.

        Blocks until there is something. The rest of a request body whose answer
        came early is sent from here.

        Raises:
            UpstreamError: the answer broke off or its framing is malformed; again
                at every further call.
            ClientGoneError: cancelled or closed before the end.
        """
        with self._lock:
            if self._state is _State.ENDED:
                if self._failure is not None:
                    raise self._failure
                return b""
            self._state = _State.READING
        try:
            data = self._receive(limit_bytes)
        except (OSError, ProtocolError) as exc:
            raise self.broken(exc, self._received_bytes) from exc
        except BaseException:  # the client's body failed
            self._fail(ClientGoneError("closed before the end"))
            raise
        self._received_bytes += len(data)
        if self._body.complete:
            self.end()
        elif not self._go_on():
            raise self._fail(ClientGoneError("closed before the end"))
        return data

    read = read1

    def read_ready(self) -> bytes:
        """Return what has been received already, without waiting; may be empty.

        Only of a body of known length: whether a chunk is complete is not looked at.

        Raises:
            UpstreamError: as ``read1``.
        """
        reader = self._connection.reader
        if self._head.framing is not Framing.LENGTH or self._upload is not None:
            return b""
        return self.read1() if reader.buffered and not self.is_complete else b""

    def hand_over(self, target: Framing, length: int, unread: bytes) -> Passage | None:
        """Return the rest as a passage; None if it has to be read as before.

        The reading thread only, which does not read afterwards. ``close`` still ends
        it.

        Args:
            target: the client's framing.
            length: what is still to be sent to the client, with ``Framing.LENGTH``.
            unread: what ``read_ready`` gave and nobody has seen.
        """
        connection, source = self._connection, self._head.framing
        left = len(unread)
        if isinstance(self._body, LengthBody):
            left += self._body.left
        if (
            self.is_complete
            or (source is Framing.CHUNKED and self._received_bytes)
            or self._upload is not None
            or isinstance(connection.sock, ssl.SSLSocket)
            or not (target is Framing.CHUNKED or (target is source and length == left))
        ):
            return None
        with self._lock:
            if self._state is not _State.OPEN:
                return None
            self._state = _State.READING
        return Passage(
            self,
            connection.sock,
            unread + connection.reader.take_buffered(),
            source=source,
            left=left,
            target=target,
        )

    @property
    def is_complete(self) -> bool:
        """Return whether the whole body has been read."""
        return self._body.complete

    def close(self) -> None:
        """Give up the rest of the body. Any thread, any number of times."""
        with self._lock:
            was = self._state
            if was is _State.OPEN:
                self._state = _State.ENDED
                self._failure = ClientGoneError("closed before the end")
            elif was is _State.READING:
                self._state = _State.READING_CLOSE
        if was is _State.OPEN:
            self._connection.close()
        elif was is _State.READING:
            self._connection.hang_up()  # the reading thread wakes up and closes it

    def _receive(self, limit_bytes: int) -> bytes:
        if self._upload is not None:
            self._upload.advance()
            self._cut = self._upload.failure
            if self._upload.is_finished:
                self._upload = None
        data = self._body.read1(limit_bytes)
        if not data and self._head.framing is Framing.CLOSE:
            self.check_whole()
        return data

    def _go_on(self) -> bool:
        with self._lock:
            if self._state is _State.READING_CLOSE:
                return False
            self._state = _State.OPEN
            return True

    # --- for whoever reads: the methods above, or a Passage ------------------------

    def check_whole(self) -> None:
        """Raise if the end of the connection may not be the end of the body.

        Raises:
            ClientGoneError: it is of our own making.
            OSError: sending has met a reset, or reading would have.
        """
        if self._token.cancelled or self._state is _State.READING_CLOSE:
            raise ClientGoneError("closed before the end")
        if self._cut is not None:
            raise self._cut

    def end(self, leftover: bytes = b"") -> None:
        """Everything has been read: keep the connection if it is fit for more.

        Args:
            leftover: came behind the end.
        """
        with self._lock:
            is_wanted = self._state is not _State.READING_CLOSE
            self._state = _State.ENDED
        connection = self._connection
        if (
            is_wanted
            and self._upload is None
            and self._may_keep
            and not leftover
            and not connection.reader.buffered
            and connection.unbind()
        ):
            self._pool.give(connection)
        else:
            connection.close()

    def broken(
        self, exc: OSError | ProtocolError | ClientGoneError, received_bytes: int
    ) -> SwapperError:
        """Close the connection after *exc*; return what to raise."""
        if isinstance(exc, ClientGoneError):
            return self._fail(exc)
        what = f"broke off its answer after {received_bytes} bytes"
        if isinstance(exc, ProtocolError) and not isinstance(exc, TruncatedError):
            what = f"sent a malformed answer after {received_bytes} bytes"
        return self._fail(self._faults.error(exc, what, self._token))

    def _fail(self, failure: SwapperError) -> SwapperError:
        """Close the connection and remember why; return what to raise."""
        with self._lock:
            if self._state is _State.READING_CLOSE:
                failure = ClientGoneError("closed before the end")
            self._state = _State.ENDED
            self._failure = failure
        self._connection.close()
        return failure
