"""Real client libraries against the whole program with fake models."""

from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest

from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live


@pytest.fixture
def program(tmp_path: Path) -> Iterator[SwapperProgram]:
    with SwapperProgram(tmp_path, config_text({"a": "", "b": ""})) as made:
        yield made


@pytest.fixture
def client(program: SwapperProgram) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{program.url}/v1", api_key="none") as made:
        yield made


def test_openai_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="b", messages=[{"role": "user", "content": "hello"}]
    )

    assert (answer.choices[0].message.content or "").startswith("b")


def test_openai_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="a", messages=[{"role": "user", "content": "hello"}], stream=True
    )
    text = "".join(
        chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices
    )

    assert text.startswith("a")


def test_openai_embeddings(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="a", input=["one", "two"])

    assert len(answer.data) == 2
    assert answer.data[0].embedding


def test_openai_model_list(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["a", "b"]


def test_openai_transcription(client: openai.OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        model="a", file=("a.wav", b"\0" * 100_000)
    )

    assert answer.text


def test_openai_unknown_model_is_told_so(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no router for requested model"):
        client.embeddings.create(model="zz", input="one")


def test_anthropic_messages(program: SwapperProgram) -> None:
    with anthropic.Anthropic(base_url=program.url, api_key="none") as client:
        answer = client.messages.create(
            model="a", max_tokens=10, messages=[{"role": "user", "content": "hello"}]
        )

        assert answer.content[0].type == "text"
        assert answer.content[0].text.startswith("a")
        with client.messages.stream(
            model="b", max_tokens=10, messages=[{"role": "user", "content": "hello"}]
        ) as stream:
            assert "".join(stream.text_stream).startswith("b")
