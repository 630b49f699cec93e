"""The load generator, the model upstream, and the harness as a whole; needs a C compiler."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import wire
from benchmarks.build import Tools, build_c, find_c_compiler
from benchmarks.drive import Load, driving
from benchmarks.programs import launched
from tests.fakes.ports import free_ports
from tests.fakes.program import processes_with
from tests.fakes.waiting import wait_until

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(find_c_compiler() is None, reason="no C compiler"),
]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def tools(cache: Path) -> Tools:
    folder = cache / "swapper-benchmarks"
    return Tools(build_c("load", folder), build_c("upstream", folder), None)


@pytest.fixture
def upstream(tools: Tools, tmp_path: Path) -> Iterator[int]:
    port = free_ports(1)
    with launched([str(tools.upstream), str(port)], tmp_path / "log"):

        def is_listening() -> bool:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                return False
            return True

        wait_until(is_listening)
        yield port


def drive(tools: Tools, port: int, load: Load) -> dict[str, Any]:
    with driving(tools, port, load) as driver:
        driver.wait_until_it_counts()
        return driver.result()


# --- the generator against answers of all kinds ---------------------------------


@contextlib.contextmanager
def serving(*answers: list[bytes]) -> Iterator[int]:
    """Answer each request, which must have no body, with the pieces of the next answer.

    One send for each piece; an empty piece closes the connection. The last answer is
    repeated.
    """
    left = list(answers)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with sock, contextlib.suppress(ConnectionError):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    while sock.recv(65536).endswith(b"\r\n\r\n") and _answer(sock):
                        pass

    def _answer(sock: socket.socket) -> bool:
        pieces = left.pop(0) if len(left) > 1 else left[0]
        for piece in pieces:
            if not piece:
                return False
            sock.sendall(piece)
        return True

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def bytewise(text: bytes) -> list[bytes]:
    return [text[at : at + 1] for at in range(len(text))]


CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"A;x=y\r\n0123456789\r\n3\r\nabc\r\n0\r\nTrailer: t\r\n\r\n"
)
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n0123456789abc"


@pytest.mark.parametrize(
    "answer",
    [[GOOD], bytewise(GOOD), [CHUNKED], bytewise(CHUNKED)],
    ids=["length", "length-bytewise", "chunked", "chunked-bytewise"],
)
def test_generator_counts_answers_of_any_framing(
    tools: Tools, answer: list[bytes]
) -> None:
    with serving(answer) as port:
        load = Load(request=wire.get("/"), requests=20, seconds=30)
        seen = drive(tools, port, load)

    assert (seen["requests"], seen["errors"]) == (20, 0)
    assert seen["received"] == 20 * 13
    assert 0 < seen["latency_us"]["p50"] <= seen["latency_us"]["max"]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (
            [b'HTTP/1.1 500 "No"\r\nContent-Length: 0\r\n\r\n'],
            "status HTTP/1.1 500 'No'",
        ),
        ([CHUNKED[:-20], b""], "connection closed after HTTP/1.1 200 OK"),
        ([GOOD + b"x"], "bytes behind or in the answer HTTP/1.1 200 OK"),
        (
            [CHUNKED.replace(b"A;", b"?;")],
            "bytes behind or in the answer HTTP/1.1 200 OK",
        ),
    ],
    ids=["status", "truncated", "too-long", "framing"],
)
def test_generator_counts_what_went_wrong_and_goes_on(
    tools: Tools, bad: list[bytes], why: str
) -> None:
    with serving([GOOD], bad, [GOOD]) as port:
        load = Load(request=wire.get("/"), requests=5, seconds=30)
        seen = drive(tools, port, load)

    assert (seen["requests"], seen["errors"], seen["first_error"]) == (5, 1, why)


def test_generator_tells_the_delay_of_events_however_they_are_cut(tools: Tools) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    stamp = time.monotonic_ns() - 50_000_000
    event = b'data: {"sent_ns":"%019d"}\n\n' % stamp
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in bytewise(event))
    once = b"%x\r\n%b\r\n" % (3 * len(event), 3 * event)
    answer = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + once + b"0\r\n\r\n"

    with serving([answer]) as port:
        load = Load(request=wire.get("/"), requests=1, seconds=30)
        seen = drive(tools, port, load)

    assert (seen["events"], seen["errors"]) == (4, 0)
    assert seen["delay_us"]["p50"] >= 49_000  # slots of the histogram are 1.6 % wide


def test_generator_forgets_the_warm_up(tools: Tools) -> None:
    with serving([GOOD]) as port:
        load = Load(request=wire.get("/"), seconds=0.2, warm_up_s=0.6, every_ms=20)
        seen = drive(tools, port, load)

    # one every 20 ms; the warm-up would bring 30 more
    assert 0 < seen["requests"] <= seen["seconds"] / 0.02 + 2
    assert seen["seconds"] < 0.6


def test_generator_that_cannot_connect_says_so(tools: Tools) -> None:
    load = Load(request=wire.get("/"))
    port = free_ports(1)

    with pytest.raises(RuntimeError, match="ended with status 1"):
        drive(tools, port, load)


# --- the upstream ---------------------------------------------------------------


def test_upstream_answers_what_is_wished(upstream: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=20)
    connection.request("POST", "/v1/chat/completions", iter([b"{", b"}"]))
    assert json.loads(connection.getresponse().read())["usage"]["total_tokens"] == 35

    wish = {"X-Bench": "bytes 3000000"}
    connection.request("POST", "/v1/audio/speech", b"{}" * 500_000, wish)
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "audio/wav"
    assert len(response.read()) == 3_000_000

    began_ns = time.monotonic_ns()
    connection.request(
        "POST", "/v1/chat/completions", b"{}", {"X-Bench": "stream 5000"}
    )
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream"
    lines = [response.readline() for _ in range(20)]
    stamps = [int(json.loads(line[6:])["sent_ns"]) for line in lines[::2]]
    assert began_ns < stamps[0]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] - stamps[0] >= 5_000_000 * 8
    response.close()
    connection.close()


def test_upstream_serves_many_streams_at_their_rate(
    tools: Tools, upstream: int
) -> None:
    load = Load(request=wire.chat("stream 20000"), connections=40, seconds=0.5)
    seen = drive(tools, upstream, load)

    assert seen["errors"] == 0
    # never more than offered; how many fewer depends on the machine
    assert 0 < seen["events"] <= 40 * (0.5 / 0.02 + 1) * max(1, seen["seconds"] / 0.5)


# --- the harness ----------------------------------------------------------------


def test_quick_run_from_start_to_table_and_json(
    tools: Tools, cache: Path, tmp_path: Path
) -> None:
    assert tools.load.is_file()  # compiled already, and found in the cache
    told = tmp_path / "told.json"
    names = ["small-8", "streams-16", "startup"]
    words = ["--quick", "--only", "direct,swapper", "--json", str(told)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *names, *words],
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr

    document = json.loads(told.read_text(encoding="utf-8"))
    measures = {measure["name"]: measure for measure in document["measures"]}
    assert list(measures) == ["small-8", "streams-16x100", "startup"]
    for name, measure in measures.items():
        programs = ["swapper"] if name == "startup" else ["direct", "swapper"]
        assert [row["program"] for row in measure["programs"]] == programs
        for row in measure["programs"]:
            assert row["errors"] == 0, row["troubles"]
            assert next(iter(row["figures"].values())) > 0
    assert document["is_quick"] is True
    assert "compiling" not in done.stderr
    assert re.search(
        r"^swapper: /api/events (connected|not there)$", done.stderr, re.MULTILINE
    )
    assert re.search(r"^  swapper: req/s >= 0.7x: - open$", done.stdout, re.MULTILINE)


def test_run_that_is_terminated_leaves_nothing_behind(
    tools: Tools, cache: Path
) -> None:
    assert tools.load.is_file()
    command = [sys.executable, "-m", "benchmarks", "small-8", "--only", "swapper"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = processes_with(str(cache))
        process.terminate()
        rest = process.stderr.read()

    assert line.startswith("swapper: /api/events "), line + rest
    assert found != []
    assert process.returncode == 128 + signal.SIGTERM
    assert processes_with(str(cache)) == []
