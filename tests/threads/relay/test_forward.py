"""Requests through the relay to a fake model server."""

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from swapper.core.errors import BadRequestError, UpstreamError
from swapper.relay import Upstream, UpstreamRequest
from swapper.sync import CancelToken
from tests.fakes.model_server import FakeModel
from tests.fakes.ports import free_port
from tests.fakes.relaying import HOST, get, idle_connections, post, request
from tests.fakes.scripted_upstream import Peer, ScriptedUpstream


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with FakeModel() as fake:
        yield fake


@pytest.fixture
def upstream(model: FakeModel) -> Iterator[Upstream]:
    one = Upstream(model.url, "model fake")
    yield one
    one.close()


def test_the_target_reaches_the_upstream_byte_for_byte(model: FakeModel) -> None:
    upstream = Upstream(f"{model.url}/base?key=1", "model fake")
    target = "/a%2fb/%7e/.././/c;p?x=%41&y=a+b&x"
    seen = json.loads(b"".join(get(upstream, target)))
    assert seen["target"] == "/base/a%2fb/%7e/.././/c;p?key=1&x=%41&y=a+b&x"
    upstream.close()


def test_the_upstream_sees_the_clients_headers_and_nothing_invented(
    upstream: Upstream,
) -> None:
    headers = (
        ("Host", "h.example"),
        ("X-Forwarded-For", "9.9.9.9"),
        ("Connection", "close, X-Drop"),
        ("X-Drop", "1"),
        ("Proxy-Authorization", "z"),
        ("TE", "trailers"),
        ("Authorization", "Bearer a"),
        ("Accept-Encoding", "br"),
        ("Cookie", "a=1"),
    )
    sent = UpstreamRequest(
        method="GET", target="/x", headers=headers, client_ip="127.0.0.1"
    )
    seen = json.loads(b"".join(upstream.forward(sent, CancelToken())))
    assert seen["headers"] == [
        ["Host", "h.example"],
        ["X-Forwarded-For", "9.9.9.9, 127.0.0.1"],
        ["Authorization", "Bearer a"],
        ["Accept-Encoding", "br"],
        ["Cookie", "a=1"],
        ["TE", "trailers"],
    ]


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_each_piece_arrives_before_the_next_is_made(
    model: FakeModel, upstream: Upstream, framing: str
) -> None:
    key = f"piece-{framing}"
    target = f"/x?size=3000&slice=1000&hold_at=1&hold={key}&framing={framing}"
    response = get(upstream, target)
    first = response.read1()
    while len(first) < 1000:
        first += response.read1()
    assert len(first) == 1000  # and the upstream makes no more until we say so
    model.release(key)
    assert len(first) + sum(map(len, response)) == 3000


def test_the_head_arrives_before_the_first_piece(
    model: FakeModel, upstream: Upstream
) -> None:
    response = get(upstream, "/x?size=5&hold_at=0&hold=head")
    assert response.status == 200
    model.release("head")
    assert len(b"".join(response)) == 5


def test_events_are_passed_on_one_by_one(model: FakeModel, upstream: Upstream) -> None:
    body = b'{"model":"fake","stream":true}'
    target = "/v1/chat/completions?tokens=2&hold_at=1&hold=event"
    response = post(upstream, body, target=target)
    assert ("X-Accel-Buffering", "no") in response.headers
    first = response.read1()
    assert first.endswith(b"\n\n")
    assert b"[DONE]" not in first
    model.release("event")
    assert b"".join(response).endswith(b"data: [DONE]\n\n")


def test_duplicate_headers_of_the_answer_stay_apart(upstream: Upstream) -> None:
    target = "/x?size=1&header=Set-Cookie:a=1&header=Set-Cookie:b=2"
    response = get(upstream, target)
    cookies = [value for name, value in response.headers if name == "Set-Cookie"]
    assert cookies == ["a=1", "b=2"]
    assert len(response.read1()) == 1


def test_a_content_coding_is_not_touched(upstream: Upstream) -> None:
    response = get(upstream, "/x?size=500&gzip")
    assert ("Content-Encoding", "gzip") in response.headers
    assert b"".join(response).startswith(b"\x1f\x8b")


def test_a_redirect_is_the_clients_to_follow(upstream: Upstream) -> None:
    response = get(upstream, "/x?status=307&header=Location:/y&size=3")
    assert response.status == 307
    assert ("Location", "/y") in response.headers
    assert len(b"".join(response)) == 3


def test_an_answer_to_head_keeps_its_length_and_has_no_body() -> None:
    def script(peer: Peer) -> None:
        while peer.head():
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        for _ in range(3):
            response = upstream.forward(request(method="HEAD"), CancelToken())
            assert ("Content-Length", "1000") in response.headers
            assert response.read1() == b""
        assert server.connections == 1
        upstream.close()


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_an_answer_without_body_leaves_the_connection_usable(status: str) -> None:
    def script(peer: Peer) -> None:
        while peer.head():
            peer.send(f"HTTP/1.1 {status}\r\nETag: x\r\n\r\n".encode())

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        for _ in range(3):
            response = get(upstream)
            assert f"{response.status} {response.reason}" == status
            assert list(response) == []
        assert server.connections == 1
        upstream.close()


def test_the_reason_phrase_is_kept() -> None:
    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 299 So \xe4 La La\r\nContent-Length: 0\r\n\r\n")

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        response = get(upstream)
        assert (response.status, response.reason) == (299, "So \xe4 La La")
        upstream.close()


def test_connections_are_used_again(upstream: Upstream) -> None:
    for _ in range(5):
        response = get(upstream, "/x?size=10")
        assert dict(response.headers)["X-Fake-Connection"]
        b"".join(response)
        assert idle_connections(upstream) == 1


def test_the_connection_is_back_in_the_pool_before_the_last_piece_is_handed_out(
    upstream: Upstream,
) -> None:
    response = get(upstream, "/x?size=10")
    assert idle_connections(upstream) == 0
    received = b""
    while len(received) < 10:
        received += response.read1()
    assert idle_connections(upstream) == 1


def test_fifty_threads_get_their_own_answers(upstream: Upstream) -> None:
    start = threading.Barrier(50)

    def work(number: int) -> list[str]:
        start.wait(10)
        bodies = []
        for step in range(5):
            body = f"{number}/{step}".encode()
            answer = b"".join(post(upstream, body, target="/x?echo"))
            bodies.append(json.loads(answer)["body"])
        return bodies

    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(work, range(50)))
    assert results == [[f"{n}/{step}" for step in range(5)] for n in range(50)]
    assert 1 <= idle_connections(upstream) <= 50


@pytest.mark.parametrize("length", [None, 5_000_000])
def test_a_streamed_upload_arrives_whole(
    upstream: Upstream, length: int | None
) -> None:
    body = bytes(range(256)) * 20_000
    source = io.BytesIO(body[:5_000_000])
    seen = json.loads(b"".join(post(upstream, source, target="/x", length=length)))
    assert seen["body_bytes"] == 5_000_000
    names = {name.lower() for name, _ in seen["headers"]}
    assert ("transfer-encoding" in names) is (length is None)
    assert idle_connections(upstream) == 1


def test_large_bytes_arrive_whole(upstream: Upstream) -> None:
    seen = json.loads(b"".join(post(upstream, b"x" * 3_000_000, target="/x")))
    assert seen["body_bytes"] == 3_000_000


@pytest.mark.parametrize("length", [None, 3, 0])
def test_a_small_streamed_body_arrives_whole(
    upstream: Upstream, length: int | None
) -> None:
    source = io.BytesIO(b"abc"[:length])
    seen = json.loads(b"".join(post(upstream, source, target="/x", length=length)))
    assert seen["body"] == "abc"[:length]


def test_a_request_with_an_illegal_header_is_the_clients_fault(
    upstream: Upstream,
) -> None:
    bad = request(headers=(*HOST, ("X", "a\r\nInjected: 1")))
    with pytest.raises(BadRequestError):
        upstream.forward(bad, CancelToken())


def test_nobody_listening_is_told_as_not_sent() -> None:
    port = free_port()
    upstream = Upstream(f"http://127.0.0.1:{port}", "model gone")
    with pytest.raises(UpstreamError, match=f"model gone .*{port}.*refused") as caught:
        get(upstream)
    assert not caught.value.request_sent
    assert caught.value.status == 502
    upstream.close()


def test_an_unknown_host_is_told_as_not_sent() -> None:
    upstream = Upstream("http://host.invalid:1", "peer p")
    with pytest.raises(UpstreamError, match="could not be reached") as caught:
        get(upstream)
    assert not caught.value.request_sent


def test_a_closed_upstream_still_serves_but_keeps_nothing(upstream: Upstream) -> None:
    b"".join(get(upstream, "/x?size=1"))
    upstream.close()
    assert idle_connections(upstream) == 0
    assert len(b"".join(get(upstream, "/x?size=1"))) == 1
    assert idle_connections(upstream) == 0


MEMORY_SCRIPT = """
import resource, sys
from swapper.relay import Upstream, UpstreamRequest
from swapper.sync import CancelToken

class Zeros:
    left = 50_000_000
    def read1(self, limit_bytes):
        size = min(limit_bytes, self.left)
        self.left -= size
        return bytes(size)

def peak_kb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

upstream = Upstream(sys.argv[1], "model big")
def call(target, body=None, length=None, method="GET"):
    request = UpstreamRequest(method=method, target=target,
        headers=(("Host", "h"),), body=body, content_length=length)
    return sum(len(piece) for piece in upstream.forward(request, CancelToken()))
call("/x?size=1000000")
before = peak_kb()
assert call("/x?size=100000000") == 100_000_000
assert call("/x?size=100000000&framing=chunked") == 100_000_000
assert call("/upload", Zeros(), 50_000_000, "POST") == 1
print(peak_kb() - before)
upstream.close()
"""


def test_memory_stays_constant_for_a_hundred_megabytes_down_and_fifty_up() -> None:
    def script(peer: Peer) -> None:
        head = peer.head()
        if head.startswith(b"POST"):
            left = 50_000_000
            while left:
                left -= len(peer.take(min(left, 65536)))
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
            return
        size = int(head.partition(b"size=")[2].split()[0].partition(b"&")[0])
        if b"chunked" not in head:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for _ in range(size // 100_000):
                peer.send(bytes(100_000))
            return
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(size // 100_000):
            peer.send(b"%x\r\n%b\r\n" % (100_000, bytes(100_000)))
        peer.send(b"0\r\n\r\n")

    with ScriptedUpstream(script) as server:
        result = subprocess.run(
            [sys.executable, "-c", MEMORY_SCRIPT, server.url],
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=50,
        )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 8_000  # KB beyond the first megabyte's peak
