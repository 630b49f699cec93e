"""Rules about the source itself."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "swapper"
MODULES = sorted(SOURCE.rglob("*.py"))
MAX_LINES = 500


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_modules_stay_small_enough_to_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_modules_say_what_they_are_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))

    assert docstring
    assert docstring.strip()


def test_threads_are_made_in_two_places_only() -> None:
    makers = {
        str(path.relative_to(SOURCE))
        for path in MODULES
        if "threading.Thread(" in path.read_text(encoding="utf-8")
    }

    assert makers == {"sync/service.py"}


def test_nothing_sleeps() -> None:
    sleepers = [
        path
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "sleep"
    ]

    assert sleepers == []
