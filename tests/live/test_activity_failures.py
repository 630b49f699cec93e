"""Rows of requests that go wrong; the log across restarts, reloads and sudden ends."""

import http.client
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.activity import ACTIVITY, activity, row_of, wait_for_rows
from tests.fakes.event_client import EventClient
from tests.fakes.model_server import fake_release, fake_state
from tests.fakes.program import SwapperProgram, config_text, processes_with
from tests.fakes.streams import EventStream

pytestmark = pytest.mark.live

CHAT = "/v1/chat/completions"
MODELS = """\
    aliases: [alias1]
    concurrencyLimit: 1
  dead:
    cmd: "false ${PORT}"
    sendLoadingState: true
groups: {g: {swap: false, exclusive: false, members: [m1, dead]}}
peers:
  gone: {proxy: "http://127.0.0.1:9/", models: [far]}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwapperProgram]:
    folder: Path = tmp_path_factory.mktemp("failures")
    with SwapperProgram(folder, config_text({"m1": ""}, MODELS)) as made:
        made.chat("m1")
        wait_for_rows(made, 1)
        yield made


def newest(program: SwapperProgram) -> int:
    return int(activity(program)[0]["id"])


# --- what goes wrong --------------------------------------------------------------


def test_ee8_an_unknown_model_is_told_in_the_row(program: SwapperProgram) -> None:
    row = row_of(program, lambda: program.call(CHAT, {"model": "who?"}))

    assert (row["model"], row["resp_status_code"]) == ("who?", 404)
    assert row["error_msg"] == "no router for requested model"


def test_a_refusal_for_concurrency_has_a_row(program: SwapperProgram) -> None:
    model = program.upstream_url("m1")
    before = newest(program)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(program.call, f"{CHAT}?hold=k", {"model": "m1"})
        fake_state(model, min_held=1)
        row = row_of(program, lambda: program.chat("alias1"))
        fake_release(model, "k")
        assert held.result().status == 200
    other, _ = wait_for_rows(program, 2, after=before)

    assert (row["model"], row["resp_status_code"]) == ("m1", 429)
    assert row["error_msg"] == "Too many requests"
    assert row["resp_content_type"] == "application/json"
    assert "metadata" not in row
    assert (other["resp_status_code"], other["is_truncated"]) == (200, False)


def test_ee10_a_model_that_does_not_start_is_told_in_the_row(
    program: SwapperProgram,
) -> None:
    row = row_of(program, lambda: program.chat("dead"))

    assert (row["model"], row["resp_status_code"]) == ("dead", 500)
    assert row["error_msg"].startswith("unspecific error: upstream command exited")


def test_behind_a_loading_stream_the_row_has_what_really_happened(
    program: SwapperProgram,
) -> None:
    before = newest(program)
    with EventStream(program.url, CHAT, {"model": "dead", "stream": True}) as stream:
        assert stream.status == 200
        stream.rest()
    [row] = wait_for_rows(program, 1, after=before)

    assert (row["model"], row["resp_status_code"]) == ("dead", 500)
    assert row["error_msg"].startswith("unspecific error: upstream command exited")


def test_a_peer_that_is_not_there(program: SwapperProgram) -> None:
    row = row_of(program, lambda: program.chat("gone/far"))

    assert (row["model"], row["resp_status_code"]) == ("gone/far", 502)
    assert row["error_msg"].startswith("peer proxy error: ")


def test_an_answer_that_breaks_off_is_marked(program: SwapperProgram) -> None:
    before = newest(program)
    with pytest.raises(http.client.HTTPException):
        program.call(f"{CHAT}?drop=body&tokens=50", {"model": "m1"})
    [row] = wait_for_rows(program, 1, after=before)

    assert row["resp_status_code"] == 200
    assert row["is_truncated"] is True


def test_so_is_one_whose_client_leaves(program: SwapperProgram) -> None:
    """Recording does not need the client (http-api.md 21.1)."""
    before = newest(program)
    target = f"{CHAT}?hold=left&hold_at=1&framing=chunked&slice=20&tokens=50"
    with EventStream(program.url, target, {"model": "m1", "stream": True}) as stream:
        assert stream.status == 200
    [row] = wait_for_rows(program, 1, after=before)

    assert row["resp_status_code"] == 200
    assert row["is_truncated"] is True


def test_a_listener_is_told_of_the_row(program: SwapperProgram) -> None:
    with EventClient(program.url) as events:
        events.in_flight("snapshot")
        row = row_of(program, lambda: program.chat("m1"))
        told = events.until(lambda message: message.type == "activity")

    assert told.data == {"id": row["id"]}


# --- restarts, reloads, sudden ends -----------------------------------------------


def stored(path: Path, models: dict[str, str] | None = None) -> str:
    return config_text(models or {"m1": ""}, f"store: {{path: {path}}}\n")


def test_ee13_after_a_restart_the_rows_are_there_and_ids_go_on(tmp_path: Path) -> None:
    config = stored(tmp_path / "activity.db")
    with SwapperProgram(tmp_path, config) as program, ThreadPoolExecutor(1) as pool:
        program.chat("m1")
        model = program.upstream_url("m1")
        last = pool.submit(program.call, f"{CHAT}?hold=k", {"model": "m1"})
        fake_state(model, min_held=1)
        program.process.send_signal(signal.SIGTERM)
        with suppress(http.client.RemoteDisconnected):  # it may be stopped at once
            fake_release(model, "k")
        assert last.result().status == 200
        assert program.process.wait(40) == 0
    with SwapperProgram(tmp_path, config) as program:
        rows = activity(program)
        new = row_of(program, lambda: program.chat("m1"))

    assert [row["id"] for row in rows] == [2, 1]
    assert [row["has_capture"] for row in rows] == [False, False]
    assert new["id"] == 3


def test_a_reload_with_another_path_goes_on_there(tmp_path: Path) -> None:
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    config = stored(first)
    with SwapperProgram(tmp_path, config) as program:

        def reload(text: str, wait_for: str) -> None:
            program.config.write_text(text, encoding="utf-8")
            program.process.send_signal(signal.SIGHUP)
            program.wait_for_log(wait_for)

        assert row_of(program, lambda: program.chat("m1"))["id"] == 1
        reload(config + "logLevel: debug\n", "configuration reloaded")
        assert row_of(program, lambda: program.chat("m1"))["id"] == 2
        program.config.with_name("text.db").write_text(
            "no database" * 100, encoding="utf-8"
        )
        reload(
            config.replace("first.db", "text.db"),
            "(?s)not reloaded.*file is not a database",
        )
        assert row_of(program, lambda: program.chat("m1"))["id"] == 3
        reload(
            config.replace("first.db", "second.db"), "(?s)(configuration reloaded.*){2}"
        )
        assert activity(program) == []
        assert row_of(program, lambda: program.chat("m1"))["id"] == 1
    for path, count in ((first, 3), (second, 1)):
        with closing(sqlite3.connect(path)) as connection:
            rows = connection.execute("SELECT count(*) FROM activity").fetchone()
        assert rows == (count,)


def test_a_file_that_is_no_database_is_told_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "activity.db"
    path.write_text("not a database" * 100, encoding="utf-8")
    config = tmp_path / "config.yaml"
    config.write_text(stored(path), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "swapper",
            "--config",
            config,
            "--listen",
            "127.0.0.1:0",
        ],
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == (
        "swapper: cannot start: store.path: the activity log cannot be kept there: "
        f"{path}: file is not a database\n"
    )
    assert processes_with(str(tmp_path)) == []


def test_a_log_that_cannot_be_read_is_a_500_and_requests_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with SwapperProgram(tmp_path, stored(folder / "activity.db")) as program:
        row_of(program, lambda: program.chat("m1"))
        folder.rename(tmp_path / "away")
        for path, message in (
            (ACTIVITY, "failed to get activity"),
            ("/api/metrics/stats", "failed to get activity stats"),
        ):
            answer = program.call(path)
            assert answer.status == 500
            assert answer.json()["error"]["message"] == message
        assert program.chat("m1").status == 200
        program.wait_for_log("the activity log cannot be written, rows wait")
        (tmp_path / "away").rename(folder)

        assert len(wait_for_rows(program, 2)) == 2


@pytest.mark.timeout(240)
def test_killed_three_times_at_work_no_row_that_was_shown_is_lost(
    tmp_path: Path,
) -> None:
    config = stored(tmp_path / "activity.db")
    shown: dict[int, Any] = {}
    for _ in range(3):
        with SwapperProgram(tmp_path, config) as program:
            is_over = threading.Event()

            def ask(program: SwapperProgram, is_over: threading.Event) -> None:
                while not is_over.is_set():
                    try:
                        program.chat("m1")
                    except (OSError, http.client.HTTPException):
                        return

            with ThreadPoolExecutor(4) as pool:
                for _ in range(4):
                    pool.submit(ask, program, is_over)
                rows = wait_for_rows(program, 10, after=max(shown, default=0))
                program.process.kill()
                is_over.set()
        shown |= {row["id"]: row for row in rows}
        with closing(sqlite3.connect(tmp_path / "activity.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with SwapperProgram(tmp_path, config) as program:
        there = {row["id"]: row for row in activity(program)}

    captured = {"has_capture": False}  # those are in memory only
    assert len(shown) >= 30
    assert {id_: there.get(id_) for id_ in shown} == {
        id_: row | captured for id_, row in shown.items()
    }


def test_an_orderly_end_loses_no_row_and_no_line(tmp_path: Path) -> None:
    """Not even those of requests whose books are not kept when the signal comes."""
    with SwapperProgram(tmp_path, stored(tmp_path / "activity.db")) as program:
        ids = [program.chat("m1").header("X-Request-Id") for _ in range(40)]
        assert program.stop() == 0
    with closing(sqlite3.connect(tmp_path / "activity.db")) as connection:
        rows = connection.execute("SELECT request_id FROM activity ORDER BY id")
        assert [id_ for (id_,) in rows] == ids
    lines = [line for line in program.lines if "POST /v1/chat/completions" in line]
    assert [line.rpartition("request_id=")[2] for line in lines] == ids
