"""config.md section 19 and http-api.md 14.3: names to models."""

import dataclasses

import pytest

from swapper.config import (
    Config,
    ModelConfig,
    PathMatch,
    PeerModel,
    find_in_path,
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


@pytest.fixture
def world() -> Config:
    """The setting of config.md section 19."""
    return parse_config(
        """
models:
  a: {cmd: x, proxy: "http://h", aliases: [al, m]}
  org/a: {cmd: x, proxy: "http://h"}
  org: {cmd: x, proxy: "http://h"}
peers: {p: {proxy: "http://h:2", models: [m, u, sel]}}
selectors:
  sel: {strategy: pin, targets: [a]}
  s2: {strategy: pin, targets: [al]}
profiles: {pr: {pins: {a: org, newpin: s2, off: ~, al: ~}}}
""",
        environ={},
    )


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        pytest.param("a", "a", id="RES-1"),
        pytest.param("al", "a", id="RES-2"),
        pytest.param("m", "a", id="RES-3"),
        pytest.param("u", PeerModel("p", "u"), id="RES-4"),
        pytest.param("p/u", PeerModel("p", "u"), id="RES-4 qualified"),
        pytest.param("p/m", PeerModel("p", "m"), id="RES-5"),
        pytest.param("newpin", None, id="RES-8"),
        pytest.param("off", None, id="RES-9"),
        pytest.param("A", None, id="RES-9 case"),
    ],
)
def test_names_of_models_and_peers(
    world: Config, name: str, meaning: str | PeerModel | None
) -> None:
    assert resolve(world, name) == meaning


@pytest.mark.parametrize(
    ("path", "meaning", "rest"),
    [
        pytest.param("org/a/test", "org/a", 2, id="RES-10"),
        pytest.param("org/test", "org", 1, id="RES-11"),
        pytest.param("a/x", "a", 1, id="RES-12"),
        pytest.param("sel/test", PeerModel("p", "sel"), 1, id="RES-13"),
        pytest.param("p/m/v1", PeerModel("p", "m"), 2, id="peer"),
    ],
)
def test_names_at_the_beginning_of_a_path(
    world: Config, path: str, meaning: str | PeerModel, rest: int
) -> None:
    found = find_in_path(world, path.split("/"))

    assert found is not None
    assert (found.model, found.next_segment) == (meaning, rest)


def test_res_15_a_pin_is_no_model_below_a_path(world: Config) -> None:
    assert find_in_path(world, ["newpin", "test"]) is None
