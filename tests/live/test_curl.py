"""The curl program against the whole program with fake models."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.model_server import fake_state
from tests.fakes.program import SwapperProgram, config_text

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here"),
]

CHAT = "/v1/chat/completions"
CHUNKED = ("-H", "Transfer-Encoding: chunked")
JSON = ("-H", "Content-Type: application/json")


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    folder: Path = tmp_path_factory.mktemp("curl")
    with SwapperProgram(folder, config_text({"a": ""}), server=server) as made:
        yield made


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A file large enough for curl to ask before it sends."""
    path = tmp_path / "a.wav"
    path.write_bytes(os.urandom(3 << 20))
    return path


def curl(*args: object, stdin: bytes = b"") -> tuple[bytes, str]:
    """Run curl; return the body and what ``-v`` tells."""
    done = subprocess.run(
        ["curl", "-sSv", "--max-time", "30", *map(str, args)],
        input=stdin,
        capture_output=True,
        check=True,
    )
    return done.stdout, done.stderr.decode(errors="replace")


def sent_headers(told: str) -> list[str]:
    return re.findall(r"^> ([^\r\n]+)", told, re.MULTILINE)


def test_chunked_json_from_a_pipe(program: SwapperProgram) -> None:
    pad = "x" * 500_000
    asked = json.dumps({"model": "a", "pad": pad}).encode()
    url = f"{program.url}{CHAT}?echo=1"
    body, told = curl(*JSON, *CHUNKED, "-X", "POST", "-T", "-", url, stdin=asked)
    seen: dict[str, Any] = json.loads(body)

    assert "Transfer-Encoding: chunked" in sent_headers(told)
    assert seen["method"] == "POST"
    assert seen["body_sha256"] == hashlib.sha256(asked).hexdigest()


@pytest.mark.parametrize("framing", [(), CHUNKED], ids=["length", "chunked"])
def test_an_upload_form(
    program: SwapperProgram, sound: Path, framing: tuple[str, ...]
) -> None:
    """The file comes before the model's name."""
    url = f"{program.url}/v1/audio/transcriptions"
    form = ("-F", f"file=@{sound};type=audio/wav", "-F", "model=a")
    body, _ = curl(*framing, *form, url)
    fields = json.loads(body)["fields"]

    assert fields["model"] == "a"
    assert fields["file"]["filename"] == "a.wav"
    digest = hashlib.sha256(sound.read_bytes()).hexdigest()
    assert fields["file"]["body_sha256"] == digest


@pytest.mark.parametrize("framing", [(), CHUNKED], ids=["length", "chunked"])
def test_a_100_is_waited_for_and_comes(
    program: SwapperProgram, sound: Path, framing: tuple[str, ...]
) -> None:
    """curl would give up (``--max-time``) before it sends without one."""
    url = f"{program.url}/upstream/a/x"
    body, told = curl(
        *("-H", "Expect: 100-continue", "--expect100-timeout", "60"),
        *(*framing, "-X", "POST", "-T", sound, url),
    )

    assert "Expect: 100-continue" in sent_headers(told)
    assert re.findall(r"^< HTTP/1.1 (\d+)", told, re.MULTILINE) == ["100", "200"]
    assert json.loads(body)["body_bytes"] == 3 << 20


def test_a_stream_to_a_pipe(program: SwapperProgram) -> None:
    asked = json.dumps({"model": "a", "stream": True})
    body, told = curl("-N", *JSON, "-d", asked, f"{program.url}{CHAT}?tokens=200")
    events = body.decode().split("\n\n")

    assert len(events) == 204  # tokens, stop, usage, [DONE] and the end
    assert events[-2:] == ["data: [DONE]", ""]
    assert "< Transfer-Encoding: chunked" in told


def test_requests_share_a_connection(program: SwapperProgram) -> None:
    program.chat("a")
    state = fake_state(program.upstream_url("a"))
    url = f"{program.url}/upstream/a/x"
    _, told = curl(url, url, url)

    assert told.count("< HTTP/1.1 200") == 3
    assert told.count("* Connected to ") == 1
    again = fake_state(program.upstream_url("a"))
    assert again["by_path"]["/x"] - state["by_path"].get("/x", 0) == 3


def test_headers_alone_and_a_refusal(program: SwapperProgram) -> None:
    head, _ = curl("-I", f"{program.url}/health")
    body, told = curl(*JSON, "-d", '{"model":"zz"}', f"{program.url}/v1/embeddings")

    assert b"Content-Length: 2\r\n" in head
    assert "< HTTP/1.1 404" in told
    assert json.loads(body)["error"]["code"] == "not_found"
