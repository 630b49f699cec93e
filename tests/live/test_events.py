"""``/api/events`` and cancelling, over the whole program (http-api.md section 24)."""

import http.client
import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.event_client import EventClient
from tests.fakes.model_server import fake_release
from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

CHAT = "/v1/chat/completions"
EXTRA = """\
profiles: {coding: {description: Coding, pins: {public: a}}}
peers: {p2: {proxy: "http://127.0.0.1:9", models: [x]}, p1: {proxy: "http://127.0.0.1:9", models: [y, b]}}
groups: {g: {swap: false, members: [a, b]}}
"""


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    folder: Path = tmp_path_factory.mktemp("events")
    config = config_text({"a": "", "b": ""}, EXTRA)
    config = config.replace("  a:\n", "  a:\n    aliases: [alias]\n    name: A\n")
    with SwapperProgram(folder, config, server=server) as made:
        yield made


@pytest.fixture
def listener(program: SwapperProgram) -> Iterator[EventClient]:
    with EventClient(program.url) as client:
        client.in_flight("snapshot")
        yield client


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def opened_stream(program: SwapperProgram, key: str) -> http.client.HTTPConnection:
    """Return a connection on which a stream has been asked for that stops halfway."""
    connection = http.client.HTTPConnection(program.url.partition("//")[2], timeout=20)
    body = json.dumps({"model": "alias", "stream": True, "messages": []})
    headers = {"Content-Type": "application/json", "Authorization": "Bearer secret"}
    target = f"{CHAT}?tokens=6&hold={key}&hold_at=3"
    connection.request("POST", target, body, headers)
    return connection


def states(told: Any) -> dict[str, str]:
    return {model["id"]: model["state"] for model in told}


def test_e1_a_new_listener_gets_the_present_state(program: SwapperProgram) -> None:
    with EventClient(program.url) as client:
        told = [client.next() for _ in range(6)]
        headers = client.answer.headers

    assert [message.type for message in told] == [
        "logData",
        "logData",
        "modelStatus",
        "uiConfig",
        "profileChanged",
        "inflight",
    ]
    assert [message.data["source"] for message in told[:2]] == ["proxy", "upstream"]
    models = told[2].data
    assert [model["id"] for model in models] == ["a", "b", "p1/y", "p1/b", "p2/x"]
    assert models[0]["aliases"] == ["alias"]
    assert (models[2]["state"], models[2]["peerID"]) == ("", "p1")
    sessions = {"session_id": ["X-Session-ID", "X-Litellm-Session-Id"]}
    assert told[3].data == {"activity": sessions}
    assert told[4].data == {"active": None}
    assert told[5].data == {"operation": "snapshot"}
    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-cache"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Accel-Buffering"] == "no"


def test_e2_a_start_is_told_step_by_step(
    program: SwapperProgram, listener: EventClient
) -> None:
    program.call("/api/models/unload/b", b"")
    assert program.chat("b").status == 200
    seen: list[str] = []
    while not seen or seen[-1] != "ready":
        told = listener.until(lambda told: told.type == "modelStatus")
        seen.append(states(told.data)["b"])

    assert seen[-2:] == ["starting", "ready"]


def test_e3_a_stream_is_shown_while_it_goes_on(
    program: SwapperProgram, listener: EventClient
) -> None:
    connection = opened_stream(program, "e3")
    first = listener.in_flight("upsert")["request"]
    assert (first["model"], first["req_path"], first["method"]) == ("a", CHAT, "POST")
    assert first["req_headers"]["Authorization"] == "[REDACTED]"
    assert "Host" not in first["req_headers"]
    assert first["remote_ip"] == "127.0.0.1"
    assert (first["resp_headers"], first["resp_bytes"]) == ({}, 0)

    row = first
    while not row["resp_bytes"]:
        row = listener.in_flight("upsert")["request"]
    assert row["id"] == first["id"]
    assert row["resp_headers"]["Content-Type"] == "text/event-stream"
    with EventClient(program.url) as second:
        assert [r["id"] for r in second.in_flight("snapshot")["requests"]] == [
            first["id"]
        ]

    fake_release(program.upstream_url("a"), "e3")
    assert connection.getresponse().read().endswith(b"[DONE]\n\n")
    assert listener.in_flight("remove")["id"] == first["id"]
    connection.close()


def test_e4_choosing_a_profile_twice_is_told_once(
    program: SwapperProgram, listener: EventClient
) -> None:
    for name in ("coding", "coding", None):
        body = json.dumps({"name": name})
        program.call("/api/profiles/active", body, method="PUT")
    kinds = ("profileChanged", "modelStatus")
    told = [listener.until(lambda told: told.type in kinds) for _ in range(4)]

    assert [message.type for message in told] == list(kinds) * 2
    assert [message.data for message in told[::2]] == [
        {"active": "coding"},
        {"active": None},
    ]


def test_e5_a_stream_is_cancelled_by_its_number(
    program: SwapperProgram, listener: EventClient
) -> None:
    connection = opened_stream(program, "e5")
    answer = connection.getresponse()
    row = listener.in_flight("upsert")["request"]
    cancelled = program.call(f"/api/inflight/{row['id']}/cancel", b"")
    assert (cancelled.status, cancelled.json()) == (200, {"msg": "ok"})

    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    assert listener.in_flight("remove")["id"] == row["id"]
    again = program.call(f"/api/inflight/{row['id']}/cancel", b"")
    assert again.status == 404
    assert again.json()["error"]["message"] == "inflight request not found"
    connection.close()


def test_a_waiting_request_that_is_cancelled_is_told_so(
    program: SwapperProgram, listener: EventClient, pool: ThreadPoolExecutor
) -> None:
    """Decision Q2."""
    asked = pool.submit(program.call, f"{CHAT}?hold=q2", {"model": "a"})
    row = listener.in_flight("upsert")["request"]
    assert program.call(f"/api/inflight/{row['id']}/cancel", b"").status == 200
    answer = asked.result()

    assert (answer.status, answer.json()["error"]["code"]) == (503, "cancelled")


@pytest.mark.parametrize(
    "number", ["0", "x", "-1", "1/2", "9" * 20, "9" * 5000, "%C2%B2"]
)
def test_numbers_that_are_no_requests(program: SwapperProgram, number: str) -> None:
    assert program.call(f"/api/inflight/{number}/cancel", b"").status == 404


def test_u14_what_is_in_flight_below_upstream(
    program: SwapperProgram, listener: EventClient, pool: ThreadPoolExecutor
) -> None:
    program.call("/upstream/alias/probe", b"")  # leaves no row
    for method, path in (("GET", "/props"), ("POST", CHAT)):
        body = b"{}" if method == "POST" else None
        target = f"/upstream/alias{path}?hold=u14"
        asked = pool.submit(program.call, target, body, method=method)
        row = listener.in_flight("upsert")["request"]
        assert (row["model"], row["req_path"], row["method"]) == ("a", path, method)
        program.call(f"/api/inflight/{row['id']}/cancel", b"")
        assert asked.result().status == 503
        listener.in_flight("remove")


def test_log_lines_are_told_as_they_are_written(
    program: SwapperProgram, listener: EventClient
) -> None:
    program.call("/running", headers={"User-Agent": "told-live"})
    told = listener.until(
        lambda told: told.type == "logData" and "told-live" in told.data["data"]
    )
    assert told.data["source"] == "proxy"


def test_e6_a_reload_ends_the_stream(program: SwapperProgram) -> None:
    with EventClient(program.url) as client:
        client.in_flight("snapshot")
        text = program.config.read_text("utf-8")
        program.config.write_text(
            text + "ui: {activity: {session_id: [X-S]}}\n", encoding="utf-8"
        )
        os.kill(program.process.pid, signal.SIGHUP)
        with pytest.raises(EOFError):
            client.until(lambda _: False)
    with EventClient(program.url) as client:
        told = client.until(lambda told: told.type == "uiConfig")
    assert told.data == {"activity": {"session_id": ["X-S"]}}


def test_the_end_of_swapper_ends_the_stream(tmp_path: Path, server: str) -> None:
    with SwapperProgram(tmp_path, config_text({"a": ""}), server=server) as program:
        with EventClient(program.url) as client:
            client.in_flight("snapshot")
            program.process.send_signal(signal.SIGTERM)
            with pytest.raises(EOFError):
                client.until(lambda _: False)
        assert program.process.wait(20) == 0
