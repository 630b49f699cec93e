"""The demo's configuration and text."""

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from swapper.demo.engine import Engine
from swapper.demo.plan import (
    DemoModel,
    base_url,
    config_text,
    engine_models,
    guide,
    stand_in_models,
)


def commands_in(text: str) -> list[list[str]]:
    """Return the commands a user would paste, split as a shell does."""
    lines = [line.strip() for line in text.splitlines()]
    return [shlex.split(line) for line in lines if line.startswith("curl ")]


def body_of(command: list[str]) -> Any:
    return json.loads(command[command.index("-d") + 1])


def test_the_configuration_is_yaml_that_says_what_was_meant() -> None:
    odd = DemoModel("chat", 'say "hi": #1 ü', ("/opt/my python", "-m", "x"))
    loaded = YAML(typ="safe").load(config_text([odd], 5810))
    assert loaded["startPort"] == 5810
    assert loaded["models"]["chat"]["description"] == 'say "hi": #1 ü'
    command = shlex.split(loaded["models"]["chat"]["cmd"])
    assert command == ["/opt/my python", "-m", "x", "--port", "${PORT}"]


def test_models_are_written_in_their_order() -> None:
    loaded = YAML(typ="safe").load(config_text(stand_in_models(), 5800))
    assert list(loaded["models"]) == ["chat", "embed"]


def test_stand_ins_run_with_this_interpreter_whatever_lies_in_the_directory() -> None:
    for model in stand_in_models():
        assert model.command[:2] == (sys.executable, "-P")
        assert model.command[-2:] == ("--load-s", "1.0")


def test_engine_models_share_one_file_and_differ_in_what_they_do() -> None:
    engine = Engine("/bin/python3", Path("/m.gguf"))
    chat, embed = engine_models(engine)
    assert set(embed.command) - set(chat.command) == {"--embeddings"}
    assert "/m.gguf" in chat.command


@pytest.mark.parametrize("is_stand_in", [True, False])
def test_the_guide_has_three_commands_and_one_to_look(*, is_stand_in: bool) -> None:
    text = guide("127.0.0.1:9", stand_in_models(), "/t/c.yaml", is_stand_in=is_stand_in)
    listing, chatting, embedding, looking = commands_in(text)
    assert listing[-1] == "http://127.0.0.1:9/v1/models"
    assert looking[-1] == "http://127.0.0.1:9/running"
    assert body_of(chatting)["model"] == "chat"
    assert body_of(embedding) == {"model": "embed", "input": "hello"}
    assert "Content-Type: application/json" in chatting
    assert "/t/c.yaml" in text


def test_the_guide_says_when_no_language_model_answers() -> None:
    models = stand_in_models()
    stand_in = guide("h:1", models, "c", is_stand_in=True)
    real = guide("h:1", models, "c", is_stand_in=False)
    assert "[demo]" in stand_in
    assert "[demo]" not in real


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        (":9", "http://127.0.0.1:9"),
        ("0.0.0.0:9", "http://127.0.0.1:9"),
        ("[::]:9", "http://127.0.0.1:9"),
        ("[::1]:9", "http://[::1]:9"),
        ("box.lan:80", "http://box.lan:80"),
    ],
)
def test_the_url_is_one_that_works_on_this_machine(listen: str, url: str) -> None:
    assert base_url(listen) == url
