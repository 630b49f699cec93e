"""A WSGI response on the wire: framing, order, and how many sends it takes.

1. A body that is complete (list or tuple) goes out with its head in one send.
2. Any other body may be long in coming, so its head goes out before the first piece
   is asked for; each piece is one send.
3. A body with a method ``hand_over`` (docs/design/data-plane.md) is asked for a passage
   instead, before its first piece and after each empty one; a relay thread does the
   rest.
"""

import logging
import re
import ssl
from collections.abc import Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from swapper.core.clock import unix_time
from swapper.net.chunked import LAST_CHUNK
from swapper.net.http1 import Framing, RequestHead, list_items, lower_names, render_head
from swapper.relay import Flow
from swapper.server.body import RequestBody
from swapper.server.connection import Connection
from swapper.server.table import ConnectionTable
from swapper.sync import CancelToken

if TYPE_CHECKING:
    from _typeshed import OptExcInfo

logger = logging.getLogger(__name__)

_STATUS = re.compile(r"([1-9][0-9]{2})(?: .*)?", re.DOTALL)
_FORBIDDEN: Final = frozenset({"transfer-encoding", "keep-alive"})
_SPECIAL: Final = _FORBIDDEN | {"content-length", "connection", "date"}
_RELAYED: Final = frozenset({Framing.CHUNKED, Framing.LENGTH})
_GRACE_S: Final = 0.005
"""An answer that is complete by then never leaves its request's thread."""


class HttpDate:
    """The ``Date`` header's value, made once a second. Any thread."""

    __slots__ = ("_cached",)

    def __init__(self) -> None:
        self._cached = (0, "")  # one object, so that a reader never sees half of it

    def text(self) -> str:
        """Return the present time as RFC 9110 section 5.6.7 wants it."""
        second, text = self._cached
        now = int(unix_time())
        if now != second:
            text = formatdate(now, usegmt=True)
            self._cached = (now, text)
        return text


def plain_answer(status: int, text: str, date: str) -> bytes:
    """Return a whole response that is sent without any application."""
    body = f"{text}\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Date", date),
        ("Connection", "close"),
    ]
    phrase = HTTPStatus(status).phrase
    return render_head(f"HTTP/1.1 {status} {phrase}", headers) + body


class ResponseWriter:
    """Writes the answer to one request. Request thread.

    Attributes:
        framing: how the client finds the end; NONE until the head is made.
        is_complete: everything that was announced has been sent.
        keeps_alive: the client was told that the connection stays.
    """

    __slots__ = (
        "_body",
        "_connection",
        "_date",
        "_headers",
        "_left",
        "_request",
        "_status",
        "_table",
        "_token",
        "framing",
        "is_complete",
        "keeps_alive",
    )

    def __init__(
        self,
        connection: Connection,
        token: CancelToken,
        request: RequestHead,
        body: RequestBody,
        table: ConnectionTable,
        date: HttpDate,
    ) -> None:
        """Prepare to answer *request*; its *body* and *table* decide on keep-alive."""
        self._connection = connection
        self._token = token
        self._request = request
        self._body = body
        self._table = table
        self._date = date
        self._status = ""
        self._headers: list[tuple[str, str]] = []
        self._left = 0  # of the announced length
        self.framing = Framing.NONE
        self.is_complete = False
        self.keeps_alive = False

    def start_response(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: "OptExcInfo | None" = None,
        /,
    ) -> Callable[[bytes], object]:
        """Take status and headers (PEP 3333)."""
        if exc_info is not None:
            try:
                if self.is_head_sent and exc_info[1] is not None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # it refers to this frame
        elif self._status:
            raise RuntimeError("start_response was called twice without exc_info")
        if _STATUS.fullmatch(status) is None:
            raise ValueError(f"bad status {status!r}")
        self._status, self._headers = status, headers
        return self.write

    @property
    def is_head_sent(self) -> bool:
        """Return whether the status can no longer be changed."""
        return self._connection.has_answered

    def send_body(self, body: Iterable[bytes]) -> Flow | None:
        """Send what the application returned.

        Returns:
            What is left for a relay thread; ``end_relayed`` is to be told of its end.
            None if nothing is.

        Raises:
            ClientGoneError: the connection broke.
            Exception: whatever *body* raises; the response is not complete then.
        """
        if isinstance(body, list | tuple):
            self._send_whole(b"".join(body))
            return None
        head = b""
        if self._status and not self.is_head_sent:
            head = self._make_head(None)
        flow = self._relay(body, head)
        if flow is None:
            if head:
                self._send(head)
            flow = self._send_pieces(body)
        if flow is None:
            self._finish()
        elif flow.is_over:
            self.end_relayed(flow)
            return None
        return flow

    def end_relayed(self, flow: Flow) -> None:
        """Take note of how a relayed response has ended.

        Raises:
            SwapperError: the reason why it is not complete.
        """
        if flow.failure is not None:
            raise flow.failure
        self.is_complete = True

    def _send_pieces(self, body: Iterable[bytes]) -> Flow | None:
        if self.is_head_sent and self._is_bodiless():
            return None
        for piece in body:
            self.write(piece)
            if self._is_bodiless():
                break
            if not piece:
                flow = self._relay(body, b"")
                if flow is not None:
                    return flow
        return None

    def _relay(self, body: Iterable[bytes], head: bytes) -> Flow | None:
        """Begin to relay a body that can be handed over, if the client's side allows.

        Args:
            body: of the application.
            head: is sent along if there is something to relay, else not.
        """
        hand_over = getattr(body, "hand_over", None)
        sock = self._connection.sock
        if (
            hand_over is None
            or isinstance(sock, ssl.SSLSocket)
            or self.framing not in _RELAYED
        ):
            return None
        passage = hand_over(self.framing, self._left)
        if passage is None:
            return None
        self._connection.has_answered = True
        flow = Flow(passage, sock, self._token, head)
        flow.begin(_GRACE_S)
        return flow

    def write(self, data: bytes) -> None:
        """Send one piece of the body at once, before it the head if need be."""
        if not isinstance(data, bytes):
            raise TypeError(f"a response body is bytes, not {type(data).__name__}")
        if not data and not self.is_head_sent:
            return  # PEP 3333: the head may still change
        head = b"" if self.is_head_sent else self._make_head(None)
        framed = self._frame(data)
        if head or framed:
            self._send(head + framed if head else framed)

    def fail(self, status: int, text: str) -> None:
        """Answer with an error, if it is not too late for that.

        Raises:
            ClientGoneError: the connection broke.
        """
        if not self.is_head_sent:
            answer = plain_answer(status, text, self._date.text())
            if self._request.method == "HEAD":
                answer = answer[: answer.index(b"\r\n\r\n") + 4]
            self._send(answer)
            self.is_complete = True
            self.keeps_alive = False

    def _send_whole(self, data: bytes) -> None:
        head = b"" if self.is_head_sent else self._make_head(len(data))
        end = self._frame(data) + (
            LAST_CHUNK if self.framing is Framing.CHUNKED else b""
        )
        if head or end:
            self._send(head + end)
        self._check_length()

    def _finish(self) -> None:
        if not self.is_head_sent:
            self._send(self._make_head(0))
        elif self.framing is Framing.CHUNKED:
            self._send(LAST_CHUNK)
        self._check_length()

    def _check_length(self) -> None:
        if self.framing is Framing.LENGTH and self._left:
            logger.error("response is %d bytes short of its length", self._left)
            return
        self.is_complete = True

    def _send(self, data: bytes) -> None:
        self._connection.has_answered = True
        self._connection.send(data)

    def _frame(self, data: bytes) -> bytes:
        match self.framing:
            case Framing.CHUNKED:
                return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
            case Framing.LENGTH:
                return self._within_length(data)
            case Framing.CLOSE:
                return data
            case Framing.NONE:
                return b""

    def _within_length(self, data: bytes) -> bytes:
        if len(data) > self._left:
            logger.error("response is longer than its length; the rest is dropped")
            self.keeps_alive = False
            data = data[: self._left]
        self._left -= len(data)
        return data

    # --- the head -------------------------------------------------------------

    def _is_bodiless(self) -> bool:
        status = self._status[:3]
        return (
            self._request.method == "HEAD"
            or status in {"204", "304"}
            or status.startswith("1")
        )

    def _make_head(self, whole_bytes: int | None) -> bytes:
        """Decide on the framing and return the head.

        Args:
            whole_bytes: the body's length, if all of it is there.

        Raises:
            ValueError: the application's headers make no sense.
            ProtocolError: they cannot be sent.
        """
        if not self._status:
            raise RuntimeError("the application did not call start_response")
        length, wants_close, headers = self._sort_headers()
        if length is None and self._status[:3] != "304":
            # an answer to HEAD that has no body does not tell what GET would give
            is_unknown = self._request.method == "HEAD" and not whole_bytes
            length = None if is_unknown else whole_bytes
        if self._status[:3] == "204" or self._status.startswith("1"):
            length = None  # RFC 9110 section 8.6
        self.framing = self._choose_framing(length)
        self._left = length or 0
        self.keeps_alive = (
            self.framing is not Framing.CLOSE
            and not self._status.startswith("1")  # whatever comes next, not HTTP
            and not wants_close
            and self._request.keep_alive
            and self._body.is_short
            and not self._table.is_draining
        )
        self._add_own(headers, length)
        return render_head(f"HTTP/1.1 {self._status}", headers)

    def _sort_headers(self) -> tuple[int | None, bool, list[tuple[str, str]]]:
        """Return the length, whether to close, and the headers to pass on."""
        headers = self._headers
        names = lower_names(headers)
        found = _SPECIAL.intersection(names)
        if not _FORBIDDEN.isdisjoint(found):
            name = next(name for name in names if name in _FORBIDDEN)
            raise ValueError(f"{name} is the server's business (PEP 3333)")
        length, wants_close, kept = None, False, list(headers)
        if "content-length" in found or "connection" in found:
            kept = []
            for pair, name in zip(headers, names, strict=True):
                if name == "content-length":
                    length = _parse_length(pair[1], length)
                elif name == "connection":
                    wants_close = wants_close or "close" in list_items([pair[1]])
                else:
                    kept.append(pair)
        if "date" not in found:
            kept.append(("Date", self._date.text()))
        return length, wants_close, kept

    def _choose_framing(self, length: int | None) -> Framing:
        if self._is_bodiless():
            return Framing.NONE
        if length is not None:
            return Framing.LENGTH
        return Framing.CHUNKED if self._request.version == (1, 1) else Framing.CLOSE

    def _add_own(self, headers: list[tuple[str, str]], length: int | None) -> None:
        if length is not None:
            headers.append(("Content-Length", str(length)))
        elif self.framing is Framing.CHUNKED:
            headers.append(("Transfer-Encoding", "chunked"))
        if not self.keeps_alive:
            headers.append(("Connection", "close"))
        elif self._request.version == (1, 0):
            headers.append(("Connection", "keep-alive"))


def _parse_length(value: str, earlier: int | None) -> int:
    if not (value.isascii() and value.isdigit()):
        raise ValueError(f"bad Content-Length {value!r}")
    if earlier is not None and earlier != int(value):
        raise ValueError("contradicting Content-Length headers")
    return int(value)
