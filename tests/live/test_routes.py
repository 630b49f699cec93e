"""Routes over a real socket against the whole program."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.http_client import read_answer
from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.raw_client import connect

pytestmark = pytest.mark.live

MORE = """\
    aliases: [alias1]
    name: " M One "
    description: d1
    metadata: {foo: bar, type: mine}
  author/model:
    cmd: |
      COMMAND
    useModelName: real-upstream
  author:
    cmd: |
      COMMAND
  hid:
    cmd: |
      COMMAND
    unlisted: true
groups: {g: {swap: false, members: [m1, author/model, author, hid]}}
"""


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    config = config_text({"m1": "--default echo=1"})
    command = config.split("cmd: |\n")[1].strip()
    config += MORE.replace("COMMAND", command.replace("--name m1", "--name x"))
    folder: Path = tmp_path_factory.mktemp("routes")
    with SwapperProgram(folder, config, server=server) as made:
        yield made


def test_a_path_cannot_forge_a_line_of_the_log(
    program: SwapperProgram, server: str
) -> None:
    forged = "/%0a%5bERROR%5d%20forged%1b%5b2J%9b/%C3%A9"
    assert program.call(forged, headers={"X-Real-IP": "\x9b2J"}).status == 404
    log = program.call("/logs").body.decode().splitlines()
    (line,) = (line for line in log if "forged" in line)

    assert r'\x9b2J "GET /\n[ERROR] forged\x1b[2J\x9b/é HTTP/1.1" 404' in line
    if server == "swapper":  # others do not print our lines
        assert program.wait_for_line(".*forged.*")[0] == line


def echo(program: SwapperProgram, target: str, *args: Any, **rest: Any) -> Any:
    answer = program.call(target, *args, **rest)
    assert answer.status == 200, answer.body
    return answer.json()


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/v1/chat/completions", None),
        ("/v1/responses", None),
        ("/v1/completions", None),
        ("/v1/messages", None),
        ("/v1/messages/count_tokens", None),
        ("/v1/embeddings", None),
        ("/reranking", None),
        ("/rerank", None),
        ("/v1/rerank", None),
        ("/v1/reranking", None),
        ("/infill", None),
        ("/completion", None),
        ("/v1/audio/speech", None),
        ("/v1/audio/voices", None),
        ("/v1/images/generations", None),
        ("/sdapi/v1/txt2img", None),
        ("/sdapi/v1/img2img", None),
        ("/v1/audio/transcriptions", None),
        ("/v1/images/edits", None),
        ("/audioapi/v1/tasks/run", "/v1/tasks/run"),
        ("/v/chat/completions", "/chat/completions"),
        ("/v/responses", "/responses"),
        ("/v/completions", "/completions"),
        ("/v/messages", "/messages"),
        ("/v/messages/count_tokens", "/messages/count_tokens"),
        ("/v/embeddings", "/embeddings"),
        ("/v/rerank", "/rerank"),
        ("/v/reranking", "/reranking"),
    ],
)
def test_ee3_every_body_route_reaches_its_model(
    program: SwapperProgram, path: str, seen: str | None
) -> None:
    raw = '{ "model":"alias1", "x": 1.50 }'
    headers = {"Content-Type": "application/json"}
    got = echo(program, path, raw, headers=headers)

    assert (got["method"], got["path"], got["body"]) == ("POST", seen or path, raw)


@pytest.mark.parametrize("path", ["/v1/audio/voices", "/sdapi/v1/loras", "/props"])
def test_x12_x14_query_routes_keep_their_query(
    program: SwapperProgram, path: str
) -> None:
    got = echo(program, f"{path}?model=m1&b=2&a=1")

    assert got["target"] == f"{path}?model=m1&b=2&a=1"
    assert program.call(f"{path}?model=m1", method="HEAD").body == b""


def test_use_model_name_replaces_only_the_name(program: SwapperProgram) -> None:
    headers = {"Content-Type": "application/json"}
    raw = '{"a":1.0, "model": "author/model" ,"b":2}'
    got = echo(program, "/v1/embeddings", raw, headers=headers)

    assert got["body"] == '{"a":1.0, "model": "real-upstream" ,"b":2}'


@pytest.mark.parametrize(
    ("method", "target", "status", "location"),
    [
        ("GET", "/upstream/m1", 301, "/upstream/m1/"),
        ("HEAD", "/upstream/m1", 301, "/upstream/m1/"),
        ("POST", "/upstream/m1?x=1", 308, "/upstream/m1/?x=1"),
        ("GET", "/upstream/alias1", 301, "/upstream/alias1/"),
    ],
)
def test_u1_redirects(
    program: SwapperProgram, method: str, target: str, status: int, location: str
) -> None:
    answer = program.call(target, method=method)

    assert (answer.status, answer.header("Location")) == (status, location)


@pytest.mark.parametrize(
    ("method", "target", "seen"),
    [
        ("PUT", "/upstream/author/model/a/b?q=1", "/a/b?q=1"),
        (
            "GET",
            "/upstream/author%2Fmodel/a%2Fb/c%20d?x=%2F",
            "/a%2Fb/c%20d?x=%2F",
        ),
        ("GET", "/upstream/m1/%E2%9C%93/x", "/%E2%9C%93/x"),
        ("DELETE", "/upstream/author/v1", "/v1"),
        ("GET", "/upstream/m1/", "/"),
    ],
)
def test_u2_to_5_paths_are_passed_on_byte_for_byte(
    program: SwapperProgram, method: str, target: str, seen: str
) -> None:
    body = b"hello" if method == "PUT" else None
    got = echo(program, target, body, method=method)

    assert (got["method"], got["target"]) == (method, seen)
    assert got["body"] == ("hello" if body else "")


@pytest.mark.parametrize("target", ["/upstream/nope/x", "/upstream/", "/upstream/M1/"])
def test_u6_unknown_names(program: SwapperProgram, target: str) -> None:
    answer = program.call(target)

    assert answer.status == 404
    assert answer.json()["error"]["message"] == "model not found"


def test_l3_l5_l9_model_list(program: SwapperProgram) -> None:
    answer = program.call("/v1/models", headers={"Origin": "http://o"})
    rows = {row["id"]: row for row in answer.json()["data"]}

    assert list(rows) == ["author", "author/model", "m1"]
    assert answer.header("Access-Control-Allow-Origin") == "http://o"
    assert rows["m1"]["name"] == "M One"
    assert rows["m1"]["description"] == "d1"
    assert rows["m1"]["owned_by"] == "swapper"
    assert rows["m1"]["meta"]["llamaswap"] == {
        "foo": "bar",
        "type": "model",
        "aliases": ["alias1"],
    }
    again = program.call("/models").json()["data"]
    assert [{**row, "created": 0} for row in again] == [
        {**row, "created": 0} for row in answer.json()["data"]
    ]


def test_running_and_unload_one(program: SwapperProgram) -> None:
    echo(program, "/upstream/author/model/")
    (row,) = (
        row
        for row in program.call("/running").json()["running"]
        if row["model"] == "author/model"
    )
    assert set(row) == {
        *("model", "state", "cmd", "proxy", "ttl", "name", "description")
    }
    assert row["state"] == "ready"

    assert program.call("/api/models/unload/author%2Fmodel", b"").body == b"OK"
    assert "author/model" not in program.running()
    assert program.call("/api/models/unload/author/model", b"").body == b"OK"
    assert program.call("/api/models/unload/nope", b"").status == 404
    assert program.call("/api/models/unload/", b"").status == 404


def test_g1_g2_health(program: SwapperProgram) -> None:
    answer = program.call("/health")

    assert answer.body == b"OK"
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"
    head = program.call("/health", method="HEAD")
    assert (head.header("Content-Length"), head.body) == ("2", b"")


def test_unknown_model_and_broken_json(program: SwapperProgram) -> None:
    missing = program.call("/v1/embeddings", {"model": "<x>"})
    broken = program.call(
        "/v1/embeddings", '{"model": }', headers={"Content-Type": "application/json"}
    )

    assert missing.status == 404
    assert missing.json()["error"]["message"] == "no router for requested model"
    assert broken.status == 400
    assert broken.json()["error"]["code"] == "invalid_json"
    assert "line 1 column 11" in broken.json()["error"]["message"]


def test_cross_site_pages_cannot_unload(program: SwapperProgram) -> None:
    answer = program.call("/unload", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status == 403


def test_the_whole_upload_form_stays_byte_identical(program: SwapperProgram) -> None:
    """X8: a file before the model field."""
    file = b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    model = b'Content-Disposition: form-data; name="model"\r\n\r\nm1\r\n'
    raw = b"--Q\r\n%s%s\r\n--Q\r\n%s--Q--\r\n" % (file, b"\xff" * 3_000_000, model)
    headers = {"Content-Type": "multipart/form-data; boundary=Q"}
    got = echo(program, "/v1/audio/transcriptions", raw, headers=headers)

    assert got["body_bytes"] == len(raw)


# --- routing itself -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target", "status", "location"),
    [
        pytest.param("GET", "/", 302, "/ui", id="G4"),
        pytest.param("GET", "/?k=1", 302, "/ui", id="G4 query"),
        pytest.param("GET", "/ui", 307, "/ui/", id="G5"),
        pytest.param("GET", "/upstream", 302, "/ui/models", id="G6"),
        pytest.param("POST", "/upstream", 307, "/upstream/", id="G6 POST"),
        pytest.param("GET", "/v1//models", 307, "/v1/models", id="G7"),
        pytest.param("GET", "/v1/./models", 307, "/v1/models", id="G7 dot"),
        pytest.param("GET", "/v1/x/../models", 307, "/v1/models", id="G7 dots"),
        pytest.param(
            "GET",
            "/upstream/m1/a//b%2Fc?k=1",
            307,
            "/upstream/m1/a/b%2Fc?k=1",
            id="G8",
        ),
    ],
)
def test_where_paths_are_sent_on(
    program: SwapperProgram, method: str, target: str, status: int, location: str
) -> None:
    answer = program.call(target, method=method)

    assert (answer.status, answer.header("Location")) == (status, location)


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        pytest.param("POST", "/health", "GET, HEAD", id="G3"),
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/audio/voices", "GET, HEAD, POST"),
        ("POST", "/api/profiles/active", "PUT"),
        ("POST", "/ui/", "GET, HEAD"),
    ],
)
def test_g3_methods_that_a_route_does_not_have(
    program: SwapperProgram, method: str, target: str, allow: str
) -> None:
    for accept in ("*/*", "text/html"):
        answer = program.call(target, method=method, headers={"Accept": accept})

        assert (answer.status, answer.header("Allow")) == (405, allow)
        assert answer.header("Content-Type") == "text/plain; charset=utf-8"
        assert answer.header("X-Content-Type-Options") == "nosniff"
        assert answer.body == b"Method Not Allowed\n"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        pytest.param("/nope", 404, id="G10"),
        pytest.param("/%68ealth", 200, id="G11"),
        pytest.param("/v1%2Fmodels", 404, id="G11 slash"),
        ("/health/", 404),
        ("/Health", 404),
        ("/v1/models/m1", 404),
        ("/chat/completions", 404),
        ("/api", 404),
        ("/favicon.ico", 404),
        ("/ui/app.js", 404),
    ],
)
def test_g10_g11_which_paths_there_are(
    program: SwapperProgram, target: str, status: int
) -> None:
    answer = program.call(target, headers={"Accept": "text/html"})

    assert answer.status == status
    if status == 404:
        assert answer.header("Content-Type") == "text/plain; charset=utf-8"
        assert answer.header("X-Content-Type-Options") == "nosniff"
        assert answer.header("WWW-Authenticate") is None
        assert answer.body == b"404 page not found\n"


def test_an_absolute_target_is_its_path(program: SwapperProgram) -> None:
    """Section 2.2: the host in it is ignored."""
    with connect(int(program.url.rpartition(":")[2])) as sock:
        sock.sendall(b"GET http://elsewhere.example/health HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_answer(sock).body == b"OK"


@pytest.mark.parametrize("target", ["/ui/", "/ui/models"])
def test_the_first_page_leads_on(program: SwapperProgram, target: str) -> None:
    """As text, and as a page for a browser."""
    text = program.call(target)
    page = program.call(target, headers={"Accept": "text/html,*/*"})

    assert text.header("Content-Type") == "text/plain; charset=utf-8"
    links = re.findall(rf"{program.url}(/\S+)", text.body.decode())
    assert page.header("Content-Type") == "text/html; charset=utf-8"
    assert re.findall('href="([^"]*)"', page.body.decode()) == links
    assert "/running" in links
    for link in links:
        assert program.call(link, method="HEAD").status == 200
