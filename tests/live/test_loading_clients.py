"""Real client libraries streaming through a loading phase."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import anthropic
import openai
import pytest

from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

MODELS = {"a": "--ready-after 1", "broken": "--ready-after 9 --exit-after 0.3"}
CAUSE = "unspecific error: upstream command exited prematurely: model broken"


class Clients:
    """Both libraries, without their retries: they would hide what happened."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.openai = stack.enter_context(
            openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        )
        self.anthropic = stack.enter_context(
            anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
        )


@pytest.fixture(params=["true", "heartbeat"])
def clients(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Clients]:
    config = config_text(MODELS, f"sendLoadingState: {request.param}")
    with SwapperProgram(tmp_path, config) as program, ExitStack() as stack:
        yield Clients(program.url, stack)
        log = program.call("/logs").body.decode()
        assert log.count("start model=") == 1  # each test loads


def test_openai_chat(clients: Clients, request: pytest.FixtureRequest) -> None:
    stream = clients.openai.chat.completions.create(
        model="a", messages=[{"role": "user", "content": "hello"}], stream=True
    )
    deltas = [chunk.choices[0].delta for chunk in stream if chunk.choices]

    assert "".join(delta.content or "" for delta in deltas) == "a 1 2"
    reasoning = "".join(getattr(d, "reasoning_content", None) or "" for d in deltas)
    has_text = "swapper is loading model: a" in reasoning and "Done!" in reasoning
    assert has_text is ("true" in request.node.name)


def test_openai_chat_helper(clients: Clients) -> None:
    with clients.openai.chat.completions.stream(
        model="a", messages=[{"role": "user", "content": "hello"}]
    ) as stream:
        final = stream.get_final_completion()

    assert final.choices[0].message.content == "a 1 2"
    assert final.usage is not None
    assert final.usage.total_tokens == 10


def test_openai_responses(clients: Clients) -> None:
    events = list(
        clients.openai.responses.create(model="a", input="hello", stream=True)
    )

    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"


def test_openai_responses_helper(clients: Clients) -> None:
    with clients.openai.responses.stream(model="a", input="hello") as stream:
        assert stream.get_final_response().output_text == "a 1 2"


def test_anthropic_messages(clients: Clients) -> None:
    events = list(
        clients.anthropic.messages.create(
            model="a",
            max_tokens=10,
            messages=[{"role": "user", "content": "hello"}],
            stream=True,
        )
    )

    assert events[0].type == "message_start"
    assert events[-1].type == "message_stop"


def test_anthropic_messages_helper(clients: Clients) -> None:
    with clients.anthropic.messages.stream(
        model="a", max_tokens=10, messages=[{"role": "user", "content": "hello"}]
    ) as stream:
        assert "".join(stream.text_stream) == "a 1 2"


def test_q3_openai_chat_is_told_why_it_failed(clients: Clients) -> None:
    stream = clients.openai.chat.completions.create(
        model="broken", messages=[{"role": "user", "content": "hello"}], stream=True
    )
    with pytest.raises(openai.APIError, match=CAUSE) as caught:
        list(stream)

    assert caught.value.code == "model_exited"


def test_q3_openai_responses_is_told_why_it_failed(clients: Clients) -> None:
    with (
        pytest.raises(openai.APIError, match=CAUSE) as caught,
        clients.openai.responses.stream(model="broken", input="hello") as stream,
    ):
        stream.until_done()

    assert caught.value.code == "model_exited"


def test_q3_anthropic_is_told_why_it_failed(clients: Clients) -> None:
    with (
        pytest.raises(anthropic.APIStatusError, match=CAUSE),
        clients.anthropic.messages.stream(
            model="broken",
            max_tokens=10,
            messages=[{"role": "user", "content": "hello"}],
        ) as stream,
    ):
        stream.until_done()
