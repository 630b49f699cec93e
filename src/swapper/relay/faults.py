"""The one seam where socket, TLS and protocol errors become errors of swapper."""

from dataclasses import dataclass

from swapper.core.errors import (
    ClientGoneError,
    SwapperError,
    UpstreamError,
    UpstreamTimeoutError,
)
from swapper.net.http1 import ProtocolError
from swapper.sync import CancelToken


@dataclass(frozen=True, slots=True)
class Faults:
    """Makes the errors of one upstream.

    Attributes:
        label: as a client should read it, e.g. ``model llama``.
        url: base URL without credentials.
    """

    label: str
    url: str

    def error(
        self,
        exc: OSError | ProtocolError,
        what: str,
        token: CancelToken,
        *,
        request_sent: bool = True,
    ) -> SwapperError:
        """Return what to raise for *exc*.

        Args:
            exc: the cause, told in the message.
            what: what the upstream did, e.g. ``could not be reached``.
            token: of the request; cancelled, nobody wants to know any more.
            request_sent: see ``UpstreamError``.
        """
        if token.cancelled:
            return ClientGoneError("the request was cancelled")
        kind = UpstreamTimeoutError if isinstance(exc, TimeoutError) else UpstreamError
        text = f"{self.label} ({self.url}) {what}: {_cause(exc)}"
        return kind(text, request_sent=request_sent)


def _cause(exc: OSError | ProtocolError) -> str:
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return str(exc) or type(exc).__name__
