"""Captures over real sockets (http-api.md section 23)."""

import base64
import gzip
import json
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.activity import activity, row_of, wait_for_capture, wait_for_rows
from tests.fakes.model_server import FakeModel, Response
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.scripted_upstream import Peer, ScriptedUpstream

pytestmark = pytest.mark.live

CHAT = "/v1/chat/completions"
CAPTURE = "/api/captures/%d"
ZIPPED = gzip.compress(b'{"zipped":1}')

MORE = """\
    aliases: [al]
    useModelName: real
    filters: {setParams: {top_p: 0.5}}
peers:
  p: {proxy: PEER, models: [pm], filters: {setParams: {x: 1}}}
  z: {proxy: ZIP, models: [zm]}
"""


def zipped(peer: Peer) -> None:
    """Answer everything with a compressed body, errors on some paths."""
    while head := peer.head():
        peer.take(int(head.lower().partition(b"content-length: ")[2].split()[0]))
        status = b"500 Oops" if b"/v1/completions" in head else b"200 OK"
        peer.send(
            b"HTTP/1.1 %b\r\nContent-Encoding: gzip\r\nSet-Cookie: s=1\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (status, len(ZIPPED), ZIPPED)
        )


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwapperProgram]:
    with ExitStack() as stack:
        peer = stack.enter_context(FakeModel("--default", "echo=1", name="p"))
        zip_ = stack.enter_context(ScriptedUpstream(zipped))
        more = MORE.replace("PEER", peer.url).replace("ZIP", zip_.url)
        config = config_text({"m1": "--default echo=1"}, more)
        folder: Path = tmp_path_factory.mktemp("captures")
        yield stack.enter_context(SwapperProgram(folder, config))


def capture_of(program: SwapperProgram, send: Callable[[], Response]) -> dict[str, Any]:
    """Return what was captured of a request."""
    row = row_of(program, send)
    capture = wait_for_capture(program, row)
    assert capture["id"] == row["id"]
    assert capture["req_path"] == row["req_path"]
    assert activity(program, f"min_id={row['id']}")[-1]["has_capture"]
    return capture


def body_of(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)


def noise(megabytes: float) -> bytes:
    """Return a request that zlib makes a quarter smaller, to so many MiB."""
    text = base64.b64encode(secrets.token_bytes(int(megabytes * (1 << 20))))
    return b'{"model":"z/zm","x":"%b"}' % text


def post(program: SwapperProgram, target: str, raw: bytes, **headers: str) -> Response:
    sent = {"Content-Type": "application/json"} | headers
    return program.call(target, raw, headers=sent)


def test_cp1_secrets_are_redacted_and_bodies_are_whole(program: SwapperProgram) -> None:
    answers = []

    def send() -> Response:
        secret = {"authorization": "Bearer s", "COOKIE": "c=1", "x-api-key": "k"}
        answers.append(post(program, CHAT, b'{"model":"m1"}', **secret, x_y="2"))
        return answers[0]

    capture = capture_of(program, send)
    headers = capture["req_headers"]

    for name in ("Authorization", "Cookie", "X-Api-Key"):
        assert headers[name] == "[REDACTED]"
    assert headers["Content-Type"] == "application/json"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["X_y"] == "2"
    assert "Host" not in headers
    assert body_of(capture["req_body"]) == b'{"model":"real","top_p":0.5}'
    assert body_of(capture["resp_body"]) == answers[0].body
    assert capture["resp_headers"]["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "has_request", "has_answer"),
    [
        pytest.param("/v1/audio/speech", True, False, id="CP2"),
        pytest.param("/sdapi/v1/img2img", False, False, id="CP3"),
        ("/v1/audio/voices", False, True),
        ("/v1/images/generations", True, False),
        ("/audioapi/v1/tasks/run", True, True),
        ("/upstream/m1/v1/audio/speech", True, False),
        ("/upstream/m1/props", True, True),
    ],
)
def test_media_are_not_kept(
    program: SwapperProgram, path: str, *, has_request: bool, has_answer: bool
) -> None:
    capture = capture_of(program, lambda: program.call(path, {"model": "m1"}))

    assert (capture["req_body"] is not None) == has_request
    assert (capture["resp_body"] is not None) == has_answer


def test_cp4_what_is_larger_than_the_buffer_is_not_kept(
    program: SwapperProgram,
) -> None:
    row = row_of(program, lambda: post(program, CHAT, noise(8)))
    capture_of(program, lambda: program.chat("m1"))  # which comes behind it

    assert not activity(program, f"max_id={row['id']}")[0]["has_capture"]
    assert program.call(CAPTURE % row["id"]).status == 404
    program.wait_for_line("capture dropped")


def test_cp5_the_oldest_make_room(program: SwapperProgram) -> None:
    for _ in range(4):
        capture_of(program, lambda: post(program, CHAT, noise(1.5)))
    newest, *older = activity(program)

    assert [row["has_capture"] for row in (newest, *older[:4])] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert program.call(CAPTURE % older[2]["id"]).status == 404


@pytest.mark.parametrize(
    ("id_", "status", "message"),
    [
        ("x", 400, "invalid capture ID"),
        ("1/2", 400, "invalid capture ID"),
        ("1.5", 400, "invalid capture ID"),
        ("%31", 400, "invalid capture ID"),
        ("9999", 404, "capture not found"),
        ("-1", 404, "capture not found"),
    ],
)
def test_cp6_what_is_no_capture(
    program: SwapperProgram, id_: str, status: int, message: str
) -> None:
    answer = program.call(f"/api/captures/{id_}")

    assert answer.status == status
    assert answer.json()["error"]["message"] == message


def test_an_answer_is_kept_decompressed(program: SwapperProgram) -> None:
    body, accept = {"model": "z/zm"}, {"Accept-Encoding": "gzip, br"}
    capture = capture_of(program, lambda: program.call(CHAT, body, headers=accept))

    assert body_of(capture["resp_body"]) == b'{"zipped":1}'
    assert "Content-Encoding" not in capture["resp_headers"]
    assert capture["resp_headers"]["Set-Cookie"] == "[REDACTED]"
    assert capture["req_headers"]["Accept-Encoding"] == "gzip, br"


def test_the_body_of_a_failure_is_not_kept(program: SwapperProgram) -> None:
    for model, path in (("z/zm", "/v1/completions"), ("who?", CHAT)):
        send = partial(program.call, path, {"model": model})
        capture = capture_of(program, send)

        assert capture["resp_body"] is None
        assert b"model" in (body_of(capture["req_body"]) or b"")


def test_a_peers_name_for_its_model_is_not_shown(program: SwapperProgram) -> None:
    answers = []

    def send() -> Response:
        answers.append(program.call(CHAT, {"model": "p/pm"}))
        return answers[0]

    capture = capture_of(program, send)

    assert json.loads(body_of(capture["req_body"]) or b"") == {"model": "p/pm", "x": 1}
    assert answers[0].json()["body"] == '{"model": "pm","x":1}'


@pytest.mark.parametrize("target", [CHAT, "/upstream/m1/v1/completions"])
def test_a_body_that_came_in_chunks_is_kept(
    program: SwapperProgram, target: str
) -> None:
    raw = b'd\r\n{"model":"m1"\r\n1\r\n}\r\n0\r\n\r\n'
    chunked = {"Transfer-Encoding": "chunked"}
    capture = capture_of(program, lambda: post(program, target, raw, **chunked))
    kept = json.loads(body_of(capture["req_body"]) or b"")

    assert kept["model"] == ("real" if target == CHAT else "m1")


def test_a_form_is_kept_where_forms_are(program: SwapperProgram) -> None:
    field = (
        b'--Q\r\nContent-Disposition: form-data; name="model"\r\n\r\n%b\r\n--Q--\r\n'
    )
    kind = {"Content-Type": "multipart/form-data; boundary=Q"}
    for path, body in (
        ("/v1/audio/transcriptions", None),
        ("/v1/embeddings", field % b"real"),
        ("/upstream/m1/v1/embeddings", field % b"m1"),
    ):
        send = partial(post, program, path, field % b"m1", **kind)
        capture = capture_of(program, send)
        assert body_of(capture["req_body"]) == body


def test_a_reload_turns_captures_off_and_on(tmp_path: Path) -> None:
    with ScriptedUpstream(zipped) as upstream:
        config = f"peers: {{z: {{proxy: '{upstream.url}', models: [zm]}}}}\n"
        with SwapperProgram(tmp_path, config) as program:
            first = capture_of(program, lambda: program.call(CHAT, {"model": "zm"}))
            for size, count in ((0, 1), (1, 2)):
                text = f"captureBuffer: {size}\n{config}"
                program.config.write_text(text, encoding="utf-8")
                program.process.send_signal(signal.SIGHUP)
                program.wait_for_log("(?s)" + "configuration reloaded.*" * count)
                if not size:
                    row_of(program, lambda: program.call(CHAT, {"model": "zm"}))
            capture_of(program, lambda: program.call(CHAT, {"model": "zm"}))
            rows = wait_for_rows(program, 3)

            assert [row["has_capture"] for row in rows] == [True, False, False]
            assert program.call(CAPTURE % first["id"]).status == 404


def test_another_log_has_captures_of_its_own(tmp_path: Path) -> None:
    with ScriptedUpstream(zipped) as upstream:
        config = f"peers: {{z: {{proxy: '{upstream.url}', models: [zm]}}}}\n"
        with SwapperProgram(tmp_path, config) as program:
            first = capture_of(program, lambda: program.call(CHAT, {"model": "zm"}))
            text = f"store: {{path: {tmp_path / 'log.db'}}}\n{config}"
            program.config.write_text(text, encoding="utf-8")
            program.process.send_signal(signal.SIGHUP)
            program.wait_for_log("configuration reloaded")
            assert program.call(CAPTURE % first["id"]).status == 404
            body = {"model": "zm", "second": True}
            second = capture_of(program, lambda: program.call(CHAT, body))

    assert second["id"] == first["id"]
    assert b"second" in (body_of(second["req_body"]) or b"")
