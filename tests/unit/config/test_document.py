import pytest

from swapper.config.document import (
    ListNode,
    Node,
    ScalarNode,
    Timestamp,
    Where,
    child,
    describe,
    empty_map,
    is_hollow,
    shortened,
)

HERE = Where("f", 1)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (ListNode(HERE, ()), "a list"),
        (empty_map(HERE), "a mapping"),
        (ScalarNode(HERE, None, "~"), "null"),
        (ScalarNode(HERE, value=True, text="True"), "the boolean True"),
        (ScalarNode(HERE, 31, "0x1F"), "the number 0x1F"),
        (ScalarNode(HERE, Timestamp("2024-01-01T00:00:00Z"), "2024-1-1"), "the date"),
        (ScalarNode(HERE, "60", "60"), 'the text "60"'),
    ],
)
def test_node_is_described_as_it_was_written(node: Node, words: str) -> None:
    assert words in describe(node)


def test_long_text_is_shortened_to_one_line() -> None:
    assert shortened("a\n  b") == "a b"
    assert len(shortened("x" * 1000)) == 60


def test_path_of_a_top_level_key_has_no_dot() -> None:
    assert child("", "models") == "models"
    assert child("models", "a") == "models.a"


@pytest.mark.parametrize(
    ("node", "hollow"),
    [
        (ScalarNode(HERE, value=False, text="false"), True),
        (ScalarNode(HERE, 0, "0"), False),
        (ScalarNode(HERE, "", ""), False),
        (ListNode(HERE, ()), True),
        (ListNode(HERE, (ScalarNode(HERE, None, ""),)), False),
    ],
)
def test_node_that_sets_nothing_is_hollow(node: Node, *, hollow: bool) -> None:
    assert is_hollow(node) is hollow
