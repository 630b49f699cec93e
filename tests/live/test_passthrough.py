"""Straight to one model: ``/upstream``, ``/comfyui``, websockets (http-api.md 14 to 16)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from simple_websocket import Client as WebSocket
from simple_websocket import ConnectionClosed

from tests.fakes.http_client import Answer, read_head
from tests.fakes.model_server import fake_release, fake_state
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.raw_client import connect, receive
from tests.fakes.scripted_upstream import Peer, ScriptedUpstream

pytestmark = pytest.mark.live

CHAT = "/v1/chat/completions"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}
IGNORE = "    concurrencyLimit: 1\n    compat: {ignoreWebsockets: true}\n"
ROOM = """\
groups:
  g: {swap: false, exclusive: false, members: [m1, hid, comfyui_auto]}
  h: {swap: true, exclusive: false, members: [wsm, other]}
peers:
  p2: {proxy: "PEER", models: [other]}
"""
GREETING = b"HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def agree(peer: Peer) -> None:
    """Switch protocols, tell what was asked for, then echo until the end."""
    head = peer.head()
    peer.send(GREETING + head.partition(b"\r\n")[0] + b"\n")
    while data := peer.take(1):
        peer.send(data)


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    models = dict.fromkeys(("m1", "hid", "comfyui_auto", "other"), "--default echo=1")
    with ScriptedUpstream(agree) as peer:
        config = config_text({**models, "wsm": ""}, ROOM.replace("PEER", peer.url))
        config = config.replace("  wsm:\n", f"  wsm:\n{IGNORE}")
        config = config.replace("  hid:\n", "  hid:\n    aliases: [h]\n")
        folder: Path = tmp_path_factory.mktemp("passthrough")
        with SwapperProgram(folder, config, server=server) as made:
            yield made


def unload(program: SwapperProgram, model: str) -> None:
    assert program.call(f"/api/models/unload/{model}", b"").status == 200


def refused(program: SwapperProgram, target: str, **rest: Any) -> str:
    """Return why the request was answered 409."""
    answer = program.call(target, **rest)
    assert answer.status == 409, answer.body
    message: str = answer.json()["error"]["message"]
    return message


def upgraded(
    program: SwapperProgram, target: str, *lines: str, early: bytes = b""
) -> tuple[Answer, bytes]:
    """Ask for an upgrade with these header lines; return the head and an echo.

    Args:
        early: sent with the head; a client has to wait for the 101 (RFC 6455 4.1),
            but not every one does.
    """
    port = int(program.url.rpartition(":")[2])
    sent = "\r\n".join([f"GET {target} HTTP/1.1", "Host: h", *lines, "", ""])
    with connect(port) as sock:
        sock.sendall(sent.encode() + early)
        head = read_head(sock)
        if head.status != 101:
            return head, b""
        sock.sendall(b"ping")
        return head, receive(sock, len(early) + 4)


def websocket(program: SwapperProgram, target: str) -> WebSocket:
    return WebSocket.connect(program.url.replace("http", "ws") + target)


# --- /upstream ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["hid", "h"])
def test_u9_u10_a_path_that_ignore_paths_matches_starts_nothing(
    program: SwapperProgram, name: str
) -> None:
    unload(program, "hid")
    long = f"{'x' * 1000}.js"
    for rest in ("foo.js", "foo.js?x=1", "a%2Fb.css", "%66oo%2Ejson", long):
        assert refused(program, f"/upstream/{name}/{rest}") == (
            "model hid is not loaded; path matches upstream.ignorePaths"
        )
    assert "hid" not in program.running()

    assert program.call(f"/upstream/{name}/").status == 200
    assert program.call(f"/upstream/{name}/foo.js").status == 200


def test_u9_the_query_is_not_part_of_the_path(program: SwapperProgram) -> None:
    unload(program, "hid")

    assert program.call("/upstream/hid/x?y=foo.js").status == 200


def test_u10_an_ignored_path_of_a_ready_model_counts_as_a_request(
    program: SwapperProgram,
) -> None:
    program.chat("other")
    model = program.upstream_url("other")
    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(program.call, "/upstream/other/x.js?hold=k")
        fake_state(model, min_held=1)
        waiting = pool.submit(program.chat, "wsm")  # has to wait for the other
        assert program.call("/upstream/other/y.js").status == 200
        assert program.running()["other"] == "ready"
        fake_release(model, "k")
        assert held.result().status == 200
        assert waiting.result().status == 200


# --- /comfyui -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 301), ("HEAD", 301), ("POST", 308), ("PUT", 308)]
)
def test_cu1_without_the_slash(
    program: SwapperProgram, method: str, status: int
) -> None:
    answer = program.call("/comfyui?x=1", method=method)

    assert (answer.status, answer.header("Location")) == (status, "/comfyui/?x=1")


def test_cu2_cu3_cu4_only_the_page_starts_it(program: SwapperProgram) -> None:
    unload(program, "comfyui_auto")
    for target in ("/comfyui/api/x", "/comfyui/%2F", "/comfyui/x/?q=1"):
        assert refused(program, target) == (
            "model comfyui_auto is not loaded; only /comfyui/ can start it"
        )
    assert "comfyui_auto" not in program.running()

    assert program.call("/comfyui/?q=1").json()["target"] == "/?q=1"
    for rest in ("/api/userdata/w%2Fe.json?p=1", "/api/userdata/w%252Fe.json", "/a.js"):
        seen = program.call(f"/comfyui{rest}", b"{}").json()
        assert (seen["method"], seen["target"]) == ("POST", rest)


def test_cu3_upstream_may_start_it_too(program: SwapperProgram) -> None:
    unload(program, "comfyui_auto")

    assert program.call("/upstream/comfyui_auto/api/x").status == 200


def test_comfyui_is_absent_without_its_model(tmp_path: Path, server: str) -> None:
    """A peer's model of that name does not count."""
    peers = "peers: {p: {proxy: 'http://127.0.0.1:9', models: [comfyui_auto]}}\n"
    with SwapperProgram(
        tmp_path, config_text({"a": ""}, peers), server=server
    ) as program:
        for target in ("/comfyui/", "/comfyui/x"):
            answer = program.call(target)
            assert answer.status == 404
            assert answer.json()["error"]["message"] == (
                "local model comfyui_auto not found"
            )


def test_a_page_of_another_site_cannot_drive_comfyui(program: SwapperProgram) -> None:
    foreign = {"Origin": "http://evil.example"}

    assert program.call("/comfyui/prompt", b"{}", headers=foreign).status == 403
    assert program.call("/comfyui/ws", headers={**UPGRADE, **foreign}).status == 403


# --- websockets -----------------------------------------------------------------


def test_w1_an_upgrade_reaches_its_path(program: SwapperProgram) -> None:
    socket = websocket(program, "/upstream/m1/sock%2F1?x=1")
    socket.send("hello")
    assert socket.receive(20) == "hello"
    socket.close()

    state = fake_state(program.upstream_url("m1"), max_in_progress=0)
    assert "/sock/1" in state["by_path"]  # as the model decodes it


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(
            ["Connection: keep-alive, UPGRADE", "Upgrade: WebSocket"], id="W2"
        ),
        ["Connection: keep-alive", "Connection: upgrade", "Upgrade: websocket"],
        ["Connection: Upgrade", "Upgrade: h2c, websocket", "upgrade: other"],
    ],
)
def test_w2_how_an_upgrade_is_recognised(
    program: SwapperProgram, lines: list[str]
) -> None:
    head, echo = upgraded(program, "/upstream/m1/ws?raw=1", *lines)

    assert (head.status, echo) == (101, b"ping")
    assert head["connection"] == "Upgrade"


def test_w2_what_is_sent_before_the_101_arrives_too(program: SwapperProgram) -> None:
    lines = ("Connection: Upgrade", "Upgrade: websocket")
    head, echo = upgraded(program, "/upstream/m1/ws?raw=1", *lines, early=b"early")

    assert (head.status, echo) == (101, b"earlyping")


@pytest.mark.parametrize(
    "lines",
    [
        ["Upgrade: websocket"],
        ["Connection: upgrade"],
        ["Connection: upgraded", "Upgrade: websocket"],
        ["Connection: Upgrade", "Upgrade: h2c"],
    ],
)
def test_w2_what_is_no_upgrade(program: SwapperProgram, lines: list[str]) -> None:
    head, _ = upgraded(program, "/upstream/m1/ws", *lines)

    assert head.status == 200


def test_plain_endpoints_and_posts_know_no_upgrade(program: SwapperProgram) -> None:
    assert program.call("/health", headers=UPGRADE).status == 200
    assert program.call("/v1/models", headers=UPGRADE).status == 200
    answer = program.call(CHAT, {"model": "m1"}, headers=UPGRADE)
    sent = {name.lower() for name, _ in answer.json()["headers"]}
    assert answer.status == 200
    assert not sent & {"connection", "upgrade"}


def test_w3_an_ignored_websocket_starts_nothing(program: SwapperProgram) -> None:
    unload(program, "wsm")
    for target in ("/upstream/wsm/s", "/props?model=wsm", "/upstream/wsm/s.js"):
        message = refused(program, target, headers=UPGRADE)
        assert message.startswith("model wsm is not loaded; ")
    assert refused(program, "/upstream/wsm/s", headers=UPGRADE) == (
        "model wsm is not loaded; ignored websocket requests cannot start it"
    )
    assert "wsm" not in program.running()


def test_w4_an_ignored_websocket_takes_no_slot(program: SwapperProgram) -> None:
    program.chat("wsm")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(program.call, f"{CHAT}?hold=k", {"model": "wsm"})
        model = program.upstream_url("wsm")
        fake_state(model, min_held=1)
        assert program.chat("wsm").status == 429  # its limit is 1
        for target in ("/upstream/wsm/ws?raw=1", "/props?model=wsm&raw=1"):
            head, echo = upgraded(
                program, target, "Connection: Upgrade", "Upgrade: websocket"
            )
            assert (head.status, echo) == (101, b"ping")
        fake_release(model, "k")
        assert held.result().status == 200


def test_w4_an_ignored_websocket_does_not_keep_a_model(program: SwapperProgram) -> None:
    program.chat("wsm")
    socket = websocket(program, "/upstream/wsm/ws")
    socket.send("hello")
    assert socket.receive(20) == "hello"

    assert program.chat("other").status == 200  # evicts it
    with pytest.raises(ConnectionClosed):
        socket.receive(20)
    assert "wsm" not in program.running()


def test_an_ordinary_websocket_keeps_its_model(program: SwapperProgram) -> None:
    program.chat("other")
    socket = websocket(program, "/upstream/other/ws")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(program.chat, "wsm")
        program.wait_for_log("model ready model=other ")
        socket.send("still here")
        assert socket.receive(20) == "still here"
        assert program.running()["other"] == "ready"
        socket.close()
        assert waiting.result().status == 200


def test_w5_an_upgrade_to_a_peer(program: SwapperProgram) -> None:
    port = int(program.url.rpartition(":")[2])
    lines = "Host: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    for target, seen in (
        ("/upstream/p2/other/w%2Fs?a=%2F", b"GET /w%2Fs?a=%2F HTTP/1.1\n"),
        ("/props?model=p2/other", b"GET /props?model=other HTTP/1.1\n"),
    ):
        with connect(port) as sock:
            sock.sendall(f"GET {target} HTTP/1.1\r\n{lines}".encode())
            assert read_head(sock).status == 101
            assert receive(sock, len(seen)) == seen
            sock.sendall(b"x")
            assert receive(sock, 1) == b"x"


def test_a_refused_upgrade_is_an_ordinary_answer(program: SwapperProgram) -> None:
    answer = program.call("/upstream/m1/ws?status=403", headers=UPGRADE)

    assert answer.status == 403
    assert json.loads(answer.body)["method"] == "GET"
