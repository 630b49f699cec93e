"""Short ways to make the relay work in tests."""

import threading
from collections.abc import Callable
from typing import Self

from swapper.net.http1 import Headers
from swapper.relay import Tunnel, Upstream, UpstreamRequest, UpstreamResponse
from swapper.relay.upload import BodySource
from swapper.sync import CancelToken

HOST: Headers = (("Host", "h.example"),)


def request(
    target: str = "/",
    *,
    method: str = "GET",
    headers: Headers = HOST,
    body: BodySource | bytes | None = None,
    length: int | None = None,
) -> UpstreamRequest:
    return UpstreamRequest(
        method=method,
        target=target,
        headers=headers,
        body=body,
        content_length=length,
        client_ip="127.0.0.1",
    )


def get(
    upstream: Upstream, target: str = "/", token: CancelToken | None = None
) -> UpstreamResponse:
    return upstream.forward(request(target), token or CancelToken())


def post(
    upstream: Upstream,
    body: BodySource | bytes,
    *,
    target: str = "/",
    length: int | None = None,
    token: CancelToken | None = None,
) -> UpstreamResponse:
    sent = request(target, method="POST", body=body, length=length)
    return upstream.forward(sent, token or CancelToken())


def upgrade(
    upstream: Upstream, target: str = "/", token: CancelToken | None = None
) -> Tunnel | UpstreamResponse:
    headers = (*HOST, ("Connection", "Upgrade"), ("Upgrade", "websocket"))
    return upstream.upgrade(request(target, headers=headers), token or CancelToken())


def idle_connections(upstream: Upstream) -> int:
    """Return how many connections lie in the upstream's pool."""
    return len(upstream._adapter.pool)


class Background:
    """Runs something in a thread; a context manager that joins it."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.result: object = None
        self.error: BaseException | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, name="test-background")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.join()

    def join(self) -> None:
        """Wait for the end.

        Raises:
            TimeoutError: it did not come.
        """
        self._thread.join(10)
        if self._thread.is_alive():
            raise TimeoutError("the work in the background does not end")

    def _run(self) -> None:
        try:
            self.result = self._work()
        except Exception as exc:  # noqa: BLE001 - kept for the test to look at
            self.error = exc
