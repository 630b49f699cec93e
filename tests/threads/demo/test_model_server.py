"""The stand-in really answers, and says what it is."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import openai
import pytest

from tests.fakes.model_server import call
from tests.fakes.raw_client import connect, read_all

CHAT = {"messages": [{"role": "user", "content": "hello there"}]}


@contextmanager
def stand_in(*options: str) -> Iterator[str]:
    """Run one as the demo does and give its URL."""
    module = [sys.executable, "-P", "-m", "swapper.demo.model_server"]
    command = [*module, "--port", "0", "--name", "chat", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().split()[-1]
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with stand_in() as running:
        yield running


def test_it_is_healthy_and_lists_itself(url: str) -> None:
    assert call(f"{url}/health").json() == {"status": "ok"}
    assert call(f"{url}/v1/models").json()["data"][0]["id"] == "chat"


def test_it_is_not_healthy_while_it_pretends_to_load() -> None:
    with stand_in("--load-s", "60") as url:
        assert call(f"{url}/health").status == 503


def test_a_chat_answer_says_that_no_model_made_it(url: str) -> None:
    answer = call(f"{url}/v1/chat/completions", CHAT).json()
    text = answer["choices"][0]["message"]["content"]
    assert text.startswith("This is chat, swapper's bundled stand-in, not a language")
    assert text.endswith("hello there")


def test_a_stream_carries_the_same_text_as_the_plain_answer(url: str) -> None:
    plain = call(f"{url}/v1/chat/completions", CHAT).json()
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        chunks = list(
            client.chat.completions.create(
                model="chat",
                messages=[{"role": "user", "content": "hello there"}],
                stream=True,
            )
        )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == plain["choices"][0]["message"]["content"]
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.total_tokens == plain["usage"]["total_tokens"]


def test_embeddings_come_one_for_each_input(url: str) -> None:
    answer = call(f"{url}/v1/embeddings", {"input": ["a", "b", "a"]}).json()
    first, second, third = (item["embedding"] for item in answer["data"])
    assert first == third != second
    assert "stand-in" in answer["note"]


def test_what_it_does_not_know_is_refused(url: str) -> None:
    assert call(f"{url}/v1/rerank", {}).status == 404
    assert call(f"{url}/nothing").status == 404
    assert call(f"{url}/v1/embeddings", "[1]").status == 400
    assert call(f"{url}/v1/embeddings", "{").status == 400


def test_a_connection_serves_several_requests(url: str) -> None:
    body = json.dumps(CHAT).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"
    one = head + b"Content-Length: %d\r\n" % len(body)
    with connect(urlsplit(url).port or 0) as sock:
        sock.sendall(one + b"\r\n" + body + one + b"Connection: close\r\n\r\n" + body)
        assert read_all(sock).count(b"HTTP/1.1 200") == 2
