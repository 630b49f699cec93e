"""Tiny WSGI applications and response bodies that report on themselves."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

DEADLINE_S = 10.0


def hello(
    environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    """Answer with method, path and body."""
    body = environ["wsgi.input"].read()
    text = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']} ".encode() + body
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text]


class Recorder:
    """An application that keeps the environs it was called with."""

    def __init__(self) -> None:
        self.environs: list[dict[str, Any]] = []

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        self.environs.append(dict(environ))
        return hello(environ, start_response)


class Pieces:
    """A response body that counts its ends.

    Attributes:
        closes: how often ``close`` was called.
        closed: set by the first call.
    """

    def __init__(self, pieces: Iterable[bytes | Exception]) -> None:
        self._pieces = iter(pieces)
        self.closes = 0
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self) -> None:
        self.closes += 1
        self.closed.set()


class Gated:
    """A response body of two pieces, the second behind an event."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield b"first"
        assert self.gate.wait(DEADLINE_S)
        yield b"second"


def answering(
    body: Iterable[bytes],
    headers: Iterable[tuple[str, str]] = (),
    status: str = "200 OK",
) -> Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]:
    """Return an application that always answers so."""

    def app(_: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        start_response(status, list(headers))
        return body

    return app
