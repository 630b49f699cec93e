"""Where a request names its model, over the whole program (http-api.md section 7)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.model_server import Response
from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
NO_MODEL = "no model id could be identified"
CHAT = "/v1/chat/completions"
UPLOAD = (
    b'--Q\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\nRIFF\r\n"
    b'--Q\r\nContent-Disposition: form-data; name="model"\r\n\r\nm1\r\n--Q--\r\n'
)
MULTIPART = "multipart/form-data; boundary=Q"


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    config = config_text(dict.fromkeys(("m1", "hid"), "--default echo=1"))
    config += "groups: {g: {swap: false, members: [m1, hid]}}\n"
    folder: Path = tmp_path_factory.mktemp("names")
    with SwapperProgram(folder, config, server=server) as made:
        yield made


def post(
    program: SwapperProgram, target: str, body: bytes, kind: str | None, **more: str
) -> Response:
    headers = {"Content-Type": kind} if kind else {}
    return program.call(target, body, headers={**headers, **more})


def seen_by(answer: Response) -> Any:
    assert answer.status == 200, answer.body
    return answer.json()


@pytest.mark.parametrize(
    ("target", "kind", "body", "model"),
    [
        pytest.param(CHAT, JSON, b'{ "model":"m1", "x": 1.50 }', "m1", id="X1"),
        pytest.param(CHAT, f"{JSON}; charset=utf-8", b'{"model":"m1"}', "m1", id="X2"),
        pytest.param(f"{CHAT}?model=m1", FORM, b'{"model":"m1"}', "m1", id="X5"),
        pytest.param("/v1/audio/transcriptions", MULTIPART, UPLOAD, "m1", id="X8"),
        pytest.param("/v1/images/edits?model=hid", MULTIPART, UPLOAD, "hid", id="X9"),
        pytest.param(
            "/v1/audio/transcriptions?model=hid", FORM, b"model=m1", "m1", id="X10"
        ),
    ],
)
def test_the_model_is_found_and_the_body_stays(
    program: SwapperProgram, target: str, kind: str, body: bytes, model: str
) -> None:
    got = seen_by(post(program, target, body, kind))

    assert (got["name"], got["target"]) == (model, target)
    assert got["body"].encode() == body


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param("text/json", b'{"model":"m1"}', id="X3 text/json"),
        pytest.param("Application/JSON", b'{"model":"m1"}', id="X3 upper case"),
        pytest.param(None, b'{"model":"m1"}', id="X3 no type"),
        pytest.param(FORM, b'{"model":"m1"}', id="X4"),
        pytest.param(JSON, b'{"model":null}', id="X6 null"),
        pytest.param(JSON, b'{"model":""}', id="X6 empty"),
        pytest.param(JSON, b'[{"model":"m1"}]', id="X6 array"),
        pytest.param(FORM, b"model=m1&p=" + b"x" * (11 << 20), id="X16"),
    ],
)
def test_no_model_is_named(
    program: SwapperProgram, kind: str | None, body: bytes
) -> None:
    answer = post(program, CHAT, body, kind)

    assert answer.status == 404
    assert answer.json()["error"]["message"] == NO_MODEL


@pytest.mark.parametrize(
    "body",
    [pytest.param(b"", id="X6 no body"), pytest.param(b"not json", id="X6 text")],
)
def test_what_is_not_json(program: SwapperProgram, body: bytes) -> None:
    answer = post(program, CHAT, body, JSON)

    assert answer.status == 400
    assert answer.json()["error"]["code"] == "invalid_json"
    assert "line 1 column 1" in answer.json()["error"]["message"]


def test_a_body_with_two_models(program: SwapperProgram) -> None:
    answer = post(program, CHAT, b'{"model":"m1","model":"hid"}', JSON)

    assert answer.status == 400
    assert "twice" in answer.json()["error"]["message"]


def test_x7_a_number_is_a_name(program: SwapperProgram) -> None:
    answer = post(program, CHAT, b'{"model":5}', JSON)

    assert answer.status == 404
    assert answer.json()["error"]["message"] == "no router for requested model"


def test_x11_a_chunked_body_goes_chunked(program: SwapperProgram) -> None:
    raw = b'9\r\n{"model":\r\n5\r\n"m1"}\r\n0\r\n\r\n'
    chunked = {"Transfer-Encoding": "chunked"}
    got = seen_by(post(program, "/v1/embeddings", raw, JSON, **chunked))
    names = {name.lower(): value for name, value in got["headers"]}

    assert got["body"] == '{"model":"m1"}'
    assert names["transfer-encoding"] == "chunked"
    assert "content-length" not in names


def test_x12_a_query_stays_as_it_is(program: SwapperProgram) -> None:
    got = seen_by(program.call("/props?model=m1&b=2&a=1"))

    assert got["target"] == "/props?model=m1&b=2&a=1"


def test_x13_a_query_without_model(program: SwapperProgram) -> None:
    answer = program.call("/props")

    assert answer.status == 404
    assert answer.json()["error"]["message"] == NO_MODEL


def test_x14_head_is_forwarded(program: SwapperProgram) -> None:
    answer = program.call("/props?model=m1", method="HEAD")

    assert (answer.status, answer.body) == (200, b"")
    assert answer.header("X-Fake-Model") == "m1"


def test_x15_forty_megabytes_of_json(program: SwapperProgram) -> None:
    raw = b'{"pad":"' + b"x" * (40 << 20) + b'","model":"m1"}'

    assert seen_by(post(program, CHAT, raw, JSON))["body_bytes"] == len(raw)
