"""The whole program with the real llama.cpp server of the demo extra."""

import os
from collections.abc import Iterator

import openai
import pytest

from swapper.demo.engine import find_engine
from swapper.demo.plan import config_text, engine_models
from tests.fakes.ports import free_ports
from tests.fakes.program import SwapperProgram, processes_with

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwapperProgram]:
    engine = find_engine()
    if engine is None:
        # where CI installs the extra, a missing engine is a failure
        assert "SWAPPER_NEEDS_ENGINE" not in os.environ
        pytest.skip("the extra [demo] is not installed")
    folder = tmp_path_factory.mktemp("engine")
    # a link of its own lets the processes of this test be told from others
    link = folder / "model.gguf"
    link.symlink_to(engine.model)
    models = engine_models(type(engine)(engine.python, link))
    with SwapperProgram(folder, config_text(models, free_ports(2))) as made:
        yield made


def ask(client: openai.OpenAI) -> str:
    answer = client.chat.completions.create(
        model="chat",
        messages=[{"role": "user", "content": QUESTION}],
        max_tokens=8,
        temperature=0,
        stop=["\n"],
    )
    return answer.choices[0].message.content or ""


def test_chat_stream_swap_to_embeddings_and_back_unload(
    program: SwapperProgram,
) -> None:
    with openai.OpenAI(base_url=f"{program.url}/v1", api_key="none") as client:
        assert [model.id for model in client.models.list()] == ["chat", "embed"]
        assert "Paris" in ask(client)
        assert program.running() == {"chat": "ready"}

        stream = client.chat.completions.create(
            model="chat",
            messages=[{"role": "user", "content": QUESTION}],
            max_tokens=8,
            temperature=0,
            stop=["\n"],
            stream=True,
        )
        pieces = [c.choices[0].delta.content or "" for c in stream if c.choices]
        assert "Paris" in "".join(pieces)

        answer = client.embeddings.create(model="embed", input=["hello", "world"])
        assert [len(row.embedding) for row in answer.data] == [640, 640]
        assert program.running() == {"embed": "ready"}

        assert "Paris" in ask(client)
        assert program.running() == {"chat": "ready"}

    assert program.call("/unload").body == b"OK"
    assert program.running() == {}
    assert processes_with(f"{program.token}/model.gguf") == []
    assert program.stop() == 0
