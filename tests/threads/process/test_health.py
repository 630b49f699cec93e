"""Probing a server that is not a model of ours."""

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId
from swapper.logs import Monitor
from swapper.process.health import Prober, health_check_of
from swapper.sync import CancelToken


class Probe:
    """A prober in a thread of its own."""

    def __init__(self, port: int, scheme: str = "http") -> None:
        config = ModelConfig(id=ModelId("m"), proxy=f"{scheme}://localhost:{port}")
        check = health_check_of(config)
        assert check is not None
        self.monitor = Monitor()
        self.token = CancelToken()
        self.result: bool | None = None
        now = time.monotonic()
        prober = Prober(
            check,
            started_at=now,
            output=self.monitor.subscribe(),
            cancel=self.token,
        )

        def run() -> None:
            self.result = prober.wait_ready(now + 20.0)

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def join(self) -> bool | None:
        self._thread.join(10.0)
        assert not self._thread.is_alive()
        return self.result


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10.0)
        yield server


def answer(server: socket.socket, text: bytes) -> bytes:
    client, _ = server.accept()
    with client:
        request = client.recv(4096)
        client.sendall(text)
    return request


@pytest.mark.parametrize(
    "useless",
    [
        b"HTTP/1.1 503 Loading\r\n\r\n",
        b"HTTP/1.1 301 Elsewhere\r\nLocation: /\r\n\r\n",
        b"HTTP/1.1 204 Nothing\r\n\r\n",
        b"HTTP/1.1 2000 Odd\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
)
def test_only_200_will_do(server: socket.socket, useless: bytes) -> None:
    probe = Probe(server.getsockname()[1])

    request = answer(server, useless)
    assert probe.result is None
    answer(server, b"HTTP/1.0 200 Fine\r\n\r\n")

    assert probe.join() is True
    port = server.getsockname()[1]
    assert request.startswith(b"GET /health HTTP/1.1\r\n")
    assert f"Host: localhost:{port}\r\n".encode() in request


def test_a_status_line_in_pieces_is_understood(server: socket.socket) -> None:
    probe = Probe(server.getsockname()[1])
    client, _ = server.accept()
    with client:
        for byte in b"HTTP/1.1 200 OK\r\n":
            client.sendall(bytes([byte]))

        assert probe.join() is True


def test_a_cancel_ends_a_hanging_try_at_once(server: socket.socket) -> None:
    probe = Probe(server.getsockname()[1])
    client, _ = server.accept()
    client.recv(4096)

    probe.token.cancel()

    assert probe.join() is False
    client.close()


def test_a_cancel_ends_the_wait_between_tries(server: socket.socket) -> None:
    probe = Probe(server.getsockname()[1])
    answer(server, b"HTTP/1.1 503 Loading\r\n\r\n")

    probe.token.cancel()

    assert probe.join() is False


def test_output_of_the_process_is_no_obstacle(server: socket.socket) -> None:
    port = server.getsockname()[1]
    server.close()
    probe = Probe(port)

    for _ in range(100):
        probe.monitor.write(b"loading\n")
    with socket.create_server(("127.0.0.1", port)) as late:
        late.settimeout(10.0)
        probe.monitor.write(b"listening\n")
        answer(late, b"HTTP/1.1 200 OK\r\n\r\n")

        assert probe.join() is True


def test_the_end_of_the_log_neither_hurries_nor_holds_the_probing(
    server: socket.socket,
) -> None:
    probe = Probe(server.getsockname()[1])
    probe.monitor.close()
    answer(server, b"HTTP/1.1 503 Loading\r\n\r\n")
    probe.token.cancel()

    assert probe.join() is False


def test_a_self_signed_certificate_is_good_enough(
    server: socket.socket, tmp_path: Path
) -> None:
    context = _tls_context(tmp_path)
    probe = Probe(server.getsockname()[1], "https")
    client, _ = server.accept()
    with context.wrap_socket(client, server_side=True) as secured:
        secured.recv(4096)
        secured.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

        assert probe.join() is True


def test_a_hanging_handshake_can_be_cancelled(server: socket.socket) -> None:
    probe = Probe(server.getsockname()[1], "https")
    client, _ = server.accept()
    client.recv(4096)

    probe.token.cancel()

    assert probe.join() is False
    client.close()


def _tls_context(folder: Path) -> ssl.SSLContext:
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subject = ["-subj", "/CN=nobody", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
