"""Real client libraries against the whole program with fake models."""

import io
import wave
from base64 import b64decode
from collections.abc import Iterator

import anthropic
import openai
import pytest
from anthropic.types import MessageParam

from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

HELLO: list[MessageParam] = [{"role": "user", "content": "hello"}]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def program(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    config = config_text({"a": "", "b": ""})
    folder = tmp_path_factory.mktemp("clients")
    with SwapperProgram(folder, config, server=server) as made:
        yield made


@pytest.fixture
def client(program: SwapperProgram) -> Iterator[openai.OpenAI]:
    url = f"{program.url}/v1"
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture
def claude(program: SwapperProgram) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        base_url=program.url, api_key="none", max_retries=0
    ) as made:
        yield made


# --- openai ---------------------------------------------------------------------


def test_openai_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="b", messages=[{"role": "user", "content": "hello"}]
    )

    assert answer.choices[0].message.content == "b 1 2"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 10


def test_openai_stream(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="a", messages=[{"role": "user", "content": "hello"}], stream=True
    )
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

    assert text == "a 1 2"
    assert chunks[-1].usage is not None


def test_openai_completion(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="a", prompt="hello")

    assert answer.choices[0].text == "a 1 2"


def test_openai_response(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="a", input="hello")

    assert answer.output_text == "a 1 2"
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3


def test_openai_response_stream(client: openai.OpenAI) -> None:
    with client.responses.stream(model="a", input="hello") as stream:
        deltas = [e.delta for e in stream if e.type == "response.output_text.delta"]
        final = stream.get_final_response()

    assert deltas == ["a", " 1", " 2"]
    assert final.output_text == "a 1 2"


def test_openai_embeddings(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="a", input=["one", "two"])

    assert len(answer.data) == 2
    assert answer.data[0].embedding


def test_openai_speech(client: openai.OpenAI) -> None:
    """As a whole and as it comes."""
    whole = client.audio.speech.create(model="a", voice="alloy", input="hello")
    with client.audio.speech.with_streaming_response.create(
        model="a", voice="alloy", input="hello"
    ) as answer:
        pieces = b"".join(answer.iter_bytes(1000))

    with wave.open(io.BytesIO(whole.content)) as sound:
        assert sound.getnframes() == 8000
    assert pieces == whole.content


def test_openai_transcription(client: openai.OpenAI) -> None:
    answer = client.audio.transcriptions.create(
        model="a", file=("a.wav", b"\0" * 100_000), language="en"
    )
    fields = answer.model_dump()["fields"]

    assert answer.text == "a heard it"
    assert (fields["model"], fields["language"]) == ("a", "en")
    assert fields["file"]["body_bytes"] == 100_000


def test_openai_images(client: openai.OpenAI) -> None:
    made = client.images.generate(model="a", prompt="a cat", n=2)
    edited = client.images.edit(
        model="b", image=("i.png", PNG, "image/png"), prompt="a dog"
    )

    assert made.data is not None
    assert edited.data is not None
    pictures = [b64decode(one.b64_json or "") for one in [*made.data, *edited.data]]
    assert [picture[:8] for picture in pictures] == [PNG] * 3
    assert pictures[0] == pictures[1] != pictures[2]  # b's has another colour


def test_openai_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["a", "b"]
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("a")  # section 3.1: not a route


def test_openai_unknown_model_is_told_so(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no router for requested model"):
        client.embeddings.create(model="zz", input="one")


# --- anthropic ------------------------------------------------------------------


def test_anthropic_messages(claude: anthropic.Anthropic) -> None:
    answer = claude.messages.create(model="a", max_tokens=10, messages=HELLO)

    assert answer.content[0].type == "text"
    assert answer.content[0].text == "a 1 2"
    assert answer.usage.output_tokens == 3


def test_anthropic_stream(claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(model="b", max_tokens=9, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert text == "b 1 2"
    assert final.stop_reason == "end_turn"


def test_anthropic_count_tokens(claude: anthropic.Anthropic) -> None:
    answer = claude.messages.count_tokens(model="a", messages=HELLO)

    assert answer.input_tokens == 7


def test_anthropic_unknown_model_is_told_so(claude: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="no router for requested model"):
        claude.messages.create(model="zz", max_tokens=9, messages=HELLO)
