"""Opening connections, TLS, and ending what is blocked on them."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swapper.config import TimeoutsConfig
from swapper.core.errors import ClientGoneError, UpstreamError, UpstreamTimeoutError
from swapper.relay import Timeouts, Upstream
from swapper.relay.endpoint import timeouts_of
from swapper.sync import Binding, CancelToken
from tests.fakes.relaying import Background, get, idle_connections, post
from tests.fakes.scripted_upstream import Peer, ScriptedUpstream

CERTIFICATE = Path(__file__).parents[2] / "fakes" / "localhost.pem"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"


@contextlib.contextmanager
def full_backlog() -> Iterator[str]:
    """Yield the URL of a listener that lets no further connection in."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


class ObservedToken(CancelToken):
    """A token that tells when something can be cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.is_bound = threading.Event()

    def bind(self, callback: Callable[[], object]) -> Binding:
        binding = super().bind(callback)
        self.is_bound.set()
        return binding


def serve(peer: Peer) -> None:
    while peer.head():
        peer.send(GOOD)


@pytest.fixture
def server_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def test_a_connection_that_is_not_taken_in_time_is_a_timeout() -> None:
    with full_backlog() as url:
        upstream = Upstream(url, "model full", Timeouts(connect_s=0.05))
        with pytest.raises(UpstreamTimeoutError, match="could not be reached") as error:
            get(upstream)
        assert not error.value.request_sent
        assert error.value.status == 504


def test_a_cancel_ends_connecting() -> None:
    token = ObservedToken()
    with full_backlog() as url:
        upstream = Upstream(url, "model full")
        with Background(lambda: get(upstream, token=token)) as work:
            assert token.is_bound.wait(10)
            token.cancel()
        assert isinstance(work.error, ClientGoneError)


def test_a_request_cancelled_before_it_began_is_not_sent() -> None:
    token = CancelToken()
    token.cancel()
    received = []

    def script(peer: Peer) -> None:
        received.append(peer.rest())

    with ScriptedUpstream(script) as server, pytest.raises(ClientGoneError):
        get(Upstream(server.url, "model x"), token=token)
    assert not any(received)


def test_a_request_cancelled_before_it_began_leaves_kept_connections_alone() -> None:
    with ScriptedUpstream(serve) as server:
        upstream = Upstream(server.url, "model x")
        b"".join(get(upstream))
        token = CancelToken()
        token.cancel()
        with pytest.raises(ClientGoneError):
            get(upstream, token=token)
        assert idle_connections(upstream) == 1
        assert b"".join(get(upstream)) == b"good"
        assert server.connections == 1
        upstream.close()


class Phases:
    """An upstream that stops in a phase, tells so, and reports the hang-up."""

    def __init__(self, stop: Callable[[Peer], object]) -> None:
        self.reached = threading.Event()
        self.hung_up = threading.Event()
        self._stop = stop

    def __call__(self, peer: Peer) -> None:
        self._stop(peer)
        self.reached.set()
        peer.rest()
        self.hung_up.set()


def read_nothing(peer: Peer) -> None:
    peer.head()


def send_half(peer: Peer) -> None:
    peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")


def send_open_end(peer: Peer) -> None:
    peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")


def send_half_a_head(peer: Peer) -> None:
    peer.head()
    peer.send(b"HTTP/1.1 200 OK\r\nConte")


@pytest.mark.parametrize(
    "stop", [read_nothing, send_half_a_head, send_half, send_open_end]
)
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_cancel_ends_waiting_for_the_upstream_in_every_phase(
    stop: Callable[[Peer], object],
    encrypted: bool,
    server_tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    token = CancelToken()
    script = Phases(stop)
    with ScriptedUpstream(script, tls=server_tls if encrypted else None) as server:
        upstream = Upstream(server.url, "model x")
        with Background(lambda: b"".join(get(upstream, token=token))) as work:
            assert script.reached.wait(10)
            token.cancel()
            assert script.hung_up.wait(10)
        assert isinstance(work.error, ClientGoneError)
        assert idle_connections(upstream) == 0


def test_a_cancel_ends_an_upload_nobody_reads() -> None:
    class Endless:
        def __init__(self) -> None:
            self.is_moving = threading.Event()

        def read1(self, limit_bytes: int, /) -> bytes:
            self.is_moving.set()
            return bytes(limit_bytes)

    token, body = CancelToken(), Endless()
    may_end = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        assert may_end.wait(10)

    with ScriptedUpstream(script) as server:
        upstream = Upstream(server.url, "model x")
        with Background(lambda: post(upstream, body, token=token)) as work:
            assert body.is_moving.wait(10)
            token.cancel()
        may_end.set()
        assert isinstance(work.error, ClientGoneError)


def test_a_late_cancel_cannot_hit_the_next_request_on_the_same_connection() -> None:
    with ScriptedUpstream(serve) as server:
        upstream = Upstream(server.url, "model x")
        tokens = [CancelToken() for _ in range(20)]
        for token in tokens:
            response = get(upstream, token=token)
            body = response.read1()
            token.cancel()
            assert body == b"good"
            assert response.read1() == b""
        assert server.connections == 1
        upstream.close()


def test_cancels_racing_with_the_end_of_answers_never_break_another_request() -> None:
    with ScriptedUpstream(serve) as server:
        upstream = Upstream(server.url, "model x")
        for _ in range(200):
            token = CancelToken()
            with contextlib.suppress(ClientGoneError), Background(token.cancel):
                b"".join(get(upstream, token=token))
            assert b"".join(get(upstream)) == b"good"
        upstream.close()


def test_a_connection_hit_by_a_cancel_is_not_kept_though_its_answer_is_whole() -> None:
    with ScriptedUpstream(serve) as server:
        upstream = Upstream(server.url, "model x")
        token = CancelToken()
        response = get(upstream, token=token)
        received = response.read1(1)
        token.cancel()
        with contextlib.suppress(ClientGoneError):
            while data := response.read1():
                received += data
        assert b"good".startswith(received)
        assert idle_connections(upstream) == 0


def test_a_cancel_never_lets_ciphertext_through(
    server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    is_sent = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        peer.send(b"a" * 100_000)
        is_sent.set()
        peer.rest()

    with ScriptedUpstream(script, tls=server_tls) as server:
        token = CancelToken()
        response = get(Upstream(server.url, "peer p"), token=token)
        received = response.read1()
        assert is_sent.wait(10)
        token.cancel()
        with pytest.raises(ClientGoneError):  # noqa: PT012 - many reads, one error
            while True:
                received += response.read1()
        assert not received.strip(b"a")


def test_https_is_spoken_and_the_connection_kept(
    server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with ScriptedUpstream(serve, tls=server_tls) as server:
        upstream = Upstream(server.url, "peer p")
        for _ in range(3):
            assert b"".join(get(upstream)) == b"good"
        assert server.connections == 1
        upstream.close()


def test_a_large_upload_over_https_arrives_whole_and_can_be_refused_early(
    server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    is_read = threading.Event()

    def script(peer: Peer) -> None:
        peer.head()
        if peer.number == 1:
            taken = len(peer.take(3_000_000))
            peer.send(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 7\r\n\r\n%d"
                % taken
            )
        else:
            peer.send(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
            assert is_read.wait(10)

    with ScriptedUpstream(script, tls=server_tls) as server:
        upstream = Upstream(server.url, "peer p")
        assert b"".join(post(upstream, bytes(3_000_000))) == b"3000000"
        assert post(upstream, bytes(30_000_000)).status == 413
        is_read.set()


def test_a_certificate_nobody_vouches_for_is_refused(
    server_tls: ssl.SSLContext,
) -> None:
    with ScriptedUpstream(serve, tls=server_tls) as server:
        upstream = Upstream(server.url, "peer p")
        with pytest.raises(UpstreamError, match="certificate") as caught:
            get(upstream)
        assert not caught.value.request_sent


def test_a_tls_handshake_that_hangs_is_a_timeout_and_can_be_cancelled() -> None:
    arrived = threading.Event()

    def script(peer: Peer) -> None:
        peer.sock.recv(1)
        arrived.set()
        peer.rest()

    with ScriptedUpstream(script) as server:
        url = server.url.replace("http:", "https:")
        impatient = Upstream(url, "peer p", Timeouts(tls_handshake_s=0.05))
        with pytest.raises(UpstreamTimeoutError):
            get(impatient)
        arrived.clear()
        token, patient = CancelToken(), Upstream(url, "peer p")
        with Background(lambda: get(patient, token=token)) as work:
            assert arrived.wait(10)
            token.cancel()
        assert isinstance(work.error, ClientGoneError)


def test_a_host_with_several_addresses_is_tried_until_one_answers() -> None:
    with ScriptedUpstream(serve) as server:
        port = server.url.rpartition(":")[2]
        upstream = Upstream(f"http://localhost:{port}", "model x")
        assert b"".join(get(upstream)) == b"good"
        upstream.close()


@pytest.mark.parametrize("limit_s", [0, 1, 10**9])
def test_any_limit_can_be_waited_for(limit_s: int) -> None:
    """A connect limit of 0 waits for ever, which ``poll`` does not take as a number."""
    limits = TimeoutsConfig(
        connect_s=limit_s, response_header_s=limit_s, idle_conn_s=limit_s
    )
    with ScriptedUpstream(serve) as server:
        upstream = Upstream(server.url, "model m", timeouts_of(limits))
        for _ in range(2):
            assert get(upstream).read1() == b"good"
        assert server.connections == 1
        upstream.close()


def test_a_tls_handshake_may_take_for_ever(server_tls: ssl.SSLContext) -> None:
    limits = timeouts_of(TimeoutsConfig(tls_handshake_s=0))
    with ScriptedUpstream(serve, tls=server_tls) as server:
        upstream = Upstream(server.url, "model m", limits)
        with pytest.raises(UpstreamError, match="certificate"):  # it got that far
            get(upstream)


@pytest.mark.parametrize(
    ("period_s", "is_on", "period"),
    [
        (30, True, 30),
        (7, True, 7),
        (0, True, None),
        (-1, False, None),
        (10**9, True, 32767),
    ],
)
def test_keepalive_is_as_configured(
    period_s: int, is_on: bool, period: int | None
) -> None:
    with ScriptedUpstream(serve) as server:
        upstream = Upstream(server.url, "model m", Timeouts(keepalive_s=period_s))
        assert get(upstream).read1() == b"good"
        connection = upstream._adapter.pool.take()
        assert connection is not None
        sock = connection.sock
        with socket.socket() as untouched:
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
                usual = untouched.getsockopt(socket.IPPROTO_TCP, option)
                expected = usual if period is None else period
                assert sock.getsockopt(socket.IPPROTO_TCP, option) == expected
        on = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert bool(on) == is_on
        connection.close()
