"""Waiting until a started model answers (config.md 9.2).

What counts is the time between the moment the model *is* ready and the moment we
know it: the start of a model is what people wait for. So there is no fixed wait
between tries but a fiftieth of the time already spent; the first connection that
succeeds is used for a request at once; and output of the process, which most servers
write just before they listen, brings the next try forward.
"""

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from swapper.config.schema import ModelConfig
from swapper.logs import Subscription
from swapper.process.port import Address, address_of, connect
from swapper.sync import CancelToken

_SHORTEST_S: Final = 0.005
_YOUNG_S: Final = 10.0
_CONNECT_S: Final = 1.0
_FIRST_ANSWER_S: Final = 1.0
_LONGEST_ANSWER_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """What to ask a model for.

    Attributes:
        target: path and query, percent-encoded.
    """

    address: Address
    is_tls: bool
    target: str


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
    # After output, start again with short waits; less short the older it is, so that
    # a model which writes all the time while it loads is not asked all the time.
    floor_s = min(max(elapsed_s * 0.0005, _SHORTEST_S), 0.05)
    return min(interval_s, max(since_output_s * 0.1, floor_s))


class Prober:
    """Asks one starting model until it is ready. One thread; cancelled by a token."""

    __slots__ = ("_answer_s", "_cancel", "_check", "_output", "_started_at")

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
        self._answer_s = _FIRST_ANSWER_S

    def wait_ready(self, deadline: float) -> bool:
        """Block until the model answers 200.

        Returns:
            False if *deadline* (``time.monotonic``) passed or the token was cancelled.
        """
        binding = self._cancel.bind(self._output.close)
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
        """Wait; return whether there was output, which ends the wait early."""
        spacing_until = time.monotonic() + _SHORTEST_S
        wrote = False
        while (left_s := until - time.monotonic()) > 0:
            data = self._output.read(left_s)
            if data == b"":
                return False  # cancelled
            if data is not None:
                wrote = True
                until = min(until, spacing_until)
        return wrote

    def _is_healthy(self, deadline: float) -> bool:
        limit_s = max(deadline - time.monotonic(), _SHORTEST_S)
        try:
            sock = connect(self._check.address, min(_CONNECT_S, limit_s))
        except OSError:
            return False
        # Cancelling shuts the socket down, which ends a blocked read at once.
        binding = self._cancel.bind(lambda: _shut_down(sock))
        try:
            sock.settimeout(min(self._answer_s, limit_s))
            return self._ask(sock) == http.HTTPStatus.OK
        except TimeoutError:
            # A first hung answer must not cost much, a slow server must get through.
            self._answer_s = min(self._answer_s * 2, _LONGEST_ANSWER_S)
            return False
        except (OSError, http.client.HTTPException):
            return False
        finally:
            binding.release()
            sock.close()

    def _ask(self, sock: socket.socket) -> int:
        address = self._check.address
        connection = http.client.HTTPConnection(
            f"[{address.host}]" if ":" in address.host else address.host, address.port
        )
        connection.sock = self._secure(sock) if self._check.is_tls else sock
        try:
            connection.request("GET", self._check.target, headers=_HEADERS)
            return connection.getresponse().status
        finally:
            connection.close()

    def _secure(self, sock: socket.socket) -> ssl.SSLSocket:
        # Only "does it answer" is asked, nothing is told: any certificate will do.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(sock, server_hostname=self._check.address.host)


_HEADERS: Final = {"Connection": "close", "Accept": "*/*"}


def _shut_down(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # closed meanwhile: nobody is blocked on it
