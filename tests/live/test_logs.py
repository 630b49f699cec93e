"""Logs over HTTP, from the whole program (http-api.md 20.6)."""

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

EXTRA = """\
peers: {p1: {proxy: "http://127.0.0.1:9", models: [pm]}}
"""


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    folder: Path = tmp_path_factory.mktemp("logs")
    config = config_text({"m1": ""}, EXTRA)
    config = config.replace("  m1:\n", "  m1:\n    aliases: [alias1, a/b]\n")
    with SwapperProgram(folder, config, server=server) as made:
        assert made.chat("m1").status == 200
        yield made


@contextmanager
def reader(program: SwapperProgram, target: str) -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(program.url.partition("//")[2], timeout=20)
    connection.request("GET", target)
    yield connection.getresponse()
    connection.close()


def read_until(answer: http.client.HTTPResponse, wanted: bytes) -> bytes:
    seen = b""
    while wanted not in seen:
        piece = answer.read1(65536)
        assert piece, seen
        seen += piece
    return seen


def history(program: SwapperProgram, target: str, end: bytes) -> bytes:
    with reader(program, target) as answer:
        return read_until(answer, end)


def test_lg1_the_proxy_log_has_access_lines_and_goes_on(
    program: SwapperProgram,
) -> None:
    with reader(program, "/logs/stream/proxy") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Accel-Buffering"] == "no"
        read_until(answer, b'"POST /v1/chat/completions HTTP/1.1" 200 ')
        program.call("/running", headers={"User-Agent": "live-line"})
        read_until(answer, b'"GET /running HTTP/1.1" 200 ')


@pytest.mark.parametrize("name", ["alias1", "m1", "a/b", "a%2Fb", "m1/whatever"])
def test_lg2_a_models_output_by_any_of_its_names(
    program: SwapperProgram, name: str
) -> None:
    seen = history(program, f"/logs/stream/{name}", b"listens on port")
    assert b"Request" not in seen


def test_lg3_without_history(program: SwapperProgram) -> None:
    with reader(program, "/logs/stream/m1?no-history") as answer:
        program.call("/api/models/unload/m1", b"")
        assert program.chat("m1").status == 200
        assert read_until(answer, b"listens on port").count(b"listens on port") == 1


@pytest.mark.parametrize("name", ["nope", "p1/pm"])
def test_lg4_what_has_no_log(program: SwapperProgram, name: str) -> None:
    answer = program.call(f"/logs/stream/{name}")
    assert answer.status == 400
    assert answer.json()["error"]["message"] == (
        "invalid logger. Use 'proxy', 'upstream' or a model's ID"
    )


def test_lg5_what_goes_to_stdout_by_default(program: SwapperProgram) -> None:
    answer = program.call("/logs")
    assert answer.header("Content-Type") == "text/plain"
    assert b"start model=m1" in answer.body
    assert b"listens on port" not in answer.body
    assert b"listens on port" in history(
        program, "/logs/stream/upstream", b"listens on port"
    )


def test_a_browser_is_led_to_the_page(program: SwapperProgram) -> None:
    answer = program.call("/logs", headers={"Accept": "text/html,*/*"})
    assert (answer.status, answer.header("Location")) == (302, "/ui/")


def test_lines_of_json_on_demand(tmp_path: Path) -> None:
    flags = ("--log-format", "json")
    with SwapperProgram(tmp_path, config_text({"m1": ""}), *flags) as program:
        program.call("/running", headers={"X-Request-Id": "json-1"})
        program.wait_for_line(r"json-1")
        lines = [json.loads(line) for line in program.lines]

    assert {"time", "level", "logger", "message"} <= set(lines[0])
    assert [
        line["request_id"] for line in lines if "GET /running" in line["message"]
    ] == ["json-1"]
