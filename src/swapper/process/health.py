"""Waiting until a started model answers (config.md 9.2).

What counts is the time between the moment the model *is* ready and the moment we
know it: the start of a model is what people wait for. So there is no fixed wait
between tries but a fiftieth of the time already spent; the first connection that
succeeds is used for a request at once; and output of the process, which most servers
write just before they listen, brings the next try forward.
"""

import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from swapper.config.schema import ModelConfig
from swapper.logs import Subscription
from swapper.process.port import Address, address_of, connect
from swapper.sync import CancelToken

_SHORTEST_S: Final = 0.005
_CLOSEST_S: Final = 0.001
_YOUNG_S: Final = 10.0
_CONNECT_S: Final = 1.0
_FIRST_ANSWER_S: Final = 1.0
_LONGEST_ANSWER_S: Final = 15.0
_LONGEST_STATUS_LINE_BYTES: Final = 8192
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3})\b")


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """What to ask a model for.

    Attributes:
        target: path and query, percent-encoded.
    """

    address: Address
    is_tls: bool
    target: str

    @property
    def request(self) -> bytes:
        """Return the request as sent."""
        lines = (
            f"GET {self.target} HTTP/1.1",
            f"Host: {self.address}",
            "Accept: */*",
            "Connection: close",
        )
        return "\r\n".join((*lines, "", "")).encode("ascii", "replace")


def health_check_of(config: ModelConfig) -> HealthCheck | None:
    """Return a model's health check; None if it has none or no address to ask at."""
    endpoint = config.check_endpoint.strip()
    address = address_of(config.proxy)
    if endpoint == "none" or address is None:
        return None
    base, below = urlsplit(config.proxy), urlsplit(endpoint)
    path = f"{base.path.rstrip('/')}/{below.path.lstrip('/')}"
    query = f"?{below.query}" if below.query else ""
    return HealthCheck(
        address,
        base.scheme == "https",
        quote(path + query, safe="/?%:@!$&'()*+,;=~-._[]"),
    )


def probe_interval_s(elapsed_s: float, since_output_s: float) -> float:
    """Return how long to wait before the next try.

    Args:
        elapsed_s: since the start of the process.
        since_output_s: since it last wrote something; infinite if it never did.
    """
    longest_s = 0.1 if elapsed_s < _YOUNG_S else 0.25
    interval_s = min(max(elapsed_s * 0.02, _SHORTEST_S), longest_s)
    # After output, start again with short waits.
    return min(interval_s, max(since_output_s * 0.1, spacing_s(elapsed_s)))


def spacing_s(elapsed_s: float) -> float:
    """Return how far apart tries are at least, however much the process writes.

    Less short the older it is, so that a model which writes all the time while it
    loads is not asked all the time.
    """
    young_s = min(max(elapsed_s * 0.01, _CLOSEST_S), _SHORTEST_S)
    return max(young_s, min(elapsed_s * 0.0005, 0.05))


class Prober:
    """Asks one starting model until it is ready. One thread; cancelled by a token."""

    __slots__ = (
        "_answer_s",
        "_cancel",
        "_cancelled",
        "_check",
        "_is_listening",
        "_output",
        "_started_at",
    )

    def __init__(
        self,
        check: HealthCheck,
        *,
        started_at: float,
        output: Subscription,
        cancel: CancelToken,
    ) -> None:
        """Prepare.

        Args:
            check: what to ask.
            started_at: start of the process, on ``time.monotonic``.
            output: live output of the process; closed here on *cancel*.
            cancel: ends ``wait_ready`` at once.
        """
        self._check = check
        self._started_at = started_at
        self._output = output
        self._cancel = cancel
        self._cancelled = threading.Event()
        self._answer_s = _FIRST_ANSWER_S
        self._is_listening = False

    def wait_ready(self, deadline: float) -> bool:
        """Block until the model answers 200.

        Returns:
            False if *deadline* (``time.monotonic``) passed or the token was cancelled.
        """
        binding = self._cancel.bind(self._wake)
        last_output_at = float("-inf")
        try:
            while not self._cancel.cancelled:
                if self._is_healthy(deadline):
                    return True
                now = time.monotonic()
                if now >= deadline:
                    return False
                wait_s = probe_interval_s(now - self._started_at, now - last_output_at)
                if self._wait(now + min(wait_s, deadline - now)):
                    last_output_at = time.monotonic()
            return False
        finally:
            binding.release()

    def _wait(self, until: float) -> bool:
        """Wait; return whether there was output, which ends the wait early.

        Once the model listens its output no longer counts: it may well be the log
        line about our last try.
        """
        now = time.monotonic()
        spacing_until = now + spacing_s(now - self._started_at)
        wrote = False
        while (left_s := until - time.monotonic()) > 0:
            data = self._output.read(left_s)
            if data == b"":  # the log has ended: cancelled, or swapper is ending
                self._cancelled.wait(left_s)
                return False
            if data is not None and not self._is_listening:
                wrote = True
                until = min(until, spacing_until)
        return wrote

    def _wake(self) -> None:
        self._cancelled.set()
        self._output.close()

    def _is_healthy(self, deadline: float) -> bool:
        limit_s = max(deadline - time.monotonic(), _SHORTEST_S)
        try:
            sock = connect(self._check.address, min(_CONNECT_S, limit_s))
        except OSError:
            return False
        self._is_listening = True
        if self._check.is_tls:
            sock = _unverified(sock)
        # Cancelling shuts the socket down, which ends a blocked read at once.
        binding = self._cancel.bind(lambda: _shut_down(sock))
        try:
            return self._ask(sock, min(self._answer_s, limit_s)) == b"200"
        except TimeoutError:
            # A first hung answer must not cost much, a slow server must get through.
            self._answer_s = min(self._answer_s * 2, _LONGEST_ANSWER_S)
            return False
        except OSError:
            return False
        finally:
            binding.release()
            sock.close()

    def _ask(self, sock: socket.socket, limit_s: float) -> bytes:
        """Return the status of one answer; b"" if that is no HTTP."""
        deadline = time.monotonic() + limit_s
        sock.settimeout(limit_s)
        sock.sendall(self._check.request)
        head = b""
        while b"\n" not in head and len(head) < _LONGEST_STATUS_LINE_BYTES:
            sock.settimeout(max(deadline - time.monotonic(), _SHORTEST_S / 5))
            if not (data := sock.recv(4096)):
                break
            head += data
        match = _STATUS_LINE.match(head)
        return match[1] if match else b""


def _unverified(sock: socket.socket) -> ssl.SSLSocket:
    # Only "does it answer" is asked, nothing is told: any certificate will do. The
    # handshake comes with the first byte, under that byte's time limit.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock, do_handshake_on_connect=False)


def _shut_down(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # below TLS, which would wait
    except OSError:
        return  # closed meanwhile: nobody is blocked on it
