"""One id for a request: in the answer, at the upstream, in the log."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    folder: Path = tmp_path_factory.mktemp("request-id")
    with SwapperProgram(
        folder, config_text({"a": "--default echo=1"}), server=server
    ) as made:
        yield made


def values(headers: list[Any], name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name.lower()]


def test_the_clients_own_id_goes_all_the_way(program: SwapperProgram) -> None:
    answer = program.call(CHAT, {"model": "a"}, headers={"x-request-id": "mine-1"})

    assert values(answer.json()["headers"], "X-Request-Id") == ["mine-1"]
    assert answer.header("X-Request-Id") == "mine-1"
    program.wait_for_log(r"\] Request .*POST.* 200 .*s request_id=mine-1\n")


@pytest.mark.parametrize("sent", [{}, {"X-Request-Id": "not sane, for it has spaces"}])
def test_a_request_without_a_sane_id_gets_one(
    program: SwapperProgram, sent: dict[str, str]
) -> None:
    answer = program.call(CHAT, {"model": "a"}, headers=sent)
    given = answer.header("X-Request-Id")

    assert given is not None
    assert re.fullmatch(r"[0-9a-f]+-[0-9a-f]+", given)
    assert values(answer.json()["headers"], "X-Request-Id") == [given]
    assert program.call(CHAT, {"model": "a"}).header("X-Request-Id") != given


def test_the_upstreams_own_id_is_replaced(program: SwapperProgram) -> None:
    raw = b"HTTP/1.1 200 OK\r\nX-Request-ID: theirs\r\nContent-Length: 2\r\n\r\nok"
    control = quote(base64.b64encode(raw).decode())
    answer = program.call(
        f"/upstream/a/x?raw={control}", headers={"X-Request-Id": "ours"}
    )

    assert values(list(answer.headers), "X-Request-Id") == ["ours"]


def test_a_refusal_has_an_id_too(program: SwapperProgram) -> None:
    answer = program.call(CHAT, {"model": "nobody"}, headers={"X-Request-Id": "r"})

    assert (answer.status, answer.header("X-Request-Id")) == (404, "r")
