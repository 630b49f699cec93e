from pathlib import Path

import pytest

from swapper.config import Environment, Secrets, load_config, parse_config
from swapper.core.errors import ConfigError


def test_environment_knows_what_was_looked_up() -> None:
    environment = Environment({"A": "1", "B": "2"})

    assert environment.get("A") == "1"
    assert environment.get("C") is None
    assert environment.used == {"A": "1"}
    assert (list(environment), len(environment)) == (["A", "B"], 2)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--token abcd-efgh", "--token ${env.LONG}"),
        ("abcd", "${env.SHORT}"),
        (r"a\\b\"c", "${env.ODD}"),
        (f'not the text "{"x" * 59}…"', 'not the text "${env.ENDLESS}"'),
        (r'a\b"c', "${env.ODD}"),
        ("the client-key", "the ***"),
        ("http://user:word@host/x@y", "http://***@host/x@y"),
        ("http://host/x@y", "http://host/x@y"),
        ("1", "1"),
    ],
)
def test_secret_is_hidden(text: str, shown: str) -> None:
    variables = {
        "SHORT": "abcd",
        "LONG": "abcd-efgh",
        "ONE": "1",
        "ODD": r'a\b"c',
        "ENDLESS": "x" * 99,
    }

    assert Secrets(variables, ["client-key"]).hidden_in(text) == shown


def test_without_secrets_a_text_is_left_alone() -> None:
    assert Secrets({}).hidden_in("anything") == "anything"


@pytest.mark.parametrize(
    "text",
    [
        "apiKeys: hush",
        "apiKeys: ['hush hush']",
        "apiKeys: {hush: 1}",
        "apiKeys: [[hush]]",
        "apiKeys: [{hush: 1}]",
        "apiKeys: ['${NOPE}hush']",
        "apiKeys: [hush",
        "apikeys: [hush]",
        "macros: {M: [hush]}",
        "macros: {M: 'hush${M}'}",
        'peers: {p: {proxy: "http://h", models: [m], apiKey: "hush\\n"}}',
        'peers: {p: {proxy: "http://h", models: [m], apiKey: [hush]}}',
        'peers: {p: {proxy: "http://me:hush@h:port", models: [m]}}',
        'peers: {p: {proxy: "ftp://hush@h", models: [m]}}',
        "models: {a: {cmd: 'serve --key hush ${NOPE}'}}",
        "models: {a: {cmd: 'x ${PORT}', env: TOKEN=hush}}",
        "models: {a: {cmd: 'x ${PORT}', env: {TOKEN: hush}}}",
        "models: {a: {cmd: 'x ${PORT}', env: [hush]}}",
        "models: {a: {cmd: 'x ${PORT}', env: [\"T=hush\\0\"]}}",
        "models: {a: {cmd: 'x ${PORT}', proxy: 'http://me:hush@h:port'}}",
        "models: {a: {cmd: 'x ${PORT}', proxy: 'me:hush@h'}}",
    ],
)
def test_no_message_about_a_configuration_shows_a_secret(text: str) -> None:
    try:
        told = parse_config(text, environ={}).warnings
    except ConfigError as error:
        told = error.problems

    assert told
    assert "hush" not in "\n".join(map(str, told))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("apiKeys: hush", "apiKeys: [b]"),
        ("apiKeys: hush", "apiKeys: hush-hush"),
        ("macros: {T: hush}", "macros: {T: hush-hush}"),
    ],
)
def test_no_message_about_a_conflict_shows_a_secret(
    tmp_path: Path, one: str, two: str
) -> None:
    (tmp_path / "1.yaml").write_text(one, encoding="utf-8")
    (tmp_path / "2.yaml").write_text(two, encoding="utf-8")

    with pytest.raises(ConfigError, match=r"2\.yaml:1: .*1\.yaml:1") as caught:
        load_config(None, tmp_path, environ={})

    assert "hush" not in str(caught.value)
