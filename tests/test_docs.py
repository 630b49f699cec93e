"""The manual says what the program does: every key, every flag, every example."""

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from swapper import cli
from swapper.config import json_schema, parse_config
from swapper.config.key import Key, KeySet, Kind
from swapper.config.keys import TOP_LEVEL
from swapper.core.errors import ConfigError
from tests.fakes.keys import ANY_NAME, KeyAt, all_keys

ROOT = Path(__file__).parents[1]
MANUAL = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
KEYS = tuple(all_keys())

TABLE_HEAD: Final = ["key", "type", "default", "meaning"]
TOP_HEADING: Final = "Top-level settings"

# --- what the manual says -------------------------------------------------------


class Row(NamedTuple):
    type: str
    default: str
    meaning: str


def _cells(line: str) -> list[str]:
    parts = re.split(r"(?<!\\)\|", line.strip().strip("|"))
    return [part.replace(r"\|", "|").strip() for part in parts]


def _rows() -> dict[str, Row]:
    """Return the rows of the tables of keys, by path; a heading may have two."""
    rows: dict[str, Row] = {}
    homes: list[str] = []
    is_in_table = False
    for line in MANUAL.splitlines():
        if line.startswith("#"):
            homes = re.findall(r"`([^`]+)`", line)
            homes = [""] if TOP_HEADING in line else homes
        cells = _cells(line) if line.startswith("|") else []
        is_in_table = bool(cells) and (is_in_table or cells == TABLE_HEAD)
        if is_in_table and cells[0].startswith("`"):
            for home in homes:
                name = cells[0].strip("`")
                rows[f"{home}.{name}" if home else name] = Row(*cells[1:])
    return rows


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


ROWS = _rows()
FLAGS = dict(_cells(line) for line in MANUAL.splitlines() if line.startswith("| `--"))
EXAMPLES = [
    pytest.param(block, id=f"{name}-{number}")
    for name, text in (("manual", MANUAL), ("readme", README))
    for number, block in enumerate(_blocks(text, "yaml"))
]

# --- keys -----------------------------------------------------------------------


def _shown_default(key: Key) -> str:
    if key.default in (None, "", ()):
        return "none"
    if isinstance(key.default, tuple):
        return f"`{', '.join(key.default)}`"
    text = key.default if isinstance(key.default, str) else json.dumps(key.default)
    return f"`{text}`"


@pytest.mark.parametrize("at", KEYS, ids=str)
def test_manual_has_the_key_with_type_default_and_limits(at: KeyAt) -> None:
    row, key = ROWS[str(at)], at.key

    assert row.type == key.kind.value
    # Where two sections share a table, the other default stands behind this one.
    assert _shown_default(key) in re.split(r", peers ", row.default)
    for word in filter(None, (*key.words, *key.hints)):
        assert f"`{word}`" in row.meaning
    if key.minimum is not None:
        assert f"at least {key.minimum}" in row.meaning.lower()
    assert key.is_required == row.meaning.startswith("Required")
    assert key.is_inert == bool(re.search(r"no effect[.,]", row.meaning))


def test_manual_has_no_key_that_is_none() -> None:
    # A table of two sections may have a row that only one of them knows.
    known = {str(at) for at in KEYS} | {"peers.<name>.filters.strip_params"}

    assert set(ROWS) == known


# --- examples -------------------------------------------------------------------

MODELS: Final = """
models:
  small: {cmd: "serve --port ${PORT}"}
  large: {cmd: "serve --port ${PORT}"}
  embed: {cmd: "serve --port ${PORT}"}
"""
TOLERATED: Final = (
    "`shared` is not a setting of the configuration",  # a place for anchors
)


def _document(text: str) -> dict[str, Any]:
    """Return a block as an editor's YAML parser reads it."""
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return document


def _complete(block: str) -> str:
    return block if "models" in _document(block) else block + MODELS


@pytest.mark.parametrize("block", EXAMPLES)
def test_example_loads_and_is_valid_to_an_editor(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # an example has a relative path
    names = re.findall(r"\$\{env\.(\w+)\}", block)
    environ = {name: f"value-of-{name}" for name in names}
    try:
        problems: Sequence[object] = parse_config(
            _complete(block), environ=environ
        ).warnings
    except ConfigError as exc:
        problems = exc.problems
    messages = [str(problem) for problem in problems]
    schema = json.loads(json.dumps(json_schema()))
    errors = Draft7Validator(schema).iter_errors(_document(block))

    assert [m for m in messages if not any(t in m for t in TOLERATED)] == []
    assert [error.message for error in errors] == []


def _paths(document: object, keys: KeySet, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the path of each key that an example sets."""
    if not isinstance(document, dict):
        return
    for name, value in document.items():
        key = keys.keys.get(str(name))
        if key is None:
            continue
        here = (*path, str(name))
        yield ".".join(here)
        if key.below is None or not isinstance(value, dict):
            continue
        if key.kind is Kind.SECTIONS:
            for entry in value.values():
                yield from _paths(entry, key.below, (*here, ANY_NAME))
        else:
            yield from _paths(value, key.below, here)


@pytest.mark.parametrize("at", [at for at in KEYS if not at.key.is_inert], ids=str)
def test_manual_has_an_example_of_the_key(at: KeyAt) -> None:
    shown = {
        path
        for block in _blocks(MANUAL, "yaml")
        for path in _paths(_document(block), TOP_LEVEL, ())
    }
    # What may stand in two places need not be shown in both.
    old = "routing.router.settings."

    assert str(at) in shown or str(at).removeprefix(old) in shown


# --- flags and links ------------------------------------------------------------


@pytest.mark.parametrize("field", dataclasses.fields(cli.Options), ids=lambda f: f.name)
def test_flag_is_in_the_manual_and_in_the_usage_text(
    field: "dataclasses.Field[object]", capsys: pytest.CaptureFixture[str]
) -> None:
    flag = f"--{field.name.replace('_', '-')}"
    cli.main(["--help"])
    usage = capsys.readouterr().err

    [documented] = [name for name in FLAGS if re.match(rf"`{flag}[ `]", name)]
    assert (" " in documented) is (field.type is str)
    assert re.search(
        rf"^  {re.escape(documented.strip('`'))}  +\S", usage, re.MULTILINE
    )


def test_manual_has_no_flag_that_is_none() -> None:
    assert len(FLAGS) == len(dataclasses.fields(cli.Options))


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", MANUAL))))
def test_link_leads_somewhere(target: str) -> None:
    path, _, anchor = target.partition("#")
    page = (ROOT / "docs" / (path or "configuration.md")).resolve()
    assert page.is_file()
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)

    assert not anchor or anchor in map(_anchor, headings)


def test_readme_leads_to_the_manual() -> None:
    assert "(docs/configuration.md)" in README
