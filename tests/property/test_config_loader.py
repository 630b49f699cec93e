"""Any text is a configuration or a ``ConfigError``; nothing else, and not slowly."""

import copy
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swapper.config import Config, load_config, parse_config
from swapper.config.key import Key, KeySet, Kind
from swapper.config.keys import TOP_LEVEL
from swapper.core.errors import ConfigError

FULL = (Path(__file__).parents[2] / "examples" / "full.yaml").read_text("utf-8")
ENVIRON = {"SWAPPER_KEY": "k", "PEER_KEY": "p", "X": "1"}

_NAMES = st.sampled_from(["a", "b", "org/c", "MODEL_ID", "x y", "5", "default"])
_TEXTS = st.one_of(
    st.sampled_from(
        [
            *("serve ${PORT}", "${A}", "${MODEL_ID}-x", "${B} ${A}", "${PID}", "$${A}"),
            *(
                "http://127.0.0.1:9000",
                "a",
                "b",
                "none",
                "group",
                "matrix",
                "5s",
                "a & b",
            ),
            *("yes", "", "*", "- x", "{", "#", "${", "${env.X}", "'", '"', "\\", "\t"),
        ]
    ),
    # What YAML has no way to write is for the texts further down.
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8),
)
_NUMBERS = st.one_of(
    st.integers(-2, 100), st.sampled_from([0.5, 1e300, 2**64, -(2**63), 70000])
)
_ODD = st.one_of(
    st.none(), st.booleans(), _NUMBERS, _TEXTS, st.lists(_TEXTS, max_size=2)
)


_BY_NAME = st.dictionaries(_NAMES, _NAMES | _TEXTS, max_size=3)
_PLAIN: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.BOOLEAN: st.booleans(),
    Kind.INTEGER: _NUMBERS,
    Kind.TEXTS: st.lists(_NAMES | _TEXTS, max_size=3),
    Kind.MACROS: st.dictionaries(
        st.sampled_from("AB"), st.one_of(st.booleans(), _NUMBERS, _TEXTS), max_size=2
    ),
    Kind.TEXT_MAP: _BY_NAME,
    Kind.INTEGER_MAP: st.dictionaries(_NAMES, _NUMBERS, max_size=3),
    Kind.JSON: st.dictionaries(_NAMES, _ODD, max_size=3),
    Kind.JSON_MAP: st.dictionaries(
        _NAMES, st.dictionaries(_NAMES, _ODD, max_size=2), max_size=2
    ),
}


def _of_kind(key: Key) -> st.SearchStrategy[Any]:
    """Return values that the key takes, or nearly."""
    if key.kind is Kind.SECTION:
        return _mapping(key.below)
    if key.kind is Kind.SECTIONS:
        return st.dictionaries(_NAMES, _mapping(key.below), max_size=3)
    if key.kind in _PLAIN:
        return _PLAIN[key.kind]
    return st.sampled_from([*key.words, *key.hints, "x"]) | _TEXTS


def _mapping(keys: KeySet | None) -> st.SearchStrategy[dict[str, Any]]:
    """Return mappings of a few keys; now and then with an odd value."""
    known = keys.keys if keys else {}
    if not known:
        return st.just({})

    def of_names(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({name: _value(known[name]) for name in names})

    required = [name for name, key in known.items() if key.is_required]
    some = st.lists(st.sampled_from(sorted(known)), max_size=4)
    return some.flatmap(lambda names: of_names([*required, *names]))


def _value(key: Key) -> st.SearchStrategy[Any]:
    """Return values of the right kind, and one time in eight any value."""
    return st.integers(0, 7).flatmap(lambda dice: _of_kind(key) if dice else _ODD)


CONFIGS = _mapping(TOP_LEVEL)


def text_of(config: dict[str, Any]) -> str:
    """Return YAML: JSON is, but for the escapes of what is beyond 16 bits."""
    return json.dumps(config, ensure_ascii=False)


def load(text: str) -> Config | None:
    """Return the configuration, None if it is not valid; everything else is a bug."""
    try:
        return parse_config(text, environ=ENVIRON)
    except ConfigError as error:
        problems = error.problems
    assert problems
    assert all(problem.message for problem in problems)
    return None


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(config=CONFIGS)
def test_structured_configurations_load_or_say_why(config: dict[str, Any]) -> None:
    load(text_of(config))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    config=CONFIGS,
    cut=st.lists(st.sampled_from(sorted(TOP_LEVEL.keys)), max_size=20),
)
def test_a_configuration_in_two_files_is_the_same_as_in_one(
    tmp_path_factory: pytest.TempPathFactory, config: dict[str, Any], cut: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    first = {key: value for key, value in config.items() if key not in cut}
    second = {key: value for key, value in config.items() if key in cut}
    (folder / "1.yaml").write_text(text_of(first), encoding="utf-8")
    (folder / "2.yaml").write_text(text_of(second), encoding="utf-8")
    whole = load(text_of(config))
    try:
        merged = load_config(None, folder, environ=ENVIRON)
    except ConfigError:
        assert whole is None
        return

    assert whole is not None
    for name in ("models", "groups", "peers", "selectors", "profiles", "preload"):
        assert getattr(merged, name) == getattr(whole, name)


@pytest.mark.parametrize("seed", range(150))
def test_a_damaged_file_loads_or_says_why(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a fuzzer
    text = copy.copy(FULL)
    for _ in range(dice.randrange(1, 6)):
        at, length = dice.randrange(len(text)), dice.randrange(40)
        piece = dice.choice(
            [
                "",
                text[at : at + length] * 2,
                dice.choice("{}[]:,&*#!|>'\"%@`\t\n\0- ?"),
                "${A}",
                "${env.X}",
                "<<: *a",
                "\ud800",
                "\u2028",
                "\\x",
            ]
        )
        text = text[:at] + piece + text[at + length :]
    load(text)


HARD = {
    "billion laughs": "a: &a [x, x]\n"
    + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n"
        for n in range(24)
    ),
    "laughing merge keys": "a: &a {x: 1}\n"
    + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} {{p: *{chr(97 + n)}, q: *{chr(97 + n)}}}\n"
        for n in range(24)
    ),
    "deep lists": "a: " + "[" * 5000 + "]" * 5000,
    "deep mappings": "a: " + "{a: " * 3000 + "1" + "}" * 3000,
    "deep blocks": "".join(f"{' ' * n}a:\n" for n in range(1500)),
    "ten megabytes": "a: " + "x" * 10_000_000,
    "many keys": "".join(f"k{n}: 1\n" for n in range(60_000)),
    "a huge number": "globalTTL: " + "9" * 100_000,
    "a huge float": "globalTTL: 1e" + "9" * 10_000,
    "macros that double": "macros:\n  m0: xx\n"
    + "".join(f"  m{n + 1}: '${{m{n}}}${{m{n}}}'\n" for n in range(60))
    + "logLevel: '${m60}'\n",
    "many macros and many texts": "macros:\n"
    + "".join(f"  m{n}: 1\n" for n in range(15_000))
    + "hooks: {on_startup: {preload: ["
    + "'${m1}', " * 15_000
    + "]}}\n",
    "one text with many macros": "macros:\n"
    + "".join(f"  m{n}: 1\n" for n in range(10_000))
    + f"logLevel: '{''.join(f'${{m{n}}}' for n in range(10_000))}'\n",
    "a command of quotes": "models:\n  a:\n    proxy: http://h\n    cmd: |\n      x"
    + '"a' * 200_000
    + "\n",
    "NUL": "a: \0",
    "half a character": 'a: "\\ud800"',
    "a deep expression": "matrix: {sets: {s: '"
    + "(" * 20_000
    + "a"
    + ")" * 20_000
    + "'}}",
    "a long expression": "models: {a: {cmd: x, proxy: 'http://h:1'}}\nmatrix: {sets: {s: '"
    + " | ".join(["a"] * 50_000)
    + "'}}",
    "quotes that never end": "models: {a: {cmd: '" + "\"'" * 100_000,
    "anchors of themselves": "a: &a [*a]",
}
_CHILD = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (25, 25))
from swapper.config import parse_config
from swapper.core.errors import ConfigError
text = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
try:
    parse_config(text, environ={})
    print("loaded")
except ConfigError as error:
    print("refused:", str(error)[:300])
"""


@pytest.mark.parametrize("name", HARD)
def test_hard_texts_are_answered_in_bounded_time_and_memory(name: str) -> None:
    """A gigabyte and 25 s of processor time are far above what any of them takes."""
    child = subprocess.run(
        [sys.executable, "-c", _CHILD],
        input=HARD[name].encode("utf-8", "surrogatepass"),
        capture_output=True,
        timeout=50,
        check=False,
    )

    assert child.returncode == 0, child.stderr.decode()[-600:]
    assert child.stdout.startswith((b"loaded", b"refused:"))
