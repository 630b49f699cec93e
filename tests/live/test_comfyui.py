"""What ComfyUI's page does, through ``/comfyui/`` (http-api.md 15 and 16)."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urljoin

import pytest
from simple_websocket import Client as WebSocket

from tests.fakes import comfy_server
from tests.fakes.comfy_server import PAGE, PICTURE, SCRIPT
from tests.fakes.model_server import Response
from tests.fakes.ports import free_ports
from tests.fakes.program import SwapperProgram

pytestmark = pytest.mark.live

CONFIG = """\
startPort: %d
models:
  comfyui_auto:
    cmd: %s ${PORT}
    checkEndpoint: /system_stats
"""
VIEW = "/comfyui/view?filename=a%20b%2Fc.png&subfolder=&type=output"


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    command = shlex.join([sys.executable, comfy_server.__file__])
    folder: Path = tmp_path_factory.mktemp("comfyui")
    config = CONFIG % (free_ports(1), command)
    with SwapperProgram(folder, config, server=server) as made:
        assert made.call("/comfyui/").body == PAGE  # starts it
        yield made


def get(program: SwapperProgram, target: str, **headers: str) -> Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return program.call(target, headers=sent)


def asset(program: SwapperProgram) -> str:
    """Return where the page's script is, as a browser finds it."""
    page = get(program, "/comfyui/", Accept="text/html")
    (source,) = re.findall('src="([^"]*)"', page.body.decode())
    target: str = urljoin("/comfyui/", source)
    return target


def test_the_page_and_its_script(program: SwapperProgram) -> None:
    target = asset(program)
    script = get(program, target, Sec_Fetch_Site="same-origin")

    assert target == "/comfyui/assets/index-%5Bab%5D.js?v=1"
    assert script.body == SCRIPT
    assert script.header("Content-Type") == "text/javascript"
    assert get(program, "/comfyui/assets/nope.js").status == 404


def test_a_script_that_is_still_the_same(program: SwapperProgram) -> None:
    target = asset(program)
    tag = get(program, target).header("ETag")
    assert tag is not None
    again = get(program, target, If_None_Match=tag)

    assert (again.status, again.body) == (304, b"")
    assert again.header("ETag") == tag
    assert again.header("Cache-Control") == "no-cache"
    assert again.header("Transfer-Encoding") is None
    other = get(program, target, If_None_Match='"other"')
    assert (other.status, other.body) == (200, SCRIPT)


@pytest.mark.parametrize("target", [VIEW, "/upstream/comfyui_auto/view"])
def test_heads_tell_what_there_is(program: SwapperProgram, target: str) -> None:
    head = program.call(target, method="HEAD")

    assert (head.status, head.body) == (200, b"")
    assert head.header("Content-Length") == str(len(PICTURE))
    assert head.header("Accept-Ranges") == "bytes"


@pytest.mark.parametrize(
    ("wanted", "part", "place"),
    [
        ("bytes=4-9", PICTURE[4:10], f"bytes 4-9/{len(PICTURE)}"),
        ("bytes=25000-", PICTURE[25000:], f"bytes 25000-25603/{len(PICTURE)}"),
    ],
)
def test_parts_of_a_picture(
    program: SwapperProgram, wanted: str, part: bytes, place: str
) -> None:
    answer = get(program, VIEW, Range=wanted)

    assert (answer.status, answer.body) == (206, part)
    assert answer.header("Content-Range") == place
    assert answer.header("Content-Length") == str(len(part))


def test_a_part_that_there_is_not(program: SwapperProgram) -> None:
    answer = get(program, VIEW, Range="bytes=99999-")

    assert answer.status == 416
    assert answer.header("Content-Range") == f"bytes */{len(PICTURE)}"


@pytest.mark.parametrize("below", ["/comfyui", "/upstream/comfyui_auto"])
def test_a_prompt_is_told_to_its_websocket(program: SwapperProgram, below: str) -> None:
    url = program.url.replace("http", "ws")
    with closing(WebSocket.connect(f"{url}{below}/ws?clientId=me")) as web_socket:
        assert json.loads(web_socket.receive(20) or "")["data"] == {"sid": "me"}
        asked = {"client_id": "me", "prompt": {}}
        answer = program.call(f"{below}/prompt", asked)
        assert answer.json() == {"prompt_id": "p1", "number": 1}
        assert json.loads(web_socket.receive(20) or "")["type"] == "executed"
        for message in ("hello", bytes(range(256)) * 500):
            web_socket.send(message)
            assert web_socket.receive(20) == message
        assert get(program, f"{below}/view?filename=a.png").body == PICTURE
