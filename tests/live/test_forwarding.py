"""What goes on to a local model and back, over the whole program (http-api.md 12)."""

import base64
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.fakes.http_client import read_chunk, read_head
from tests.fakes.model_server import fake_release, fake_state
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.raw_client import connect, read_all

pytestmark = pytest.mark.live

CHAT = "/v1/chat/completions"
JSON = "Content-Type: application/json"
STREAM = b"Content-Type: Text/Event-Stream; charset=utf-8\r\n"
HELLO = (
    b"HTTP/1.1 200 OK\r\n"
    + STREAM
    + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
)


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    config = config_text({"a": "--default echo=1", "late": ""})
    limits = "    timeouts: {responseHeader: 1, connect: 0, keepalive: -1}\n"
    config = config.replace("  late:\n", f"  late:\n{limits}")
    config += "groups: {g: {swap: false, members: [a, late]}}\n"
    folder: Path = tmp_path_factory.mktemp("forwarding")
    with SwapperProgram(folder, config, server=server) as made:
        yield made


def opened(program: SwapperProgram, *lines: str, body: str = "") -> socket.socket:
    """Return a connection on which these lines and a body have been sent."""
    sock = connect(int(program.url.rpartition(":")[2]))
    sock.sendall("\r\n".join([*lines, "", body]).encode())
    return sock


def raw(answer: bytes) -> str:
    """Return the control that has the fake model send exactly *answer*."""
    return "raw=" + quote(base64.b64encode(answer).decode())


def seen(program: SwapperProgram, target: str, **headers: str) -> list[Any]:
    """Return the headers that the model saw of a request."""
    body = {"model": "a"} if target == CHAT else None
    answer = program.call(target, body, headers=headers)
    assert answer.status == 200, answer.body
    got: list[Any] = answer.json()["headers"]
    return got


def values(headers: list[Any], name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name.lower()]


def test_p1_where_a_request_came_from(program: SwapperProgram) -> None:
    sent = {
        "Host": "h.example",
        "X-Forwarded-Host": "fh",
        "Forwarded": "for=1",
        "Cookie": "c=1",
        "Authorization": "Bearer z",
    }
    got = seen(program, "/upstream/a/x", **sent, **{"X-Forwarded-For": "9.9.9.9"})

    assert values(got, "X-Forwarded-For") == ["9.9.9.9, 127.0.0.1"]
    for name, value in sent.items():
        assert values(got, name) == [value]
    assert values(got, "User-Agent") == []


def test_p2_what_belongs_to_one_connection(program: SwapperProgram) -> None:
    got = seen(
        program,
        "/upstream/a/x",
        **{
            "Connection": "close, X-Drop",
            "X-Drop": "1",
            "Proxy-Authorization": "z",
            "Keep-Alive": "timeout=5",
            "TE": "trailers, deflate;q=0.5",
            "X-Keep": "1",
        },
    )
    names = {name.lower() for name, _ in got}

    assert values(got, "TE") == ["trailers"]
    assert values(got, "X-Keep") == ["1"]
    assert not names & {"connection", "x-drop", "proxy-authorization", "keep-alive"}


@pytest.mark.parametrize(
    ("accepted", "asked"),
    [
        pytest.param("br, gzip;q=0.5", "gzip;q=0.5", id="P3"),
        ("GZIP, zstd, Deflate;q=0", "GZIP, Deflate;q=0"),
        ("br", "identity"),
        ("*", "identity"),
    ],
)
def test_p3_metered_answers_come_in_a_coding_that_we_can_read(
    program: SwapperProgram, accepted: str, asked: str
) -> None:
    got = seen(program, CHAT, **{"Accept-Encoding": accepted})

    assert values(got, "Accept-Encoding") == [asked]


def test_p3_so_do_those_below_upstream(program: SwapperProgram) -> None:
    coding = {"Accept-Encoding": "br, gzip"}
    for target, asked in ((CHAT, "gzip"), ("/v1/other", "br, gzip")):
        answer = program.call(f"/upstream/a{target}", b"{}", headers=coding)
        assert values(answer.json()["headers"], "Accept-Encoding") == [asked]


def test_p4_others_come_as_the_client_likes(program: SwapperProgram) -> None:
    for target in ("/upstream/a/x", f"/upstream/a{CHAT}?", "/props?model=a"):
        got = seen(program, target, **{"Accept-Encoding": "br"})
        assert values(got, "Accept-Encoding") == ["br"]


def test_p5_an_event_stream_is_not_to_be_held_back(program: SwapperProgram) -> None:
    controls = f"{raw(HELLO)}&hold=p5&hold_at=1"
    with opened(program, f"GET /upstream/a/x?{controls} HTTP/1.1", "Host: h") as sock:
        head = read_head(sock)
        assert read_chunk(sock) == b"hello"  # while the model still holds the rest
        fake_release(program.upstream_url("a"), "p5")
    assert head["x-accel-buffering"] == "no"
    assert head["content-type"] == "Text/Event-Stream; charset=utf-8"


def test_p6_a_broken_stream_ends_broken(program: SwapperProgram) -> None:
    """Other than in the reference, which ends it as if it were complete (Q13)."""
    lines = (f"GET /upstream/a/x?{raw(HELLO)} HTTP/1.1", "Host: h")
    with opened(program, *lines) as sock:
        assert read_head(sock).status == 200
        assert read_chunk(sock) == b"hello"
        assert read_all(sock) == b""
    program.wait_for_log(r"response truncated: model a \(http://localhost:\d+\) broke")


def test_p7_a_killed_model_is_a_502_that_names_it(program: SwapperProgram) -> None:
    """Other than in the reference, whose body is empty (Q10)."""
    program.chat("a")
    url = program.upstream_url("a")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(program.call, f"{CHAT}?hold=p7", {"model": "a"})
        pid = fake_state(url, min_held=1)["pid"]
        os.kill(pid, signal.SIGKILL)
        answer = waiting.result()
    error = answer.json()["error"]

    assert answer.status == 502
    assert error["type"] == "server_error"
    assert error["code"] == "model_exited"
    assert error["message"].startswith("model a did not answer: ")
    assert "killed by signal 9" in error["message"]


def test_a_model_that_does_not_answer_in_time_is_a_504(program: SwapperProgram) -> None:
    answer = program.call(f"{CHAT}?delay=20", {"model": "late"})

    assert answer.status == 504
    assert answer.json()["error"]["code"] == "gateway_timeout"
    assert answer.json()["error"]["message"].startswith("model late (")
    assert program.chat("late").status == 200


def test_a_client_that_expects_a_100_gets_it_before_it_sends(
    program: SwapperProgram,
) -> None:
    """And the model is not asked for another one (config.md 9.4)."""
    body = '{"model":"a"}'
    lines = (
        *(f"POST {CHAT} HTTP/1.1", "Host: h", "Expect: 100-continue", JSON),
        f"Content-Length: {len(body)}",
    )
    with opened(program, *lines) as sock:
        assert read_head(sock).status == 100
        sock.sendall(body.encode())
        assert read_head(sock).status == 200
