"""The fake model speaks websocket, and raw bytes after an upgrade."""

import os
from collections.abc import Iterator

import pytest

from tests.fakes.model_server import FakeModel
from tests.fakes.raw_client import connect, read_all, read_until, receive


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModel]:
    with FakeModel() as running:
        yield running


HANDSHAKE = (
    b"GET %s HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(first: int, data: bytes) -> bytes:
    mask = b"\x01\x02\x03\x04"
    size = len(data)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = (
            b"\xfe" + size.to_bytes(2) if size < 65536 else b"\xff" + size.to_bytes(8)
        )
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
    return bytes([first]) + length + mask + masked


def test_a_websocket_handshake_has_the_answer_of_the_rfc(model: FakeModel) -> None:
    """RFC 6455 section 1.3 gives key and answer."""
    with connect(model.port) as sock:
        sock.sendall(HANDSHAKE % b"/ws")
        head = read_until(sock, b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head


@pytest.mark.parametrize("size", [0, 5, 125, 126, 65535, 65536])
def test_a_websocket_echoes_frames_of_every_size(model: FakeModel, size: int) -> None:
    data = os.urandom(size)
    with connect(model.port) as sock:
        sock.sendall(HANDSHAKE % b"/ws" + frame(0x82, data))  # without waiting for 101
        read_until(sock, b"\r\n\r\n")
        head_bytes = 2 if size < 126 else 4 if size < 65536 else 10
        assert receive(sock, head_bytes)[0] == 0x82
        assert receive(sock, size) == data


def test_a_websocket_answers_ping_and_close_and_keeps_fragments(
    model: FakeModel,
) -> None:
    with connect(model.port) as sock:
        sock.sendall(HANDSHAKE % b"/anywhere")
        read_until(sock, b"\r\n\r\n")
        sock.sendall(frame(0x01, b"fra") + frame(0x89, b"p") + frame(0x80, b"gment"))
        sock.sendall(frame(0x8A, b"unasked") + frame(0x88, b"\x03\xe8bye"))
        assert read_all(sock) == (b"\x01\x03fra\x8a\x01p\x80\x05gment\x88\x02\x03\xe8")


def test_an_unmasked_frame_is_a_protocol_error(model: FakeModel) -> None:
    with connect(model.port) as sock:
        sock.sendall(HANDSHAKE % b"/ws" + b"\x81\x02hi")
        read_until(sock, b"\r\n\r\n")
        assert read_all(sock) == b"\x88\x02\x03\xea"


def test_a_raw_upgrade_echoes_bytes_after_its_greeting(model: FakeModel) -> None:
    with connect(model.port) as sock:
        sock.sendall(HANDSHAKE % b"/ws?raw=1&greet=hello")
        assert read_until(sock, b"hello").startswith(b"HTTP/1.1 101")
        sock.sendall(b"\x00anything")
        assert receive(sock, 9) == b"\x00anything"


def test_an_upgrade_can_be_refused(model: FakeModel) -> None:
    with connect(model.port) as sock:
        sock.sendall(HANDSHAKE % b"/ws?status=403")
        assert read_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 403")


def test_a_websocket_client_that_just_leaves_is_a_hang_up(model: FakeModel) -> None:
    before = model.state(max_in_progress=0)["hangups"]
    with connect(model.port) as sock:
        sock.sendall(HANDSHAKE % b"/ws")
        read_until(sock, b"\r\n\r\n")
    assert model.state(min_hangups=before + 1)["hangups"] == before + 1
