"""The schema for editors says what the loader does (config.md section 21)."""

import copy
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from swapper.config import json_schema, parse_config
from swapper.config.decode.limits import parse_duration
from swapper.config.key import Key, Kind
from swapper.core.errors import ConfigError, ConfigProblem
from tests.fakes.keys import ANY_NAME, KeyAt, all_keys

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))

# As an editor gets it: through JSON.
SCHEMA = json.loads(json.dumps(json_schema()))
VALIDATOR = Draft7Validator(SCHEMA)

Path_ = tuple[str, ...]

# --- where the two differ, and why --------------------------------------------

NAMES: Final = "names something that only the whole file knows"
GRAMMAR: Final = "has a grammar of its own, which no pattern should repeat"
LENIENT: Final = "an old file may have it: a warning of the loader, no mistake"

ONLY_THE_LOADER_MINDS: Final = {
    "models": "needs proxy, or ${PORT} in cmd after macros",
    "models.<name>.cmd": "an empty command is found after macros and comments",
    "models.<name>.proxy": GRAMMAR,
    "models.<name>.env": LENIENT,
    "models.<name>.healthCheckTimeout": LENIENT,
    "models.<name>.resources": NAMES,
    "models.<name>.pin": "needs resources, and the budget router",
    "logLevel": LENIENT,
    "logTimeFormat": LENIENT,
    "performance.every": "at least 5s, in any unit",
    "store.path": "the file system decides",
    "hooks.on_startup.preload": NAMES,
    "routing.router.use": "packages may register others",
    "routing.router.settings.groups.<name>.members": NAMES,
    "routing.scheduler.use": "packages may register others",
    "routing.scheduler.settings.fifo.priority": NAMES,
    "routing.scheduler.settings.adaptive.priority": NAMES,
    "groups.<name>.members": NAMES,
    "matrix.vars": NAMES,
    "matrix.evict_costs": NAMES,
    "matrix.sets": GRAMMAR,
    "routing.router.settings.matrix.vars": NAMES,
    "routing.router.settings.matrix.evict_costs": NAMES,
    "routing.router.settings.matrix.sets": GRAMMAR,
    "peers.<name>.proxy": GRAMMAR,
    "selectors.<name>.targets": NAMES,
    "selectors.<name>.settings.spillover": "at least 1, for one strategy only",
    "profiles.<name>.pins": NAMES,
    "upstream.ignorePaths": GRAMMAR,
}
"""Besides these, both mind the same. Wrong types are never excused."""

# The other way round there are these; no key is excused.
#   Fractions: -0.5 is below a minimum of 0, but the loader cuts it to 0.
#   Environment macros for keys, lists and mappings: an editor sees a text.
#   A file of --config-dir: what a section must have may be in another file.
#   The router that is not used, strip_params beside stripParams: not read at all.

# --- one key at a time ----------------------------------------------------------

BASE: Final[dict[str, Any]] = {
    "models": {"a": {"cmd": "serve", "proxy": "http://127.0.0.1:9000"}}
}
SURROUNDINGS: Final[dict[str, dict[str, Any]]] = {
    "peers": {"n": {"proxy": "http://127.0.0.1:9002", "models": ["m"]}},
    "selectors": {"n": {"strategy": "spillover", "targets": ["a"]}},
    "profiles": {"n": {"pins": {"x": "a"}}},
    "matrix": {"sets": {"s": "a"}},
    "budget": {"resources": {"gpu0": "24GiB"}},
}
VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, -2, 2, 15, 60.7, 1e2, 0.5, 10**17),
    *("", " ", "a", "yes", "Off", "yES", "true", "x y", "10s", "1m30s", "10", "0s"),
    *("-5s", "1d", "http://h:1", "none", "é"),
    *(
        [],
        [None],
        ["a"],
        [""],
        [1],
        [True],
        [[]],
        [{}],
        ["a", None],
        ["x y"],
        ["[a("],
        ["A=1"],
    ),
    *({}, {"x": None}, {"x": 1}, {"x": 0}, {"x": "a"}, {"x": True}, {"x": []}),
    *({"x": {}}, {"x": {"y": 1}}, {"a": 1}, {"a": 0.5}, {"": "a"}, {" ": "a"}),
    *({"x": "24GiB"}, {"x": "1.5 kB"}, {"x": "24 gigs"}, {"x": ".5"}, {"x": -0.5}),
    *({"PORT": 1}, {"x" * 63: 1}, {"x" * 64: 1}, {"x_y": "a"}, {"(default)": {}}),
    {"x": {"strategy": "pin", "targets": ["a"]}},
    {"x": {"pins": {"y": "a"}}},
    {"x": {"proxy": "http://h:1", "models": ["m"]}},
)


KEYS = tuple(all_keys())


def _concrete(path: Path_) -> Path_:
    """Return *path* with a name where a name is to be chosen."""
    name = "a" if path[0] == "models" else "n"
    return tuple(name if part == ANY_NAME else part for part in path)


def _config_with(path: Path_, value: object) -> dict[str, Any]:
    config = copy.deepcopy(BASE)
    if path[0] in SURROUNDINGS:
        config[path[0]] = copy.deepcopy(SURROUNDINGS[path[0]])
    for use in ("matrix", "budget"):
        if use in path[1:]:
            settings = {use: copy.deepcopy(SURROUNDINGS[use])}
            config["routing"] = {"router": {"use": use, "settings": settings}}
    below = config
    for part in path[:-1]:
        below = below.setdefault(part, {})
    below[path[-1]] = value
    return config


def _problems(config: object) -> Sequence[ConfigProblem]:
    """Return what the loader minds."""
    try:
        found: Sequence[ConfigProblem] = parse_config(
            json.dumps(config), environ={}
        ).warnings
    except ConfigError as exc:
        found = exc.problems
    return list(found)


def _messages_below(path: Path_, config: object) -> list[str]:
    start = ".".join(path)
    return [
        problem.message
        for problem in _problems(config)
        if re.match(rf"{re.escape(start)}($|[.\[])", problem.key_path)
    ]


def _schema_errors_below(path: Path_, config: object) -> list[str]:
    return [
        error.message
        for error in VALIDATOR.iter_errors(config)
        if tuple(error.absolute_path)[: len(path)] == path
    ]


def _values_for(key: Key) -> Iterator[Any]:
    yield from VALUES
    yield from (*key.words, *key.hints)
    if key.words:
        yield from (key.words[-1].upper(), [key.words[-1]], [key.words[-1].upper()])
    if key.minimum is not None:
        yield from (key.minimum, key.minimum - 1)


def test_the_schema_is_one() -> None:
    Draft7Validator.check_schema(SCHEMA)

    assert VALIDATOR.is_valid(BASE)
    assert VALIDATOR.is_valid(None)


@pytest.mark.parametrize("at", KEYS, ids=str)
def test_schema_and_loader_mind_the_same_values(at: KeyAt) -> None:
    path = _concrete(at.path)
    for value in _values_for(at.key):
        config = _config_with(path, value)
        told, errors = (
            _messages_below(path, config),
            _schema_errors_below(path, config),
        )
        is_about_type = any(re.match("must be (a|true) ", message) for message in told)

        if told and not errors:
            assert str(at) in ONLY_THE_LOADER_MINDS, (value, told)
            assert not is_about_type, (value, told)
        elif errors and not told:
            pytest.fail(f"only the schema minds {value!r}: {errors}")


@pytest.mark.parametrize("listed", ONLY_THE_LOADER_MINDS)
def test_every_listed_difference_is_one(listed: str) -> None:
    at = next(at for at in KEYS if str(at) == listed)
    path = _concrete(at.path)

    assert any(
        _messages_below(path, config) and not _schema_errors_below(path, config)
        for config in (_config_with(path, value) for value in _values_for(at.key))
    )


KNOWN_NAMES = sorted({at.path[-1] for at in KEYS} | {"a", "x", "n"})
_PRINTABLE = st.characters(codec="latin-1", categories=("L", "N", "P", "S", "Zs"))
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-3, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(_PRINTABLE, max_size=4)
    | st.sampled_from(("a", "yes", "heartbeat", "text", "10s", "pin", "fifo")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KNOWN_NAMES) | st.text(_PRINTABLE, max_size=2), inner
        )
    ),
    max_leaves=6,
)


def _is_cut_fraction(value: object) -> bool:
    """Tell whether *value* has a number that the loader rounds into the limits."""
    if isinstance(value, dict):
        return any(map(_is_cut_fraction, value.values()))
    return isinstance(value, float) and -2 < value < 0


def _is_overridden(value: object) -> bool:
    """Tell whether *value* has a setting that is not read because of another."""
    if not isinstance(value, dict):
        return False
    names = value.keys()
    return (
        {"stripParams", "strip_params"} <= names
        or {"matrix", "groups"} <= names
        or "use" in names
        or any(map(_is_overridden, value.values()))
    )


@given(st.sampled_from(KEYS), JSON_VALUES)
def test_what_the_schema_minds_the_loader_minds(at: KeyAt, value: object) -> None:
    path = _concrete(at.path)
    config = _config_with(path, value)

    if _schema_errors_below(path, config):
        assert (
            _messages_below(path, config)
            or _is_cut_fraction(value)
            or _is_overridden(value)
        )


# --- macros, the dialect, and what the reference's schema had wrong ---------------

SCALARS = (Kind.BOOLEAN, Kind.INTEGER, Kind.DURATION, Kind.TEXT)


@pytest.mark.parametrize("at", [a for a in KEYS if a.key.kind in SCALARS], ids=str)
@pytest.mark.parametrize("text", ["${M}", "${env.M}", "a${M}"])
def test_macro_may_stand_for_any_single_value(at: KeyAt, text: str) -> None:
    path = _concrete(at.path)

    assert not _schema_errors_below(path, _config_with(path, text))


@given(st.from_regex(r"[+-]?([0-9.]{1,3}(ns|us|µs|ms|s|m|h|d)?){0,3}", fullmatch=True))
def test_duration_is_one_for_both(text: str) -> None:
    pattern = SCHEMA["properties"]["performance"]["properties"]["every"]["pattern"]
    try:
        parse_duration(text)
    except ValueError:
        assert not re.search(pattern, text)
    else:
        assert re.search(pattern, text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("models.m", {}),
        ("models.a.env", ["lower=1", "PATH"]),
        ("models.a.name", "x" * 200),
        ("models.a.checkEndpoint", "healthz"),
        ("models.a.timeouts", {"connect": -1}),
        ("models.a.capabilities", {"in": [], "out": ["text", "text"], "context": 0}),
        ("models.a.macros", {"x" * 63: "y" * 2000}),
        ("groups.g", {"swap": False}),
        ("groups.g", None),
        ("matrix", {"sets": {"s": "a"}}),
        ("matrix", {"vars": {"A.b-9": "a"}, "sets": {"s": "b"}}),
        ("peers.p", {"proxy": "h", "models": ["m"], "filters": {"setParamsByID": {}}}),
        ("logLevel", "chatty"),
        ("logTimeFormat", "bogus"),
        ("healthCheckTimeout", 1),
        ("performance.every", "5s"),
        ("library", {"anything": "${NOPE}"}),
    ],
)
def test_section_21_schema_allows_what_the_loader_loads(
    path: str, value: object
) -> None:
    assert VALIDATOR.is_valid(_config_with(tuple(path.split(".")), value))


def test_section_21_defaults_are_those_of_the_loader() -> None:
    top = SCHEMA["properties"]
    model = top["models"]["additionalProperties"]["properties"]
    peer = top["peers"]["additionalProperties"]["properties"]

    assert top["performance"]["properties"]["every"]["default"] == "5s"
    assert top["captureBuffer"]["default"] == 5
    assert model["timeouts"]["properties"]["responseHeader"]["default"] == 0
    assert peer["timeouts"]["properties"]["responseHeader"]["default"] == 60


@pytest.mark.parametrize("at", KEYS, ids=str)
def test_schema_explains_every_key(at: KeyAt) -> None:
    schema = SCHEMA
    for part in at.path:
        schema = (
            schema["additionalProperties"]
            if part == ANY_NAME
            else schema["properties"][part]
        )

    assert at.key.about in schema["description"]
    assert ("deprecationMessage" in schema) is at.key.is_inert


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_is_valid_to_an_editor(path: Path) -> None:
    document = YAML(typ="safe", pure=True).load(path)

    assert [error.message for error in VALIDATOR.iter_errors(document)] == []
