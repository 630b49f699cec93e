"""The transport under ``requests``: our own connections below its API.

``UpstreamSession.send`` takes a ``RelayRequest`` through ``UpstreamAdapter`` to the
upstream. The adapter sends exactly the target and headers it is given, parses
strictly and streams; nothing is decoded, followed, stored or added on the way. The
subclasses here leave out the costly part of the stock constructors; what they rely
on is fixed by a contract test.
"""

import ssl
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, cast

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from swapper.core.errors import ClientGoneError
from swapper.net.hangup import HangupWatcher
from swapper.net.http1 import ProtocolError, ResponseHead
from swapper.net.stream import TruncatedError
from swapper.relay.answer import AnswerBody
from swapper.relay.connection import Connection, open_connection
from swapper.relay.endpoint import Endpoint, Timeouts
from swapper.relay.exchange import Exchange, Outgoing, RepeatError
from swapper.relay.faults import Faults
from swapper.relay.pool import ConnectionPool
from swapper.sync import CancelToken

_NO_TIME: Final = timedelta(0)


class RelayRequest(requests.PreparedRequest):
    """A request prepared by us, sent exactly as it is.

    Attributes:
        outgoing: what is sent.
    """

    def __init__(self, url: str, outgoing: Outgoing) -> None:
        """Take everything as it is; *url* only chooses the adapter."""
        super().__init__()
        self.method = outgoing.method
        self.url = url
        self.outgoing = outgoing


class RelayResponse(requests.Response):
    """An answer; ``raw`` is its ``AnswerBody``, or None after a 101.

    Attributes:
        head: as parsed.
        exchange: what the answer ended.
    """

    def __init__(
        self, request: RelayRequest, head: ResponseHead, exchange: Exchange
    ) -> None:
        """Set what a session and the relay use; see ``__getattr__`` for the rest."""
        self.request = request
        self.url = str(request.url)
        self.status_code = head.status
        self.reason = head.reason
        self.history = []
        self.elapsed = _NO_TIME
        self.raw = None
        self.head = head
        self.exchange = exchange

    def __getattr__(self, name: str) -> Any:
        """Make on first use what the stock constructor makes for every answer."""
        if name == "headers":
            value: Any = CaseInsensitiveDict(dict(self.head.headers))
        else:
            value = getattr(requests.Response(), name)
        setattr(self, name, value)
        return value


class UpstreamAdapter(BaseAdapter):
    """Sends requests to one upstream over kept connections. Any thread.

    Attributes:
        pool: the connections nobody uses at the moment.
        url: of the upstream.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        label: str,
        timeouts: Timeouts,
        watcher: HangupWatcher | None = None,
    ) -> None:
        """Prepare; nothing is connected before the first request."""
        super().__init__()
        self.pool = ConnectionPool(timeouts.idle_s, watcher=watcher)
        self.url = endpoint.url
        self._faults = Faults(label, endpoint.url)
        self._endpoint = endpoint
        self._timeouts = timeouts
        self._tls = _tls_context() if endpoint.is_tls else None

    def send(
        self, request: requests.PreparedRequest, *_args: object, **_options: object
    ) -> requests.Response:
        """Return the answer, its body unread; ``requests`` calls this.

        The options of a stock adapter have no effect: the answer always streams,
        timeouts belong to the upstream, certificates are always verified.

        Raises:
            TypeError: *request* is not a ``RelayRequest``.
            UpstreamError: no answer, or none that is HTTP.
            ClientGoneError: cancelled, or the client's body broke off.
        """
        if not isinstance(request, RelayRequest):
            raise TypeError("this adapter sends RelayRequests only")
        token = request.outgoing.token
        if token.cancelled:
            raise ClientGoneError("the request was cancelled")
        was_sent = False
        pooled = self.pool.take()
        if pooled is not None:
            pooled.bind(token)
            try:
                return self._run(pooled, request)
            except RepeatError as exc:
                was_sent = exc.was_sent
        return self._run(self._open(token, was_sent=was_sent), request)

    def close(self) -> None:
        """Close idle connections; those in use are closed when their answer ends."""
        self.pool.close()

    def _open(self, token: CancelToken, *, was_sent: bool) -> Connection:
        try:
            return open_connection(self._endpoint, self._timeouts, token, self._tls)
        except OSError as exc:
            raise self._faults.error(
                exc, "could not be reached", token, request_sent=was_sent
            ) from exc

    def _run(self, connection: Connection, request: RelayRequest) -> RelayResponse:
        """Send and wait for the head; on failure the connection is closed."""
        outgoing = request.outgoing
        exchange = Exchange(connection, outgoing)
        try:
            head = exchange.run(self._timeouts.response_head_s)
        except (OSError, ProtocolError) as exc:
            raise self._failure(exchange, outgoing.token, exc) from exc
        except BaseException:  # the client's body failed
            connection.close()
            raise
        response = RelayResponse(request, head, exchange)
        if head.status != 101:
            response.raw = AnswerBody(
                exchange, head, outgoing.token, self.pool, self._faults
            )
        return response

    def _failure(
        self, exchange: Exchange, token: CancelToken, exc: OSError | ProtocolError
    ) -> Exception:
        """Close the connection; return what to raise."""
        repeat = None
        if isinstance(exc, OSError) and not token.cancelled:
            repeat = exchange.repeat_after(exc)
        exchange.connection.close()
        if repeat is not None:
            return repeat
        is_http = isinstance(exc, OSError | TruncatedError)
        what = "did not answer" if is_http else "did not answer in HTTP/1.1"
        return self._faults.error(exc, what, token)


class UpstreamSession(requests.Session):
    """A session that does nothing but send, through one adapter. Any thread."""

    def __init__(self, adapter: UpstreamAdapter) -> None:
        """Use *adapter* for everything; the environment is not asked."""
        super().__init__()
        self.trust_env = False
        self.headers.clear()
        self.mount("http://", adapter)
        self.mount("https://", adapter)
        self._adapter = adapter

    def ask(self, outgoing: Outgoing) -> RelayResponse:
        """Return the answer to a request; raises as ``UpstreamAdapter.send``."""
        reply = self.send(RelayRequest(self._adapter.url, outgoing))
        return cast("RelayResponse", reply)  # our adapter makes nothing else

    def send(
        self, request: requests.PreparedRequest, **_options: object
    ) -> requests.Response:
        """Return the answer: without hooks, cookies, redirects or a stopwatch."""
        return self._adapter.send(request)

    def get_adapter(self, *_args: object, **_options: object) -> UpstreamAdapter:
        """Return the one adapter, whatever the URL."""
        return self._adapter

    def resolve_redirects(
        self, *_args: object, **_options: object
    ) -> Iterator[requests.Response]:
        """Return nothing: redirects are the client's to follow."""
        return iter(())


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
