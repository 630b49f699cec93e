"""Every case of the specification has a test that names it.

``cases/config.txt`` and ``cases/http.txt`` list the cases as ranges. A case is named by a
test function (``test_mac_3_and_4_...``, ``test_top_16_to_18_...``) or by a literal in a
parametrization (``"MAC-3"``, ``"F1"``). What has no test stands in ``cases/without.txt``
with the reason, and only for as long as that is true.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.servers import SERVERS, lacks

TESTS = Path(__file__).parent
CASES = TESTS / "cases"
_RANGE = re.compile(r"([A-Z]+) (\d+)-(\d+)")
_LITERAL = re.compile(r"([A-Z]+)-?(\d+)(?:\.\.(\d+))?(?: .*)?")


def ranges(name: str) -> dict[str, range]:
    """Return the numbers there are, by prefix."""
    text = (CASES / name).read_text(encoding="utf-8")
    return {
        prefix: range(int(first), int(last) + 1)
        for prefix, first, last in _RANGE.findall(text)
    }


CONFIG, HTTP = ranges("config.txt"), ranges("http.txt")
PREFIXES = {**CONFIG, **HTTP}


def case_id(prefix: str, number: int) -> str:
    return f"{prefix}-{number}" if prefix in CONFIG else f"{prefix}{number}"


def without() -> dict[str, str]:
    """Return the cases that have no test, with the reason."""
    lines = (CASES / "without.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(":") for line in lines if line.strip())
    return {id_.strip(): reason.strip() for id_, _, reason in pairs}


def in_name(name: str) -> Iterator[str]:
    """Yield the cases that a test's name begins with.

    ``test_mac_3_and_4_to_6_whatever``: words that are prefixes, numbers, ``and`` and
    ``to``; the first other word ends the list.
    """
    prefix, before, is_span = "", 0, False
    for word in name.removeprefix("test_").split("_"):
        if word.isdigit() and prefix:
            number = int(word)
            first = before + 1 if is_span else number
            yield from (case_id(prefix, n) for n in range(first, number + 1))
            before, is_span = number, False
        elif word.upper() in PREFIXES:
            prefix = word.upper()
        elif match := re.fullmatch(r"([a-z]+)(\d+)", word):
            prefix, before = match[1].upper(), int(match[2])
            if prefix not in PREFIXES:
                return
            yield case_id(prefix, before)
        elif word == "to":
            is_span = True
        elif word != "and":
            return


def in_literal(text: str) -> Iterator[str]:
    """Yield the cases that a parametrization's id begins with."""
    match = _LITERAL.fullmatch(text)
    if match and match[1] in PREFIXES:
        for number in range(int(match[2]), int(match[3] or match[2]) + 1):
            yield case_id(match[1], number)


def named_cases() -> set[str]:
    """Return every case that a test names."""
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        if path == Path(__file__):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found.update(in_name(node.name))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.update(in_literal(node.value))
    return found


TESTED = named_cases()
ALL = [case_id(p, n) for p, numbers in PREFIXES.items() for n in numbers]


def test_every_case_has_a_test_or_a_reason() -> None:
    assert [id_ for id_ in ALL if id_ not in TESTED and id_ not in without()] == []


def test_reasons_are_given_only_where_there_is_no_test() -> None:
    reasons = without()

    assert [id_ for id_ in reasons if id_ in TESTED or id_ not in ALL] == []
    assert all(reasons.values())


def test_what_a_server_cannot_do_is_said_of_tests_that_there_are() -> None:
    """``cases/not_under.txt``: another server than our own, a test, a reason, once."""
    tests = {
        f"{path.stem}::{node.name}"
        for path in (TESTS / "live").glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    found = list(lacks())

    assert [lack for lack in found if lack.test not in tests] == []
    assert {lack.server for lack in found} <= set(SERVERS[1:])
    assert all(lack.reason for lack in found)
    assert len({lack[:2] for lack in found}) == len(found)


@pytest.mark.parametrize(
    ("name", "cases"),
    [
        ("test_mac_3_and_4_x", ["MAC-3", "MAC-4"]),
        ("test_top_16_to_18_x", ["TOP-16", "TOP-17", "TOP-18"]),
        ("test_rt_1_and_pipe_8_x", ["RT-1", "PIPE-8"]),
        ("test_f1_x", ["F1"]),
        ("test_2_request", []),
        ("test_that_mac_3", []),
    ],
)
def test_how_names_are_read(name: str, cases: list[str]) -> None:
    assert list(in_name(name)) == cases
