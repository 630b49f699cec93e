import pytest

from swapper.config import Environment, Secrets


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
