"""The loading stream over real sockets (http-api.md section 18)."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.model_server import fake_release, fake_state
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.streams import EventStream, last_error, told

pytestmark = pytest.mark.live

CHAT = "/v1/chat/completions"
ON = "sendLoadingState: true\n"
CONFIG = {"slow": "--ready-after 1.5", "b": ""}
SHARED = {
    "slow": "--ready-after 0.5",
    "silent": "--ready-after 0.5",
    "beat": "--ready-after 0.5",
    "broken": "--ready-after 30 --exit-after 0.4 --exit-code 3 --say no_such_weights",
    "broken-beat": "--ready-after 30 --exit-after 0.4 --exit-code 3",
    "b": "",
}
SETTINGS = {
    "slow": "aliases: [quick]",
    "silent": "sendLoadingState: false",
    "beat": "sendLoadingState: heartbeat",
    "broken-beat": "sendLoadingState: heartbeat",
}


@pytest.fixture
def program(tmp_path: Path, server: str) -> Iterator[SwapperProgram]:
    with SwapperProgram(
        tmp_path, config_text(CONFIG, f"logLevel: debug\n{ON}"), server=server
    ) as made:
        yield made


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    config = config_text(SHARED, ON)
    for model, setting in SETTINGS.items():
        config = config.replace(f"  {model}:\n", f"  {model}:\n    {setting}\n")
    folder: Path = tmp_path_factory.mktemp("loading")
    with SwapperProgram(folder, config, server=server) as made:
        yield made


@pytest.fixture
def cold(shared: SwapperProgram) -> SwapperProgram:
    """The program that many tests share, without a running model."""
    assert shared.call("/unload").status == 200
    return shared


def streaming(model: str) -> dict[str, object]:
    return {"model": model, "stream": True, "messages": []}


def test_ls1_a_slow_load_is_told_then_the_answer_follows(
    program: SwapperProgram,
) -> None:
    with EventStream(program.url, CHAT, streaming("slow")) as stream:
        first = stream.event()
        assert program.running() == {"slow": "starting"}  # it is told at once
        whole = stream.rest().decode()

    assert json.loads(first[6:]) == {
        "choices": [{"delta": {"reasoning_content": "\u2501" * 5}}]
    }
    assert stream.status == 200
    assert stream.header("Content-Type") == "text/event-stream"
    assert stream.header("Cache-Control") == "no-cache"
    text = told(whole.encode())
    assert text.startswith("\u2501" * 5 + "\nswapper is loading model: slow\n\n")
    assert ". " in text
    assert float(text.partition("\nDone! (")[2].partition("s)")[0]) >= 1
    assert text.endswith("s)\n" + "\u2501" * 5 + "\n \n")
    loading, _, answer = whole.partition('data: {"id": "fake-1"')
    assert loading.endswith('{"reasoning_content":"\\n"}}]}\n\n')
    assert '"content": "slow"' in answer
    assert answer.endswith("\n\ndata: [DONE]\n\n")


def test_ls1_an_alias_is_told_by_its_real_id(cold: SwapperProgram) -> None:
    with EventStream(cold.url, CHAT, streaming("quick")) as stream:
        assert "loading model: slow\n" in told(stream.rest())


def test_ls2_a_ready_model_answers_plainly(cold: SwapperProgram) -> None:
    cold.chat("b")
    answer = cold.chat("b", stream=True)

    assert answer.header("X-Fake-Model") == "b"
    assert told(answer.body) == ""


def test_ls2_the_upstreams_own_status_is_seen_when_it_is_ready(
    cold: SwapperProgram,
) -> None:
    cold.chat("b")

    assert cold.call(f"{CHAT}?status=400", streaming("b")).status == 400


@pytest.mark.parametrize(
    ("target", "stream"),
    [
        (CHAT, False),
        ("/v/chat/completions", True),
        ("/upstream/slow/v1/chat/completions", True),
        ("/v1/completions", True),
        ("/v1/messages/count_tokens", True),
    ],
)
def test_ls3_others_are_told_nothing(
    cold: SwapperProgram, target: str, stream: bool
) -> None:
    body = {"model": "slow", "stream": stream}
    with EventStream(cold.url, target, body) as answer:
        assert answer.header("X-Fake-Model") == "slow"
        assert told(answer.rest()) == ""


def test_ls3_a_model_may_have_its_own_setting(cold: SwapperProgram) -> None:
    assert "loading model: slow" in told(cold.chat("slow", stream=True).body)
    assert told(cold.chat("silent", stream=True).body) == ""


def test_ls4_q3_a_failed_load_ends_with_an_error_event(cold: SwapperProgram) -> None:
    answer = cold.chat("broken", stream=True)
    cold.wait_for_log("failed after its loading stream began model=broken status=500")

    assert answer.status == 200
    assert "loading model: broken" in told(answer.body)
    assert "Failed! (" in told(answer.body)
    assert answer.body.endswith(b"\n\ndata: [DONE]\n\n")
    error = last_error(answer.body)
    assert error["message"].startswith("unspecific error: upstream command exited")
    assert error["code"] == "model_exited"
    assert error["detail"]["exit_code"] == 3
    assert "no_such_weights" in "\n".join(error["detail"]["log_tail"])


def test_ls5_queued_requests_are_told_their_places(program: SwapperProgram) -> None:
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(program.call, "/upstream/b/x?hold=k")
        model = program.upstream_url("b")
        fake_state(model, min_held=1)
        with (
            EventStream(program.url, CHAT, streaming("slow")) as first,
            EventStream(program.url, CHAT, streaming("slow")) as second,
        ):
            first.wait_for("Queue position: #1")
            second.wait_for("Queue position: #2")
            fake_release(model, "k")
            for stream in (first, second):
                assert stream.rest().endswith(b"data: [DONE]\n\n")

        assert busy.result().status == 200


def test_ls5_whoever_moves_up_is_told_the_new_place(program: SwapperProgram) -> None:
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(program.call, "/upstream/b/x?hold=k")
        model = program.upstream_url("b")
        fake_state(model, min_held=1)
        with EventStream(program.url, CHAT, streaming("slow")) as first:
            first.wait_for("Queue position: #1")
            second = EventStream(program.url, CHAT, streaming("slow"))
            second.wait_for("Queue position: #2")
            first.__exit__(None, None, None)
            second.wait_for("Queue position: #1")
        with second:
            fake_release(model, "k")
            assert second.rest().endswith(b"data: [DONE]\n\n")

        assert busy.result().status == 200


def test_a_client_that_leaves_during_the_text_is_forgotten(
    program: SwapperProgram,
) -> None:
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(program.call, "/upstream/b/x?hold=k")
        model = program.upstream_url("b")
        fake_state(model, min_held=1)
        with EventStream(program.url, CHAT, streaming("slow")) as stream:
            stream.wait_for("loading model: slow")
        program.wait_for_log("message=Cancel")
        fake_release(model, "k")

        assert busy.result().status == 200
        assert program.chat("b").status == 200
    assert "start model=slow" not in program.call("/logs").body.decode()
    assert "Traceback (most recent call last):" not in program.lines


def test_a_client_that_leaves_during_the_answer_ends_lease_and_exchange(
    program: SwapperProgram,
) -> None:
    target = f"{CHAT}?tokens=100&hold=k&hold_at=2"
    with EventStream(program.url, target, streaming("slow")) as stream:
        stream.wait_for("Done!")
        model = program.upstream_url("slow")
        fake_state(model, min_held=1)
    fake_state(model, min_hangups=1)

    assert program.chat("b").status == 200  # nothing counts on slow any more
    assert "Traceback (most recent call last):" not in program.lines


def test_an_answer_arrives_as_it_is_made_after_the_text(
    program: SwapperProgram,
) -> None:
    target = f"{CHAT}?tokens=4&hold=k&hold_at=2"
    with EventStream(program.url, target, streaming("slow")) as stream:
        while b'"content": " 1"' not in stream.received:
            assert stream.event()
        fake_release(program.upstream_url("slow"), "k")  # only now the rest is made
        assert stream.rest().endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("control", "status", "message"),
    [
        ("status=400", 400, '"choices"'),  # the fake's body has no error in it
        ("drop=head", 502, "model slow"),
        ("header=Content-Encoding:br", 502, "answered in br"),
    ],
)
def test_q3_an_upstream_that_fails_after_the_text_is_an_error_event(
    cold: SwapperProgram, control: str, status: int, message: str
) -> None:
    answer = cold.call(f"{CHAT}?{control}", streaming("slow"))
    began = "loading stream began model=slow"
    cold.wait_for_log(f"{began} status={status}: .*{re.escape(message)}")

    assert answer.status == 200
    assert "Done! (" in told(answer.body)
    assert answer.body.endswith(b"\n\ndata: [DONE]\n\n")
    assert message in last_error(answer.body)["message"]
    assert cold.chat("slow").status == 200


def test_a_truncated_answer_after_the_text_is_passed_on_as_truncated(
    cold: SwapperProgram,
) -> None:
    with pytest.raises(Exception, match=r"IncompleteRead|incomplete"):
        cold.call(f"{CHAT}?drop=body", streaming("slow"))

    assert cold.chat("slow").status == 200


def test_an_answer_that_is_no_stream_follows_the_text(cold: SwapperProgram) -> None:
    answer = cold.call(f"{CHAT}?echo=1", streaming("slow"))

    seen = json.loads(answer.body.rpartition(b"\n\n")[2])
    assert answer.status == 200
    assert json.loads(seen["body"]) == streaming("slow")


def test_the_answer_is_asked_for_uncompressed(cold: SwapperProgram) -> None:
    coding = {"Accept-Encoding": "gzip"}
    answer = cold.call(f"{CHAT}?echo=1", streaming("slow"), headers=coding)

    seen = json.loads(answer.body.rpartition(b"\n\n")[2])
    sent = [v for n, v in seen["headers"] if n.lower() == "accept-encoding"]
    assert sent == ["identity"]


@pytest.mark.parametrize("target", [CHAT, "/v1/messages", "/v1/responses"])
def test_heartbeats_are_comments_and_the_answer_follows_unchanged(
    cold: SwapperProgram, target: str
) -> None:
    first = cold.call(target, streaming("beat"))
    warm = cold.call(target, streaming("beat"))

    assert first.status == 200
    assert first.header("Content-Type") == "text/event-stream"
    told, _, answer = first.body.partition(b"\n\n")
    assert re.fullmatch(rb": loading beat(, about \d+ s)?", told)
    assert answer == warm.body


def test_a_heartbeat_tells_the_place_in_the_queue(cold: SwapperProgram) -> None:
    cold.chat("b")
    model = cold.upstream_url("b")
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(cold.call, "/upstream/b/x?hold=k")
        fake_state(model, min_held=1)
        with EventStream(cold.url, CHAT, streaming("beat")) as stream:
            told = rb": loading beat, queue position 1(, about \d+ s)?\n"
            assert re.fullmatch(told, stream.event())
            fake_release(model, "k")
            assert stream.rest().endswith(b"data: [DONE]\n\n")

        assert busy.result().status == 200


def test_q3_a_failed_load_with_heartbeats_is_an_error_event(
    cold: SwapperProgram,
) -> None:
    answer = cold.chat("broken-beat", stream=True)

    assert answer.body.startswith(b": loading broken-beat\n\ndata: {")
    assert last_error(answer.body)["code"] == "model_exited"


def test_an_unload_ends_the_text_with_an_error(program: SwapperProgram) -> None:
    with EventStream(program.url, CHAT, streaming("slow")) as stream:
        stream.wait_for("loading model: slow")
        program.call("/api/models/unload/slow", b"")
        error = last_error(stream.rest())

    assert error["message"] == "unspecific error: group: model unloaded"
    assert stream.received.endswith(b"data: [DONE]\n\n")


def test_ls5_forty_waiting_streams_are_told_forty_places(
    tmp_path: Path, server: str
) -> None:
    extra = f"    concurrencyLimit: 200\n{ON}"
    with SwapperProgram(
        tmp_path, config_text({"b": "", "a": ""}, extra), server=server
    ) as program:
        program.chat("b")
        model = program.upstream_url("b")
        with ThreadPoolExecutor(41) as pool, ExitStack() as stack:
            busy = pool.submit(program.call, "/upstream/b/x?hold=k")
            fake_state(model, min_held=1)
            opening = [
                pool.submit(EventStream, program.url, CHAT, streaming("a"))
                for _ in range(40)
            ]
            opened = [stack.enter_context(stream.result()) for stream in opening]
            list(pool.map(lambda stream: stream.wait_for("Queue position"), opened))
            fake_release(model, "k")
            ends = list(pool.map(EventStream.rest, opened))

        assert busy.result().status == 200
        assert all(end.endswith(b"data: [DONE]\n\n") for end in ends)
        places = {told(end).partition("position: #")[2].split()[0] for end in ends}
        assert places == {str(place) for place in range(1, 41)}
        assert program.call("/logs").body.decode().count("start model=a") == 1
