"""The request body as ``wsgi.input``: ends where the body ends, comes as it arrives."""

import io
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Final, cast

from swapper.core.errors import BadRequestError, ClientGoneError
from swapper.net.http1 import Framing, ProtocolError, RequestHead, list_items
from swapper.net.stream import SocketReader, TruncatedError, open_body

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE_BYTES: Final = 1 << 18
_BUFFER_BYTES: Final = 1 << 16

DRAIN_BYTES: Final = 1 << 16
"""A request body of which more than this was left unread costs the connection."""


class RequestBody:
    """The body of one request and what is known about it. Request thread.

    Attributes:
        body: the same without translated errors.
        stream: ``wsgi.input``: ``read``, ``read1``, ``readline``, ``readinto`` ...
            Raises ``ClientGoneError`` when the client breaks off and
            ``BadRequestError`` for malformed chunks.
    """

    def __init__(
        self,
        reader: SocketReader,
        head: RequestHead,
        send_continue: Callable[[], None],
    ) -> None:
        """Prepare to read; nothing is read from the socket yet.

        Args:
            reader: stands behind the head.
            head: of the request.
            send_continue: sends ``100 Continue``; called once at most, when the
                client waits for it and the application starts to read.
        """
        self.body = open_body(reader, head.framing, head.length)
        self._has_failed = False
        self._awaits_continue = False
        self._send_continue = send_continue
        self._left = head.length
        if head.framing is not Framing.CHUNKED and (
            len(reader.buffered) >= head.length
        ):
            # the usual case: all of it came with the head (or there is none)
            data = self.body.read1(head.length) if head.length else b""
            self.stream: IO[bytes] = io.BytesIO(data)
            return
        self._awaits_continue = head.version == (1, 1) and _expects_continue(head)
        self.stream = cast(
            "IO[bytes]", io.BufferedReader(_RawBody(self), _BUFFER_BYTES)
        )

    @property
    def is_complete(self) -> bool:
        """Return whether all of the body has been read from the connection."""
        return self.body.complete

    @property
    def is_short(self) -> bool:
        """Return whether the unread rest may be small enough to be read and dropped.

        Not while the client waits to be asked for it: one cannot know whether it
        will still send the body after the answer (RFC 9110 section 10.1.1).
        """
        return self.body.complete or not (
            self._has_failed or self._awaits_continue or self._left > DRAIN_BYTES
        )

    def read1(self, limit_bytes: int) -> bytes:
        """Return what is there; b"" at the end of the body.

        For whoever wants nothing of ``stream``, which it overtakes.

        Raises:
            ClientGoneError: the client broke off.
            BadRequestError: malformed chunks.
        """
        if self._awaits_continue:
            self._awaits_continue = False
            self._send_continue()
        try:
            data = self.body.read1(limit_bytes)
        except (TruncatedError, OSError) as exc:
            self._has_failed = True
            raise ClientGoneError("the client broke off its request") from exc
        except ProtocolError as exc:
            self._has_failed = True
            raise BadRequestError(f"malformed request body: {exc}") from exc
        self._left -= len(data)  # below zero if chunked, which stands for unknown
        return data


class _RawBody(io.RawIOBase):
    """What ``io.BufferedReader`` needs below itself."""

    def __init__(self, body: RequestBody) -> None:
        self._body = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        if not len(view):
            return 0
        data = self._body.read1(min(len(view), _PIECE_BYTES))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        # RawIOBase.readall would ask for 8 KiB at a time. A join would copy it all at
        # once while nobody else may run; what BytesIO has written it gives away.
        whole = io.BytesIO()
        while piece := self._body.read1(_PIECE_BYTES):
            whole.write(piece)
        return whole.getvalue()


def _expects_continue(head: RequestHead) -> bool:
    return "100-continue" in list_items(head.headers.get_all("expect"))
