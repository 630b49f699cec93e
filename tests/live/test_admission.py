"""Who is let in, and what a request is told that is not served (http-api.md 17)."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.model_server import fake_release, fake_state
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.streams import EventStream, told
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.live

CHAT = "/v1/chat/completions"
LIMIT = "    concurrencyLimit: 2\n    aliases: [m]\n"
TOO_MANY = {
    "src": "swapper",
    "error": {
        "message": "Too many requests",
        "type": "rate_limit_error",
        "param": None,
        "code": "concurrency_limit",
    },
}


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    config = config_text({"a": "", "m1": ""}, f"{LIMIT}sendLoadingState: true")
    folder: Path = tmp_path_factory.mktemp("admission")
    with SwapperProgram(folder, config, server=server) as made:
        yield made


@pytest.fixture
def full(program: SwapperProgram) -> Iterator[SwapperProgram]:
    """A model with a limit of 2 that serves 2: one by its id, one by an alias."""
    with ThreadPoolExecutor(2) as pool:
        held = [
            pool.submit(program.call, f"{CHAT}?hold=k", {"model": "m1"}),
            pool.submit(program.call, f"{CHAT}?hold=k", {"model": "m"}),
        ]
        model = program.upstream_url("m1")
        fake_state(model, min_held=2)
        yield program
        fake_release(model, "k", 2)
        assert [reply.result().status for reply in held] == [200, 200]
        assert program.chat("m1").status == 200  # there is room again


def test_c1_a_third_request_is_429_in_json_whatever_it_accepts(
    full: SwapperProgram,
) -> None:
    for accept in ("text/plain", "text/html", "*/*"):
        answer = full.call(CHAT, {"model": "m1"}, headers={"Accept": accept})

        assert answer.status == 429
        assert answer.header("Content-Type") == "application/json"
        assert answer.header("Retry-After") == "1"
        assert answer.json() == TOO_MANY


@pytest.mark.parametrize("target", ["/upstream/m1/x", "/upstream/m/x"])
def test_c2_upstream_shares_the_count(full: SwapperProgram, target: str) -> None:
    answer = full.call(target)

    assert answer.status == 429
    assert answer.json() == TOO_MANY


def test_c2_a_websocket_shares_the_count(full: SwapperProgram) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}

    assert full.call("/upstream/m1/ws", headers=upgrade).status == 429


def test_c2_other_models_have_their_own_count(full: SwapperProgram) -> None:
    """`a` has to wait for m1, but it is let in: its client is told so."""
    with EventStream(full.url, CHAT, {"model": "a", "stream": True}) as stream:
        stream.wait_for("Queue position: #1")


def test_c1_queued_requests_count_and_429_comes_before_any_loading_stream(
    program: SwapperProgram,
) -> None:
    body = {"model": "m1", "stream": True}
    program.call("/unload")
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(program.call, "/upstream/a/x?hold=k")
        model = program.upstream_url("a")
        fake_state(model, min_held=1)
        with (
            EventStream(program.url, CHAT, body) as one,
            EventStream(program.url, CHAT, {**body, "model": "m"}) as two,
        ):
            assert [one.status, two.status] == [200, 200]
            third = program.call(CHAT, body)
            fake_release(model, "k")
            for stream in (one, two):
                assert stream.rest().endswith(b"data: [DONE]\n\n")

        assert busy.result().status == 200
    assert third.status == 429
    assert third.json() == TOO_MANY
    assert told(third.body) == ""


def test_c1_requests_for_a_model_that_is_being_loaded_count(
    tmp_path: Path, server: str
) -> None:
    config = config_text({"m1": "--ready-after 1.5"}, f"{LIMIT}sendLoadingState: true")
    body = {"model": "m1", "stream": True}
    with (
        SwapperProgram(tmp_path, config, server=server) as program,
        EventStream(program.url, CHAT, body) as one,
        EventStream(program.url, CHAT, body) as two,
    ):
        third = program.call(CHAT, body)
        for stream in (one, two):
            assert stream.rest().endswith(b"data: [DONE]\n\n")

    assert third.status == 429


def test_c1_ten_is_the_limit_of_a_model_that_has_none(
    tmp_path: Path, server: str
) -> None:
    with (
        SwapperProgram(tmp_path, config_text({"a": ""}), server=server) as program,
        ThreadPoolExecutor(10) as pool,
    ):
        held = [pool.submit(program.call, "/upstream/a/x?hold=k") for _ in range(10)]
        model = program.upstream_url("a")
        fake_state(model, min_held=10)
        assert program.call("/upstream/a/x").status == 429
        fake_release(model, "k", 10)

        assert {reply.result().status for reply in held} == {200}


def test_c1_clients_that_left_are_not_counted(tmp_path: Path, server: str) -> None:
    config = config_text({"a": "", "m1": ""}, LIMIT)
    body = {"model": "m1", "stream": True}
    extra = f"{config}sendLoadingState: true\n"
    with (
        SwapperProgram(tmp_path, extra, server=server) as program,
        ThreadPoolExecutor(1) as pool,
    ):
        busy = pool.submit(program.call, "/upstream/a/x?hold=k")
        model = program.upstream_url("a")
        fake_state(model, min_held=1)
        for _ in range(5):
            with EventStream(program.url, CHAT, body) as stream:
                assert stream.status == 200
            # the client's leaving has to be noticed
            wait_until(lambda: not program.call("/api/queue").json()["queue"])
        fake_release(model, "k")

        assert busy.result().status == 200


def test_c3_a_model_that_exits_while_starting(tmp_path: Path, server: str) -> None:
    """R9: what failed, how it ended, its last words; also as text."""
    options = "--ready-after 9 --exit-after 0.2 --exit-code 3 --say no_weights"
    text = "unspecific error: upstream command exited prematurely: model a, exit code 3"
    with SwapperProgram(
        tmp_path, config_text({"a": options}), server=server
    ) as program:
        answer = program.chat("a")
        plain = program.call("/upstream/a/", headers={"Accept": "text/plain"})

    error = answer.json()["error"]
    assert answer.status == 500
    assert error["message"].startswith(text)
    assert (error["type"], error["code"]) == ("server_error", "model_exited")
    assert error["detail"]["model"] == "a"
    assert "no_weights" in "\n".join(error["detail"]["log_tail"])
    assert plain.status == 500
    assert plain.body.decode().startswith(f"swapper: {text}")


def test_c3_a_command_that_cannot_be_executed(tmp_path: Path, server: str) -> None:
    config = "models: {a: {cmd: 'no-such-program-at-all --port ${PORT}'}}"
    with SwapperProgram(tmp_path, config, server=server) as program:
        answer = program.chat("a")

    message = answer.json()["error"]["message"]
    assert answer.status == 500
    assert message.startswith("unspecific error: failed to start command")
    assert "no-such-program-at-all" in message


@pytest.mark.parametrize("how", ["/unload", "/api/models/unload/a"])
def test_c4_unloading_a_starting_model_refuses_who_waits(
    tmp_path: Path, server: str, how: str
) -> None:
    config = config_text({"a": "--ready-after 60"})
    with (
        SwapperProgram(tmp_path, config, server=server) as program,
        ThreadPoolExecutor(2) as pool,
    ):
        waiting = [pool.submit(program.chat, "a") for _ in range(2)]
        program.wait_for_log("start model=a")

        def unloaded() -> bool:
            program.call(how, b"" if "api" in how else None)
            return all(reply.done() for reply in waiting)

        wait_until(unloaded)  # the second may have come in behind the first unload
        for reply in waiting:
            answer = reply.result()
            assert answer.status == 500
            error = answer.json()["error"]
            assert error["message"] == "unspecific error: group: model unloaded"
            assert error["code"] == "model_unloaded"


def test_c4_unloading_a_queued_model_refuses_who_waits(
    tmp_path: Path, server: str
) -> None:
    config = config_text({"a": "", "b": ""}, "logLevel: debug")
    with (
        SwapperProgram(tmp_path, config, server=server) as program,
        ThreadPoolExecutor(2) as pool,
    ):
        busy = pool.submit(program.call, "/upstream/a/x?hold=k")
        model = program.upstream_url("a")
        fake_state(model, min_held=1)
        waiting = pool.submit(program.chat, "b")
        program.wait_for_log("message=Submit.*model='b'")
        program.call("/api/models/unload/b", b"")
        answer = waiting.result()
        fake_release(model, "k")

        assert busy.result().status == 200
    assert answer.status == 500
    assert answer.json()["error"]["code"] == "model_unloaded"


def test_17_3_an_unload_while_serving_without_a_head_is_a_named_502(
    tmp_path: Path,
    server: str,
) -> None:
    """R11: not an empty body."""
    with (
        SwapperProgram(tmp_path, config_text({"a": ""}), server=server) as program,
        ThreadPoolExecutor(1) as pool,
    ):
        held = pool.submit(program.call, f"{CHAT}?hold=k", {"model": "a"})
        fake_state(program.upstream_url("a"), min_held=1)
        program.call("/api/models/unload/a", b"")
        answer = held.result()

    assert answer.status == 502
    assert answer.json()["error"]["code"] == "bad_gateway"
    assert "model a" in answer.json()["error"]["message"]


def test_17_3_an_unload_while_streaming_is_seen_as_a_broken_stream(
    tmp_path: Path,
    server: str,
) -> None:
    """Q13: the client can tell that the answer is not whole."""
    body = {"model": "a", "stream": True}
    with SwapperProgram(tmp_path, config_text({"a": ""}), server=server) as program:
        target = f"{CHAT}?tokens=9&hold=k&hold_at=2"
        with EventStream(program.url, target, body) as stream:
            assert json.loads(stream.event()[6:])["choices"]
            fake_state(program.upstream_url("a"), min_held=1)
            program.call("/api/models/unload/a", b"")
            with pytest.raises(Exception, match=r"IncompleteRead|incomplete"):
                stream.rest()


def test_17_3_a_stop_lets_who_waits_be_served_or_tells_them(
    tmp_path: Path, server: str
) -> None:
    config = config_text({"a": "--ready-after 1"})
    with (
        SwapperProgram(tmp_path, config, server=server) as program,
        ThreadPoolExecutor(1) as pool,
    ):
        waiting = pool.submit(program.chat, "a")
        program.wait_for_log("start model=a")

        assert program.stop() == 0
        assert waiting.result().status == 200
