"""The same program in our own server, in gunicorn and in waitress."""

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.model_server import fake_release, fake_state
from tests.fakes.program import SwapperProgram, config_text, processes_with

pytestmark = pytest.mark.live


@pytest.fixture
def program(tmp_path: Path, server: str) -> Iterator[SwapperProgram]:
    config = config_text({"a": "", "b": ""}, "logLevel: debug")
    with SwapperProgram(tmp_path, config, server=server) as made:
        yield made
        made.stop()
    assert processes_with(made.token) == []


def open_request(program: SwapperProgram, target: str, body: object) -> socket.socket:
    """Send a request and return the connection without reading the answer."""
    host, _, port = program.url.partition("//")[2].partition(":")
    sock = socket.create_connection((host, int(port)), timeout=20)
    data = json.dumps(body).encode()
    sock.sendall(
        f"POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data
    )
    return sock


def test_cold_chat_swap_and_unload(program: SwapperProgram) -> None:
    for model in ("a", "b", "a"):
        answer = program.chat(model).json()
        assert answer["choices"][0]["message"]["content"].startswith(model)
    assert program.running() == {"a": "ready"}
    assert program.call("/api/models/unload", b"").json() == {"msg": "ok"}
    assert program.running() == {}


def test_a_stream_arrives_as_it_is_made(program: SwapperProgram) -> None:
    connection = http.client.HTTPConnection(program.url.partition("//")[2], timeout=20)
    body = json.dumps({"model": "a", "stream": True, "messages": []})
    target = "/v1/chat/completions?tokens=4&hold=k&hold_at=2"
    connection.request("POST", target, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    first = answer.readline()
    assert json.loads(first.removeprefix(b"data: "))["choices"][0]["delta"]["content"]
    fake_release(program.upstream_url("a"), "k")  # only now the rest is made

    assert answer.read().rstrip().endswith(b"data: [DONE]")
    assert answer.headers["X-Accel-Buffering"] == "no"
    connection.close()


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_nothing_is_held_back_in_any_framing(
    program: SwapperProgram, framing: str
) -> None:
    """Head and first piece are there before the model makes the next ones."""
    host = program.url.partition("//")[2]
    connection = http.client.HTTPConnection(host, timeout=20)
    for hold_at in (0, 1):
        target = f"/upstream/a/x?size=20&slice=10&framing={framing}"
        connection.request("GET", f"{target}&hold=k&hold_at={hold_at}")
        answer = connection.getresponse()
        seen = b""
        while len(seen) < hold_at * 10:
            seen += answer.read1(100)
        fake_release(program.upstream_url("a"), "k")

        assert len(seen + answer.read()) == 20
    connection.close()


def test_large_bodies_pass_both_ways(program: SwapperProgram) -> None:
    upload = program.call("/upstream/a/x", b"u" * (8 << 20))
    download = program.call("/upstream/a/x?size=20000000")

    assert upload.json()["body_bytes"] == 8 << 20
    assert len(download.body) == 20_000_000


def test_a_client_that_leaves_the_queue_is_forgotten(program: SwapperProgram) -> None:
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(program.call, "/upstream/a/x?hold=k")
        model = program.upstream_url("a")
        fake_state(model, min_held=1)
        waiting = open_request(program, "/v1/chat/completions", {"model": "b"})
        program.wait_for_log("message=Submit.*model='b'")
        waiting.close()
        program.wait_for_log("message=Cancel")
        fake_release(model, "k")

        assert held.result().status == 200
        assert program.chat("a").status == 200
    seen = program.wait_for_log("message=ServeDone(?s:.*)message=ServeDone")
    assert "start model=b" not in seen


def test_a_client_that_leaves_while_loading_is_forgotten(
    tmp_path: Path, server: str
) -> None:
    config = config_text({"a": "--ready-after 60", "b": ""}, "logLevel: debug")
    with SwapperProgram(tmp_path, config, server=server) as program:
        waiting = open_request(program, "/v1/chat/completions", {"model": "a"})
        program.wait_for_log("start model=a")
        waiting.close()
        program.wait_for_log("message=Cancel")

        assert program.chat("b").status == 200  # which calls the load of a off


def test_a_client_that_leaves_mid_stream_cancels_the_upstream(
    program: SwapperProgram,
) -> None:
    body = {"model": "a", "stream": True, "messages": []}
    target = "/v1/chat/completions?tokens=100&hold=k&hold_at=2"
    streaming = open_request(program, target, body)
    assert b"200 OK" in streaming.recv(65536)
    model = program.upstream_url("a")
    fake_state(model, min_held=1)
    streaming.close()

    fake_state(model, min_hangups=1)
    assert program.chat("b").status == 200  # nothing counts on a any more
    assert "Traceback (most recent call last):" not in program.lines


def test_headers_pass_both_ways(program: SwapperProgram) -> None:
    """P1, P2: hop-by-hop headers go, the rest stays, answers keep duplicates."""
    target = "/upstream/a/x%2Fy?echo=1&header=Set-Cookie:a%3D1&header=Set-Cookie:b%3D2"
    headers = {
        "X-Forwarded-For": "9.9.9.9",
        "Cookie": "c=1",
        "Connection": "close, X-Drop",
        "X-Drop": "1",
        "X-Keep": "1",
    }
    answer = program.call(target, headers=headers)
    seen = dict(answer.json()["headers"])

    assert answer.json()["path"].startswith("/x%2Fy?")
    assert [v for n, v in answer.headers if n == "Set-Cookie"] == ["a=1", "b=2"]
    assert seen["X-Forwarded-For"] == "9.9.9.9, 127.0.0.1"
    assert seen["Cookie"] == "c=1"
    assert seen["X-Keep"] == "1"
    assert "X-Drop" not in seen
