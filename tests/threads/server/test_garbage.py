"""What a request held is free when it has ended, whenever garbage is collected."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import swapper
from swapper.web import app as web_app
from swapper.web.client import Client
from swapper.web.request import Request
from tests.fakes.raw_client import connect, read_until
from tests.fakes.scripted_upstream import CHUNKED, GOOD, Peer, ScriptedUpstream
from tests.fakes.waiting import wait_until
from tests.threads.server.conftest import Serve

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LAST = b"0\r\n\r\n"


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


def answer(peer: Peer) -> None:
    """Send an answer in one piece, then a stream."""
    peer.head()
    peer.send(GOOD)
    peer.head()
    peer.send(CHUNKED)
    for _ in range(3):
        peer.send(b"4\r\npart\r\n")
    peer.send(LAST)
    peer.rest()


@pytest.mark.usefixtures("no_collection")
def test_a_request_that_has_ended_needs_no_garbage_collection(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[weakref.ref[Request]] = []

    class Seen(Request):
        def __init__(self, environ: "WSGIEnvironment", client: Client) -> None:
            super().__init__(environ, client)
            seen.append(weakref.ref(self))

    monkeypatch.setattr(web_app, "Request", Seen)
    config = tmp_path / "config.yaml"
    body = b'{"model":"m"}'
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    ) % (len(body), body)
    with ScriptedUpstream(answer) as upstream:
        text = f"peers: {{p: {{proxy: '{upstream.url}', models: [m]}}}}\n"
        config.write_text(text, encoding="utf-8")
        app = swapper.create_app(str(config))
        try:
            with connect(serve(app).port) as client:
                for end in (b"good", LAST):
                    client.sendall(request)
                    read_until(client, end)
                wait_until(lambda: [ref() for ref in seen] == [None, None])
        finally:
            app.close()
