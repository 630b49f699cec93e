"""One request on one connection, up to the head of its answer."""

import time
from typing import Final, NamedTuple

from swapper.core.errors import BadRequestError
from swapper.net.http1 import (
    MAX_HEAD_BYTES,
    Headers,
    ProtocolError,
    ResponseHead,
    parse_response_head,
    render_head,
)
from swapper.relay.buffers import Buffers
from swapper.relay.connection import Connection
from swapper.relay.headers import is_upgrade as is_switch
from swapper.relay.upload import SMALL_BYTES, BodySource, Upload, pieces, read_all
from swapper.sync import CancelToken

_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class Outgoing(NamedTuple):
    """A request as it goes over the wire.

    Attributes:
        head: rendered.
        body: bytes or ``Buffers`` if it is in hand and can be sent again.
        length: of *body* in bytes; None sends it chunked.
        token: its cancel ends the exchange in every phase.
        is_upgrade: a 101 is an answer.
    """

    method: str
    head: bytes
    body: BodySource | bytes
    length: int | None
    token: CancelToken
    is_upgrade: bool


def outgoing(
    method: str,
    target: str,
    headers: Headers,
    body: BodySource | bytes,
    length: int | None,
    token: CancelToken,
    *,
    is_upgrade: bool,
) -> Outgoing:
    """Return a request ready to go out; a small body is read whole first.

    Args:
        method: sent verbatim, as is *target*.
        target: see ``Endpoint.target``.
        headers: as sent, framing and upgrade included.
        body: read by the thread that sends.
        length: of *body* in bytes; None if unknown.
        token: of the request.
        is_upgrade: a 101 is an answer.

    Raises:
        BadRequestError: a header or the method would break the head.
        ClientGoneError: a small body broke off.
    """
    try:
        head = render_head(f"{method} {target} HTTP/1.1", headers)
    except ProtocolError as exc:
        raise BadRequestError(str(exc)) from exc
    if not isinstance(body, bytes) and length is not None and length <= SMALL_BYTES:
        body = read_all(body, length)
    return Outgoing(method, head, body, length, token, is_upgrade)


class NoAnswerError(ConnectionError):
    """The upstream closed the connection before the first byte of an answer."""


class RepeatError(Exception):
    """The request is to be sent again on a fresh connection.

    Attributes:
        was_sent: a program at the other end may have read it.
    """

    def __init__(self, *, was_sent: bool) -> None:
        self.was_sent = was_sent
        super().__init__()


class Exchange:
    """Sends a request and reads the head that answers it. One thread, one use.

    Attributes:
        connection: bound to the request's token.
        upload: what is still to be sent because the answer came first, else None.
        failure: why sending failed; an answer may have come all the same.
    """

    __slots__ = ("_request", "_was_heard", "connection", "failure", "upload")

    def __init__(self, connection: Connection, request: Outgoing) -> None:
        self.connection = connection
        self.upload: Upload | None = None
        self.failure: OSError | None = None
        self._request = request
        self._was_heard = False  # something has come back

    def run(self, timeout_s: float | None) -> ResponseHead:
        """Return the final head: the first that is not 1xx, or a 101 asked for.

        Args:
            timeout_s: longest silence after the request, before a head.

        Raises:
            TimeoutError: no head within *timeout_s*.
            NoAnswerError: closed without an answer.
            OSError: the connection broke.
            ProtocolError: the answer is not HTTP.
            SwapperError: the client's body broke off or is malformed.
        """
        self.failure = self._send()
        try:
            answer = self._final_head(timeout_s)
        except OSError:
            if self.failure is not None:
                raise self.failure from None
            raise
        if self.upload is not None:
            self._settle_upload(self.upload, answer)
        return answer

    def repeat_after(self, failure: OSError) -> RepeatError | None:
        """Return an error if the request can be sent again on another connection.

        Only after the one race of a kept connection: the upstream closed it while
        the request was on its way. A connection that ends without a reset has been
        read to its end; then only what may run twice is repeated (RFC 9110 9.2.2).
        """
        connection = self.connection
        if (
            not connection.is_reused
            or self._was_heard
            or connection.reader.buffered
            or not isinstance(self._request.body, bytes | Buffers)
            or not isinstance(failure, ConnectionError)
        ):
            return None
        was_sent = not (
            isinstance(failure, BrokenPipeError) or connection.is_known_dead()
        )
        is_reset = isinstance(failure, ConnectionResetError)
        if was_sent and not is_reset and self._request.method not in _IDEMPOTENT:
            return None
        return RepeatError(was_sent=was_sent)

    def _send(self) -> OSError | None:
        """Send; return what went wrong, because an answer may have come first."""
        request = self._request
        if isinstance(request.body, bytes) and len(request.body) <= SMALL_BYTES:
            try:
                self.connection.sock.sendall(request.head + request.body)
            except OSError as exc:
                return exc
            return None
        self.upload = Upload(
            self.connection, pieces(request.head, request.body, request.length)
        )
        self.upload.advance()
        return self.upload.failure

    def _settle_upload(self, upload: Upload, answer: ResponseHead) -> None:
        """Forget a finished upload; stop one that was refused.

        An early answer that is no error may depend on the rest of the request.
        """
        if upload.is_finished:
            self.upload = None
        elif answer.status >= 400:
            upload.drop()

    def _final_head(self, timeout_s: float | None) -> ResponseHead:
        """Skip interim answers; their sizes together have the limit of one head."""
        request = self._request
        left = MAX_HEAD_BYTES
        while True:
            raw = self._next_head(left, timeout_s)
            head = parse_response_head(raw, request_method=request.method)
            if head.status >= 200:
                return head
            if head.status == 101:
                if request.is_upgrade and is_switch(head.headers):
                    return head
                raise ProtocolError("a switch of protocols nobody asked for")
            left -= len(raw)
            if self.upload is not None:
                self.upload.advance()

    def _next_head(self, limit_bytes: int, timeout_s: float | None) -> bytes:
        connection = self.connection
        if timeout_s is None:
            raw = connection.reader.read_head(limit_bytes, None)
        else:
            connection.sock.settimeout(timeout_s)
            deadline = time.monotonic() + timeout_s
            raw = connection.reader.read_head(limit_bytes, deadline)
            connection.sock.settimeout(None)
        if not raw:
            raise NoAnswerError("closed the connection without answering")
        self._was_heard = True
        return raw
