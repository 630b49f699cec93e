"""The smallest WSGI application that relays everything to one upstream."""

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from swapper.relay import Upstream, UpstreamRequest
from swapper.web.relayed import relayed

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class ProxyApp:
    """Relays with ``web.relayed``.

    Attributes:
        ends: how many answers have ended, in whatever way.
    """

    def __init__(self, url: str) -> None:
        self.upstream = Upstream(url, "model x")
        self.ends = 0
        self._changed = threading.Condition()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = UpstreamRequest(
            method=environ["REQUEST_METHOD"],
            target=environ["REQUEST_URI"],
            headers=environ["swapper.raw_headers"],
            body=environ["wsgi.input"].read(),
        )
        answer = self.upstream.forward(request, environ["swapper.client"].token)
        start_response(f"{answer.status} {answer.reason}", list(answer.headers))
        once = [None]  # as a lease, whose end may be told more than once
        return relayed(answer, lambda: self._count(once))

    def wait_ends(self, count: int) -> bool:
        """Wait until so many answers have ended."""
        with self._changed:
            return self._changed.wait_for(lambda: self.ends >= count, 10)

    def _count(self, once: list[None]) -> None:
        with self._changed:
            self.ends += len(once)
            once.clear()
            self._changed.notify_all()
