"""Token counts over real sockets (http-api.md section 22)."""

import base64
import http.client
import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from swapper.record.tokens import NO_TOKENS
from tests.fakes.activity import activity, row_of, wait_for_capture, wait_for_rows
from tests.fakes.answers import CASES, SSE, Case, sse, tokens
from tests.fakes.model_server import Response
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.scripted_upstream import DEADLINE_S, Peer, ScriptedUpstream

pytestmark = pytest.mark.live

BODY = {"model": "m"}


class Model:
    """Answers as it is told, in two parts.

    Attributes:
        case: the answer.
        cut: how much of the body comes at once.
        go_on: set when the rest may come.
    """

    def __init__(self) -> None:
        self.case = CASES[0]
        self.cut = 0
        self.go_on = threading.Event()

    def __call__(self, peer: Peer) -> None:
        while head := peer.head():
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            peer.take(int(length[1]) if length else 0)
            case = self.case
            lines = [f"HTTP/1.1 {case.status} Whatever"]
            lines += [f"{name}: {value}" for name, value in case.headers]
            lines += [f"Content-Length: {len(case.body)}", "", ""]
            peer.send("\r\n".join(lines).encode() + case.body[: self.cut])
            if not self.go_on.wait(DEADLINE_S):
                raise TimeoutError("nobody wants the rest")
            peer.send(case.body[self.cut :])


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


@pytest.fixture(scope="module")
def program(
    model: Model, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SwapperProgram]:
    with ExitStack() as stack:
        upstream = stack.enter_context(ScriptedUpstream(model))
        config = f"peers: {{p: {{proxy: '{upstream.url}', models: [m]}}}}\n"
        folder: Path = tmp_path_factory.mktemp("usage")
        yield stack.enter_context(SwapperProgram(folder, config))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_t1_to_25_the_row_has_the_figures(
    program: SwapperProgram, model: Model, case: Case
) -> None:
    model.case, model.cut = case, len(case.body) // 2
    model.go_on.set()
    received = []
    headers = {"Accept-Encoding": "gzip, deflate"}

    def send() -> Any:
        answer = program.call(case.path, BODY, headers=headers)
        received.append(answer)
        return answer

    row = row_of(program, send)

    assert row["tokens"] == case.tokens._asdict()
    assert row["resp_status_code"] == case.status
    assert row["resp_content_type"] == case.content_type
    assert row.get("error_msg", "").startswith(case.error_msg)
    assert bool(row.get("error_msg")) == bool(case.error_msg)
    assert row["duration_ms"] >= case.timed_ms
    assert received[0].body == case.body
    assert received[0].header("Content-Encoding") == (case.coding.strip() or None)


SAMPLES = [
    Case(
        id="json",
        body=b'{"choices":[{"message":{"content":"\\u00e9 usage"}}],"usage":'
        b'{"prompt_tokens":12,"completion_tokens":7,"x":[1.5e3]}}',
        tokens=tokens(-1, -1, -1, 12, 7, -1, -1),
    ),
    Case(
        id="sse",
        content_type=SSE,
        body=sse(
            '{"choices":[{"delta":{"content":"h\\u00e9"}}],"usage":null}',
            '{"usage":{"prompt_tokens":15,"completion_tokens":33}}',
            "[DONE]",
        ),
        tokens=tokens(-1, -1, -1, 15, 33, -1, -1),
    ),
]


@pytest.mark.parametrize("case", SAMPLES, ids=lambda case: case.id)
def test_wherever_two_pieces_of_an_answer_meet(
    program: SwapperProgram, model: Model, case: Case
) -> None:
    """The rest is sent only once the client has the first part."""
    model.case = case
    before = max((row["id"] for row in activity(program)), default=0)
    connection = http.client.HTTPConnection(
        program.url.partition("//")[2], timeout=DEADLINE_S
    )
    places = range(len(case.body) + 1)
    for model.cut in places:
        model.go_on.clear()
        headers = {"Content-Type": "application/json"}
        connection.request("POST", case.path, json.dumps(BODY), headers)
        answer = connection.getresponse()
        first = answer.read(model.cut)
        model.go_on.set()
        assert first + answer.read() == case.body
    connection.close()

    rows = wait_for_rows(program, len(places), after=before)
    assert [row["tokens"] for row in rows] == [case.tokens._asdict()] * len(places)
    assert len(rows) == len(places)


def test_an_answer_that_breaks_off_has_the_figures_it_had(
    tmp_path: Path,
) -> None:
    first = sse('{"usage":{"prompt_tokens":15,"completion_tokens":33}}')

    def script(peer: Peer) -> None:
        peer.head()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {SSE}\r\nContent-Length: 999\r\n\r\n"
        peer.send(head.encode() + first)

    with ScriptedUpstream(script) as upstream:
        config = f"peers: {{p: {{proxy: '{upstream.url}', models: [m]}}}}\n"
        with SwapperProgram(tmp_path, config) as program:
            with pytest.raises(http.client.IncompleteRead):
                program.call("/v1/completions", BODY)
            [row] = wait_for_rows(program, 1)

    assert row["tokens"] == tokens(-1, -1, -1, 15, 33, -1, -1)._asdict()
    assert row["is_truncated"] is True


@pytest.mark.parametrize("path", ["chat/completions", "messages", "responses"])
def test_events_of_our_own_before_the_models_are_in_nobodys_way(
    tmp_path: Path, server: str, path: str
) -> None:
    slow = {"slow": "--ready-after 0.7 --default tokens=9"}
    config = config_text(slow, "sendLoadingState: true\n")
    body = {"model": "slow", "stream": True, "messages": [], "input": ""}
    with SwapperProgram(tmp_path, config, server=server) as program:
        answers = []

        def send() -> Response:
            answers.append(program.call(f"/v1/{path}", body))
            return answers[0]

        row = row_of(program, send)

        assert row["tokens"]["output_tokens"] == 9
        assert row["tokens"]["input_tokens"] > 0
        assert row["load_ms"] > 0
        assert row["resp_content_type"] == SSE
        capture = wait_for_capture(program, row)
        assert base64.b64decode(capture["resp_body"]) == answers[0].body


def test_a_stream_of_our_own_that_ends_in_an_error_is_no_success(
    tmp_path: Path, server: str
) -> None:
    dying = {"dead": "--ready-after 30 --exit-after 0.4"}
    config = config_text(dying, "sendLoadingState: true\n")
    body = {"model": "dead", "stream": True, "messages": []}
    with SwapperProgram(tmp_path, config, server=server) as program:
        row = row_of(program, lambda: program.call("/v1/chat/completions", body))

        assert row["resp_status_code"] >= 500
        assert row["error_msg"]
        assert row["tokens"] == NO_TOKENS._asdict()
        assert wait_for_capture(program, row)["resp_body"] is None
