"""Model lists, error texts and preflights over real sockets (http-api.md 2, 4, 19)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.program import SwapperProgram, config_text
from tests.fakes.waiting import wait_until

pytestmark = pytest.mark.live

MODELS = {"m1": "", "hid": "", "ears": "", "tools": "", "shared": "", "slow": ""}
SETTINGS = {
    "hid": "unlisted: true\n    aliases: [of-hid]",
    "ears": "capabilities: {out: [audio]}",
    "tools": "capabilities: {tools: true}",
}
MORE = """\
includeAliasesInList: true
peers:
  strix: {proxy: "http://127.0.0.1:9", models: [shared]}
  cuda: {proxy: "http://127.0.0.1:9", models: [shared]}
"""
CHAT = "/v1/chat/completions"
NO_ROUTER = "no router for requested model"


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    config = config_text({**MODELS, "slow": "--ready-after 60"}, MORE)
    for model, settings in SETTINGS.items():
        config = config.replace(f"  {model}:\n", f"  {model}:\n    {settings}\n")
    folder: Path = tmp_path_factory.mktemp("listing")
    with SwapperProgram(folder, config, server=server) as made:
        yield made


def listed(program: SwapperProgram) -> dict[str, dict[str, Any]]:
    rows = program.call("/v1/models").json()["data"]
    return {row["id"]: row for row in rows}


def test_l1_without_any_model(tmp_path: Path, server: str) -> None:
    with SwapperProgram(tmp_path, "models: {}\n", server=server) as program:
        for target in ("/v1/models", "/models"):
            assert program.call(target).json() == {"data": [], "object": "list"}


def test_l2_and_8_who_is_listed(program: SwapperProgram) -> None:
    assert list(listed(program)) == [
        *("cuda/shared", "ears", "m1", "shared", "slow", "strix/shared", "tools")
    ]


def test_l4_a_starting_model_is_loaded(program: SwapperProgram) -> None:
    assert listed(program)["slow"]["status"] == {"value": "unloaded"}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(program.call, "/upstream/slow/")
        wait_until(lambda: program.running() == {"slow": "starting"})
        assert listed(program)["slow"]["status"] == {"value": "loaded"}
        assert program.call("/unload").status == 200
        assert waiting.result().status == 500


def test_l6_and_7_only_what_a_model_can_do_is_told(program: SwapperProgram) -> None:
    rows = listed(program)

    assert rows["ears"]["architecture"] == {"output_modalities": ["audio"]}
    assert "capabilities" not in rows["ears"]
    assert rows["tools"]["capabilities"] == {"function_calling": True}
    assert rows["tools"]["supported_parameters"] == ["tools", "tool_choice"]
    assert "architecture" not in rows["tools"]


# --- errors -----------------------------------------------------------------------


def test_er1_an_error_is_json(program: SwapperProgram) -> None:
    answer = program.call(CHAT, {"model": "<x>"}, headers={"Accept": "*/*"})

    assert answer.status == 404
    assert answer.header("Content-Type") == "application/json"
    assert answer.json() == {
        "src": "swapper",
        "error": {
            "message": NO_ROUTER,
            "type": "invalid_request_error",
            "param": None,
            "code": "not_found",
        },
    }


@pytest.mark.parametrize(
    ("accept", "kind", "body"),
    [
        pytest.param(
            "text/html, text/plain", "text/plain", f"swapper: {NO_ROUTER}", id="ER2"
        ),
        pytest.param(
            "text/html,*/*",
            "text/html",
            f"<html><body><h1>swapper</h1><p>{NO_ROUTER}</p></body></html>",
            id="ER3",
        ),
    ],
)
def test_an_error_as_the_client_likes_it(
    program: SwapperProgram, accept: str, kind: str, body: str
) -> None:
    answer = program.call(CHAT, {"model": "<x>"}, headers={"Accept": accept})

    assert (answer.status, answer.header("Content-Type")) == (404, kind)
    assert answer.body.decode() == body


def test_er4_a_page_shows_what_was_asked_for_as_text(program: SwapperProgram) -> None:
    answer = program.call(
        "/api/profiles/active",
        '{"name": "<b>&"}',
        method="PUT",
        headers={"Accept": "text/html"},
    )

    assert answer.status == 404
    assert b"profile &#34;&lt;b&gt;&amp;&#34; not found" in answer.body.replace(
        b"&quot;", b"&#34;"
    )


# --- preflights -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        (None, "Content-Type, Authorization, Accept, X-Requested-With"),
        ("X-A, bad header, x-b;c,Y", "X-A, Y"),
        ("bad header", ""),
    ],
)
def test_g9_a_preflight_is_answered_anywhere(
    program: SwapperProgram, asked: str | None, allowed: str
) -> None:
    headers = {} if asked is None else {"Access-Control-Request-Headers": asked}
    for target in ("/no/such/path", CHAT, "/upstream/m1/x"):
        answer = program.call(target, method="OPTIONS", headers=headers)
        told = {n.lower(): v for n, v in answer.headers}

        assert (answer.status, answer.body) == (204, b"")
        assert told["access-control-allow-origin"] == "*"
        assert told["access-control-allow-methods"] == (
            "GET, POST, PUT, PATCH, DELETE, OPTIONS"
        )
        assert told["access-control-max-age"] == "86400"
        assert told["access-control-allow-headers"] == allowed
    assert program.running() == {}
