"""config.md section 19 and http-api.md 14.3: names to models."""

import dataclasses

import pytest

from swapper.config import (
    Config,
    ModelConfig,
    PathMatch,
    find_local_in_path,
    parse_config,
    resolve,
)
from swapper.core.ids import ModelId


@pytest.fixture
def config() -> Config:
    return parse_config(
        """
models:
  a: {cmd: x, proxy: "http://h", aliases: [al, other/name]}
  org/a: {cmd: x, proxy: "http://h"}
  org: {cmd: x, proxy: "http://h", aliases: [org]}
""",
        environ={},
    )


@pytest.mark.parametrize(
    ("name", "model"),
    [
        *(("a", "a"), ("al", "a"), ("other/name", "a"), ("org", "org")),
        *(("org/a", "org/a"), ("A", None), (" a", None), ("", None), ("zz", None)),
    ],
)
def test_name_resolves_exactly(config: Config, name: str, model: str | None) -> None:
    assert resolve(config, name) == model


@pytest.mark.parametrize(
    ("path", "match"),
    [
        ("org/a/test", ("org/a", "org/a", 2)),
        ("org/test", ("org", "org", 1)),
        ("a", ("a", "a", 1)),
        ("a/", ("a", "a", 1)),
        ("/a//x", ("a", "a", 2)),
        ("org//a/x", ("org/a", "org/a", 3)),
        ("other/name/v1/models", ("other/name", "a", 2)),
        ("other/x", None),
        ("", None),
        ("//", None),
        ("zz/a", None),
    ],
)
def test_longest_beginning_of_a_path_wins(
    config: Config, path: str, match: tuple[str, str, int] | None
) -> None:
    assert find_local_in_path(config, path.split("/")) == match


def test_match_tells_its_parts(config: Config) -> None:
    match = find_local_in_path(config, ["al", "x"])

    assert match == PathMatch(name="al", model=ModelId("a"), next_segment=1)


def test_names_follow_a_changed_copy(config: Config) -> None:
    """A configuration made by hand has its names too."""
    model = ModelConfig(id=ModelId("m"), aliases=("n",))
    copy = dataclasses.replace(config, models={model.id: model})

    assert resolve(copy, "n") == "m"
    assert resolve(copy, "a") is None
