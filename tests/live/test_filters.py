"""Body filters over the whole program (http-api.md section 11, config.md section 10)."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

JSON = {"Content-Type": "application/json"}
FILTERS = {
    "author/model": """\
    useModelName: real-upstream
    filters:
      stripParams: "temperature, a.b"
      setParams: {top_p: 0.5, nested.x: [1], model: nope}
      setParamsByID: {variant: {top_p: 0.9, reasoning: high}}
""",
    "a": """\
    useModelName: real
    filters:
      stripParams: "temperature, x.y, model"
      setParams: {top_k: 5, "n.est": 1, f: 1.0}
      setParamsByID: {"a:hi": {top_k: 9}}
""",
    "wild": """\
    filters: {stripParams: "temp*"}
""",
}


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    config = config_text(dict.fromkeys(FILTERS, "--default echo=1"))
    for model, filters in FILTERS.items():
        head = f"  {model}:\n"
        config = config.replace(head, f"{head}{filters}")
    config += "groups: {g: {swap: false, members: [author/model, a, wild]}}\n"
    folder: Path = tmp_path_factory.mktemp("filters")
    with SwapperProgram(folder, config, server=server) as made:
        yield made


def echo(
    program: SwapperProgram, target: str, body: bytes | str, **headers: str
) -> Any:
    answer = program.call(target, body, headers={**JSON, **headers})
    assert answer.status == 200, answer.body
    return answer.json()


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        pytest.param(
            '{"model":"author/model","temperature":1,"a":{"b":2,"c":3},"top_p":9,"s":"é"}',
            '{"model":"real-upstream","a":{"c":3},"top_p":0.5,"s":"é","nested":{"x":[1]}}',
            id="F1",
        ),
        pytest.param(
            '{"model":"variant","temperature":1}',
            '{"model":"real-upstream","nested":{"x":[1]},"top_p":0.9,"reasoning":"high"}',
            id="F2",
        ),
        pytest.param(
            '{"model":"a:hi","temperature":1,"x":{"y":1,"z":2}}',
            '{"model":"real","x":{"z":2},"f":1,"n":{"est":1},"top_k":9}',
            id="FIL-7",
        ),
        pytest.param(
            '{"model":"a","temperature":1,"x":{"y":1,"z":2}}',
            '{"model":"real","x":{"z":2},"f":1,"n":{"est":1},"top_k":5}',
            id="FIL-8",
        ),
        pytest.param(
            '\ufeff{ "model" : "a",\n "y":1.50, "y":1E2, "t\\u0065xt":"\\u00e9" }\n',
            '\ufeff{ "model" : "real",\n "y":1.50, "y":1E2, "t\\u0065xt":"\\u00e9"'
            ',"f":1,"n":{"est":1},"top_k":5 }\n',
            id="other bytes stay",
        ),
    ],
)
def test_what_the_model_gets(program: SwapperProgram, body: str, seen: str) -> None:
    got = echo(program, "/v1/chat/completions", body.encode())
    lengths = [value for name, value in got["headers"] if name == "Content-Length"]

    assert got["body"] == seen
    assert lengths == [str(len(seen.encode()))]


def test_f3_a_form_gets_only_the_model_name(program: SwapperProgram) -> None:
    file = b'--Q\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nRIFF\0'
    raw = (
        b'--Q\r\nContent-Disposition: form-data; name="model"\r\n\r\nauthor/model\r\n'
        b'--Q\r\nContent-Disposition: form-data; name="temperature"\r\n\r\n1\r\n'
        + file
        + b"\r\n--Q--\r\n"
    )
    kind = {"Content-Type": "multipart/form-data; boundary=Q"}
    got = echo(program, "/v1/audio/transcriptions", raw, **kind)

    assert got["body"].encode() == raw.replace(b"author/model", b"real-upstream")


def test_f5_upstream_bodies_are_untouched(program: SwapperProgram) -> None:
    raw = '{"model":"author/model","temperature":1}'
    got = echo(program, "/upstream/author/model/v1/chat/completions", raw)

    assert got["body"] == raw


def test_what_came_chunked_is_edited_and_goes_chunked(program: SwapperProgram) -> None:
    raw = b'b\r\n{"model":"a\r\n2\r\n"}\r\n0\r\n\r\n'
    got = echo(program, "/v1/embeddings", raw, **{"Transfer-Encoding": "chunked"})
    names = [name.lower() for name, _ in got["headers"]]

    assert got["body"] == '{"model":"real","f":1,"n":{"est":1},"top_k":5}'
    assert "transfer-encoding" in names
    assert "content-length" not in names


def test_a_large_body_is_edited_where_it_should(program: SwapperProgram) -> None:
    pad = "x" * (5 << 20)
    raw = f'{{"pad":"{pad}","model":"a","top_k":1, "n":0}}'
    got = echo(program, "/v1/embeddings", raw)
    seen = f'{{"pad":"{pad}","model":"real","top_k":5, "n":{{"est":1}},"f":1}}'

    assert got["body_bytes"] == len(seen)
    assert got["body_sha256"] == hashlib.sha256(seen.encode()).hexdigest()


def test_a_filter_that_cannot_be_applied(program: SwapperProgram) -> None:
    answer = program.call("/v1/embeddings", {"model": "wild", "temperature": 1})

    assert answer.status == 500
    message = answer.json()["error"]["message"]
    assert message.startswith("error stripping parameter temp* from request")
    assert program.running().get("wild") is None
