"""One request to one upstream, and its answer streamed back.

Nothing is held back and nothing is kept: memory is a few buffers whatever the size
of request and answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from swapper.net.hangup import HangupWatcher
from swapper.net.http1 import Framing, Headers
from swapper.net.stream import READ_BYTES
from swapper.relay.answer import AnswerBody
from swapper.relay.endpoint import Timeouts, parse_endpoint
from swapper.relay.exchange import outgoing
from swapper.relay.headers import (
    request_headers,
    response_headers,
    with_upgrade,
)
from swapper.relay.passage import Passage
from swapper.relay.tunnel import Tunnel
from swapper.relay.upload import SMALL_BYTES, BodySource, read_all
from swapper.sync import CancelToken

if TYPE_CHECKING:
    from swapper.relay.transport import RelayResponse


@dataclass(slots=True, kw_only=True)  # not frozen: that takes twice as long to make
class UpstreamRequest:
    """What a client asked for. Nobody changes one.

    Attributes:
        target: raw path and query, to be joined to the base URL.
        headers: as the client sent them.
        body: None if there is none; read by the thread that forwards.
        content_length: of *body* in bytes; None with a body sends it chunked. Not
            looked at for ``bytes``.
        client_ip: added to ``X-Forwarded-For``; "" leaves that header alone.
        own_headers: sent in place of the client's of the same names.
    """

    method: str
    target: str
    headers: Headers = field(repr=False)  # there are credentials in it
    body: BodySource | bytes | None = field(default=None, repr=False)
    content_length: int | None = None
    client_ip: str = ""
    own_headers: Headers = field(default=(), repr=False)

    @property
    def source(self) -> BodySource | bytes:
        """Return the body, empty bytes if there is none."""
        return b"" if self.body is None else self.body

    @property
    def length(self) -> int | None:
        """Return the length of ``source`` in bytes, None if unknown."""
        source = self.source
        return len(source) if isinstance(source, bytes) else self.content_length

    def in_hand(self) -> "UpstreamRequest":
        """Return the request with a small body read whole; others are not touched.

        Then it can be forwarded again after an ``UpstreamError`` that says that
        nothing was sent.

        Raises:
            ClientGoneError: the body broke off.
        """
        source, length = self.body, self.content_length
        if (
            source is None
            or isinstance(source, bytes)
            or length is None
            or length > SMALL_BYTES
        ):
            return self
        return replace(self, body=read_all(source, length))


class UpstreamResponse:
    """An answer, its body unread. An iterator over the body's pieces as they come.

    Whoever gets one reads it to the end or closes it.

    Attributes:
        status: never 1xx.
        reason: as the upstream put it, may be empty.
        headers: ready for the client; framing other than Content-Length left out.
    """

    __slots__ = ("_body", "headers", "reason", "status")

    def __init__(
        self, status: int, reason: str, headers: Headers, body: AnswerBody
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        """Return itself: there is one body."""
        return self

    def __next__(self) -> bytes:
        """Return the next piece; see ``read1``."""
        data = self._body.read1(READ_BYTES)
        if not data:
            raise StopIteration
        return data

    def read1(self, limit_bytes: int = READ_BYTES) -> bytes:
        """Return what is there, at least one byte; b"" at the end. One thread.

        Content codings stay as they are. When the last piece is handed out, the
        connection is already back in the pool.

        Raises:
            UpstreamError: the answer broke off or is malformed.
            ClientGoneError: cancelled, or closed before the end.
        """
        return self._body.read1(limit_bytes)

    def read_ready(self) -> bytes:
        """Return what came along with the head, without waiting; may be empty."""
        return self._body.read_ready()

    def hand_over(self, target: Framing, length: int, unread: bytes) -> Passage | None:
        """Return the rest for somebody who cannot wait; see ``AnswerBody.hand_over``."""
        return self._body.hand_over(target, length, unread)

    @property
    def is_complete(self) -> bool:
        """Return whether the whole body has been read."""
        return self._body.is_complete

    def close(self) -> None:
        """Give up what is unread. Any thread, any number of times."""
        self._body.close()


class Upstream:
    """One model server or peer: its address, its connections. Any thread."""

    def __init__(
        self,
        base_url: str,
        label: str,
        timeouts: Timeouts | None = None,
        watcher: HangupWatcher | None = None,
    ) -> None:
        """Prepare; nothing is connected before the first request.

        Args:
            base_url: http or https, with or without path and query.
            label: who it is, for error messages: ``model llama``.
            timeouts: None takes the defaults.
            watcher: see ``ConnectionPool``.

        Raises:
            ValueError: *base_url* is not usable.
        """
        # requests and urllib3 are a good part of the start's time and memory
        from swapper.relay import transport  # noqa: PLC0415 - see above

        self._endpoint = parse_endpoint(base_url)
        self._authority = self._endpoint.authority
        self._adapter = transport.UpstreamAdapter(
            self._endpoint, label, timeouts or Timeouts(), watcher
        )
        self._session = transport.UpstreamSession(self._adapter)

    def forward(self, request: UpstreamRequest, token: CancelToken) -> UpstreamResponse:
        """Send *request* and return the answer as soon as its head is there.

        Blocks until then. An upgrade asked for by the client is left out.

        Args:
            request: its body is read while it is sent.
            token: its cancel ends the exchange in every phase, from any thread.

        Raises:
            UpstreamError: unreachable, or no answer in HTTP; ``request_sent`` is
                False if the upstream cannot have seen the request.
            UpstreamTimeoutError: no connection or no head in time.
            ClientGoneError: cancelled, or the client's body broke off.
            BadRequestError: the request cannot be sent as HTTP.
        """
        reply = self._send(request, token, is_upgrade=False)
        return _response(reply)

    def upgrade(
        self, request: UpstreamRequest, token: CancelToken
    ) -> Tunnel | UpstreamResponse:
        """Send *request* with its upgrade; return a tunnel if the upstream agrees.

        Raises:
            As ``forward``.
        """
        reply = self._send(request, token, is_upgrade=True)
        head = reply.head
        if head.status != 101:
            return _response(reply)
        headers = response_headers(head.headers, status=101)
        return Tunnel(
            reply.exchange.connection,
            head.reason,
            with_upgrade(headers, head.headers),
        )

    def close(self) -> None:
        """Close idle connections.

        Requests in progress go on; their connections are closed afterwards.
        """
        self._session.close()

    def _send(
        self, request: UpstreamRequest, token: CancelToken, *, is_upgrade: bool
    ) -> "RelayResponse":
        length = request.length
        headers = request_headers(
            request.headers,
            method=request.method,
            authority=self._authority,
            client_ip=request.client_ip,
            length=length,
            own=request.own_headers,
        )
        if is_upgrade:
            headers = with_upgrade(headers, request.headers)
        sent = outgoing(
            request.method,
            self._endpoint.target(request.target),
            headers,
            request.source,
            length,
            token,
            is_upgrade=is_upgrade,
        )
        return self._session.ask(sent)


def _response(reply: "RelayResponse") -> UpstreamResponse:
    head = reply.head
    headers = response_headers(head.headers, status=head.status)
    body = cast("AnswerBody", reply.raw)
    return UpstreamResponse(head.status, head.reason, headers, body)
