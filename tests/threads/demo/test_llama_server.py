"""The real engine of the demo extra, where it is installed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from swapper.demo.engine import Engine, find_engine
from tests.fakes.model_server import call

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def engine() -> Engine:
    found = find_engine()
    if found is None:
        pytest.skip("the extra [demo] is not installed")
    return found


@contextmanager
def served(command: tuple[str, ...]) -> Iterator[str]:
    """Run a server and give its URL once the model is loaded."""
    with subprocess.Popen(
        [*command, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout is not None
            lines = (line for line in process.stdout if line.startswith("listening"))
            yield next(lines).split()[-1]
        finally:
            process.terminate()


def test_the_engine_answers_a_question(engine: Engine) -> None:
    question = {"role": "user", "content": "What is the capital of France?"}
    asked = {"messages": [question], "max_tokens": 8, "temperature": 0, "stop": ["\n"]}
    with served(engine.chat_command) as url:
        assert call(f"{url}/health").status == 200
        answer = call(f"{url}/v1/chat/completions", asked, timeout_s=60).json()
    assert "Paris" in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] > 0


def test_the_engine_turns_text_into_numbers(engine: Engine) -> None:
    with served(engine.embed_command) as url:
        answer = call(f"{url}/v1/embeddings", {"input": "hello"}, timeout_s=60).json()
    assert len(answer["data"][0]["embedding"]) == 640
