"""The mark in the environment of a process."""

import os
from dataclasses import replace

import pytest

from swapper.core.ids import ModelId
from swapper.process.mark import own_mark, parse_mark


@pytest.mark.parametrize("model", ["plain", "org/model:7b q4", "modèle\n=", ""])
def test_a_mark_survives_the_way_through_text(model: str) -> None:
    mark = own_mark("a:b/c é", ModelId(model), 3)

    assert parse_mark(str(mark)) == mark
    assert str(mark).startswith(mark.prefix)
    assert str(mark).isascii()


@pytest.mark.parametrize(
    "text", ["", "a", "a:b:c:d:e", "a:1:2:m", "a:1:2:m:1:1", "a:1:2:m:x"]
)
def test_other_texts_are_no_marks(text: str) -> None:
    assert parse_mark(text) is None


def test_our_own_mark_has_a_living_owner() -> None:
    mark = own_mark("i", ModelId("m"), 1)

    assert mark.owner_pid == os.getpid()
    assert mark.owner_is_alive


def test_an_earlier_process_of_our_pid_is_dead() -> None:
    mark = replace(own_mark("i", ModelId("m"), 1), owner_start="1")

    assert not mark.owner_is_alive


def test_prefixes_of_similar_owners_differ() -> None:
    mark = own_mark("i", ModelId("m"), 1)
    other = replace(mark, owner_start=mark.owner_start + "1")

    assert not str(other).startswith(mark.prefix)
