"""One connection's life: heads in, the application called, answers out.

Takes the place of the base class's ``handle`` and ``run_wsgi``, which serve one
request per connection, read the socket dry after each response and need four sends
for a streamed chunk.
"""

import logging
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.serving import WSGIRequestHandler

from swapper.core.errors import ClientGoneError, RequestError
from swapper.net.http1 import Framing, ProtocolError, RequestHead, parse_request_head
from swapper.net.stream import TruncatedError
from swapper.relay import Flow
from swapper.server.body import RequestBody
from swapper.server.connection import Connection
from swapper.server.environ import add_request, connection_environ
from swapper.server.response import ResponseWriter, plain_answer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from swapper.server.listener import SwapperServer

logger = logging.getLogger(__name__)


class RequestHandler(WSGIRequestHandler):
    """What the base class's constructor calls for a connection, in this order.

    The connection is served by an object of its own: the base class has a
    ``__getattr__``, with which the interpreter looks up every attribute the slow way.
    """

    server: "SwapperServer"  # type: ignore[mutable-override]  # nobody else makes us

    def setup(self) -> None:
        """Take the connection in."""
        self._served = ServedConnection(self.server, self.request, self.client_address)

    def handle(self) -> None:
        """Serve requests until one of the two sides closes, or a response is relayed."""
        self._served.serve()

    def finish(self) -> None:
        """Close the connection, or leave it to the relay thread."""
        self._served.finish()


class ServedConnection:
    """Serves one connection, from its first byte to its last.

    One thread at a time: a worker, but while a response is relayed nobody, and then
    perhaps another worker.
    """

    def __init__(
        self, server: "SwapperServer", sock: socket.socket, client: tuple[str, int]
    ) -> None:
        """Take the connection in."""
        self._server = server
        self._table = server.connections
        self._connection = Connection(sock, server.watcher, self._table.hand_over)
        self._ends = not self._table.add(self._connection)
        self._is_first = True
        self._lingers = False
        self._is_truncated = False
        self._flow: Flow | None = None
        self._environ = connection_environ(
            scheme="http" if server.ssl_context is None else "https",
            server=(server.host, server.port),
            client=client,
        )
        self._environ["werkzeug.socket"] = sock

    def serve(self) -> None:
        """Serve requests until one of the two sides closes, or a response is relayed."""
        try:
            if not self._ends:
                self._connection.prepare(self._server.limits.head_timeout_s)
            self._serve_requests()
        except (ClientGoneError, OSError) as exc:
            logger.debug("connection broke: %s", exc)

    def finish(self) -> None:
        """Close the connection, or leave it to the relay thread."""
        flow = self._flow
        if flow is None:
            self._table.close(self._connection)
        elif not self._server.relay(flow, self.resume):
            flow.give_up(ClientGoneError("the server is ending"))
            self.resume()
        # nothing here: another thread may have the connection by now

    def resume(self) -> None:
        """Go on after a relayed response, in whatever thread."""
        try:
            self._end_relayed()
            self._serve_requests()
        except (ClientGoneError, OSError) as exc:
            logger.debug("connection broke: %s", exc)
        finally:
            self.finish()

    def _serve_requests(self) -> None:
        while not self._ends and self._flow is None:
            self._serve_one()
            self._is_first = False
        # a response that broke off must not end as if it were whole
        if not (self._flow or self._connection.is_taken or self._is_truncated):
            self._connection.say_goodbye(lingers=self._lingers)

    # --- one request -------------------------------------------------------------

    def _serve_one(self) -> None:
        """Read a head and have it answered; set ``_ends`` at the end.

        Raises:
            ClientGoneError: the connection broke.
            OSError: likewise.
        """
        self._ends = True
        try:
            head = self._read_head()
            if head is None:
                return
            environ = self._environ.copy()
            add_request(environ, head)
        except TruncatedError:
            return
        except ProtocolError as exc:
            self._refuse(exc.status, str(exc))
            return
        except TimeoutError:
            if self._is_first or self._connection.reader.buffered:
                self._refuse(408, "the request did not arrive in time")
            return
        if self._table.start_request(self._connection):
            self._serve(head, environ)

    def _read_head(self) -> RequestHead | None:
        limits = self._server.limits
        raw = self._connection.read_head(
            limits.head_bytes,
            limits.head_timeout_s if self._is_first else limits.idle_timeout_s,
            limits.head_timeout_s,
        )
        return parse_request_head(raw) if raw else None

    def _refuse(self, status: int, text: str) -> None:
        """Answer a request that is not passed on; the connection ends."""
        logger.debug("request refused status=%d: %s", status, text)
        self._lingers = True
        self._connection.send(plain_answer(status, text, self._server.date.text()))

    def _serve(self, head: RequestHead, environ: "WSGIEnvironment") -> None:
        """Answer a request, or begin to."""
        connection, table = self._connection, self._table
        client = connection.start_request()
        body = RequestBody(connection.reader, head, connection.send_continue)
        response = ResponseWriter(
            connection, client.token, head, body, table, self._server.date
        )
        environ["swapper.client"] = client
        environ["wsgi.input"] = body.stream
        if not body.is_complete:
            environ["swapper.body"] = body
        self._response, self._body = response, body
        try:
            self._run_app(environ)
        finally:
            if self._flow is None:
                self._end_request()

    def _end_request(self) -> None:
        """Find out whether the connection is fit for another request."""
        response, body = self._response, self._body
        # an idle connection keeps nothing of its last request
        del self._response, self._body, self._pieces
        self._connection.end_request()
        self._is_truncated = not response.is_complete
        self._lingers = not body.is_complete
        may_stay = False
        try:
            may_stay = (
                response.is_complete and response.keeps_alive and self._drain(body)
            )
        finally:
            has_room = self._table.end_request(self._connection)
            self._ends = not (may_stay and has_room)
        if self._ends and self._connection.has_unread():
            self._lingers = True

    def _run_app(self, environ: "WSGIEnvironment") -> None:
        """Call the application; every way it can fail ends here.

        Raises:
            ClientGoneError: the connection broke while an error was reported.
        """
        self._pieces: Iterable[bytes] = ()
        response = self._response
        try:
            self._pieces = self._server.app(environ, response.start_response)
            try:
                if not self._connection.is_taken:
                    self._flow = response.send_body(self._pieces)
            finally:
                if self._flow is None:
                    _close(self._pieces)
        except Exception as exc:  # noqa: BLE001 - whatever an application does wrong
            self._report(exc)
        self._check_end()

    def _end_relayed(self) -> None:
        """End the response that a relay thread has relayed."""
        flow, self._flow = self._flow, None
        try:
            try:
                try:
                    if flow is not None:
                        self._response.end_relayed(flow)
                finally:
                    _close(self._pieces)
            except Exception as exc:  # noqa: BLE001 - as in _run_app
                self._report(exc)
            self._check_end()
        finally:
            self._end_request()

    def _report(self, failure: Exception) -> None:
        """Tell the log, and the client if it is not too late for that."""
        response = self._response
        if isinstance(failure, ClientGoneError | ConnectionAbortedError):
            logger.debug("request dropped: %s", failure)
        elif isinstance(failure, RequestError):
            logger.warning("request failed: %s", failure)
            response.fail(failure.status, str(failure))
        else:
            logger.error("application failed", exc_info=failure)
            response.fail(500, "internal error; the log has the details")

    def _check_end(self) -> None:
        """Make sure that a body that broke off does not look whole."""
        response = self._response
        if response.framing is Framing.CLOSE and not response.is_complete:
            self._connection.reset_on_close()

    def _drain(self, body: RequestBody) -> bool:
        """Get rid of what the application left unread; return whether it is gone."""
        if body.is_complete or not body.is_short:
            return body.is_complete
        try:
            return self._connection.drain(body.body)
        except (OSError, ProtocolError):
            return False


def _close(pieces: Iterable[bytes]) -> None:
    close = getattr(pieces, "close", None)
    if close is not None:
        close()
