"""config.md section 4, conversions: typed reading by the keys of a section."""

from types import MappingProxyType

import pytest

from swapper.config.decode.section import Item, Section
from swapper.config.document import Entry, ListNode, MapNode, Node, ScalarNode, Where
from swapper.config.key import Key, KeySet, Kind
from swapper.config.report import Report

F1 = Where("f", 1)
WRONG: dict[str, Node] = {
    "integer": ListNode(F1, ()),
    "boolean": ListNode(F1, ()),
    "text": ListNode(F1, ()),
    "texts": ScalarNode(F1, 1, "1"),
    "json": ListNode(F1, ()),
    "json_map": ListNode(F1, ()),
    "text_map": ListNode(F1, ()),
    "integer_map": ListNode(F1, ()),
    "section": ListNode(F1, ()),
    "sections": ListNode(F1, ()),
}
KEYS = KeySet(
    {
        "integer": Key(kind=Kind.INTEGER, about="", default=7),
        "boolean": Key(kind=Kind.BOOLEAN, about="", default=True),
        "text": Key(kind=Kind.TEXT, about="", default="x"),
        "texts": Key(kind=Kind.TEXTS, about=""),
        "json": Key(kind=Kind.JSON, about=""),
        "json_map": Key(kind=Kind.JSON_MAP, about=""),
        "text_map": Key(kind=Kind.TEXT_MAP, about=""),
        "integer_map": Key(kind=Kind.INTEGER_MAP, about=""),
        "section": Key(kind=Kind.SECTION, about="", below=KeySet()),
        "sections": Key(kind=Kind.SECTIONS, about="", below=KeySet()),
        "inert": Key(kind=Kind.INTEGER, about="", is_inert=True),
    }
)


def scalar(value: bool | float | str | None, line: int = 1) -> ScalarNode:
    return ScalarNode(Where("f", line), value, "" if value is None else str(value))


def section_of(report: Report, nodes: dict[str, Node]) -> Section:
    entries = {
        key: Entry(Where("f", line), node)
        for line, (key, node) in enumerate(nodes.items(), start=1)
    }
    return Section(MapNode(F1, MappingProxyType(entries)), "s", report, KEYS)


def assert_defaults(section: Section) -> None:
    assert section.integer("integer") == 7
    assert section.boolean("boolean")
    assert section.text("text") == "x"
    assert section.texts("texts") == ()
    assert section.json("json") == {}
    assert section.json_map("json_map") == {}
    assert section.text_map("text_map") == {}
    assert section.integer_map("integer_map") == {}
    assert section.section("section").names() == ()
    assert section.sections("sections") == {}


@pytest.mark.parametrize("nodes", [{}, dict.fromkeys(WRONG, scalar(None))])
def test_null_and_absent_values_read_as_the_default(nodes: dict[str, Node]) -> None:
    report = Report()

    assert_defaults(section_of(report, nodes))

    report.raise_errors()
    assert not report.warnings


def test_wrong_types_read_as_the_default_and_are_reported() -> None:
    report = Report()

    assert_defaults(section_of(report, WRONG))

    assert len(report._errors) == len(WRONG)


def test_items_of_a_list_keep_their_index_when_null_ones_are_dropped() -> None:
    items = (scalar(None), scalar("x", 5))
    section = section_of(Report(), {"texts": ListNode(F1, items)})

    assert section.texts("texts") == (Item("x", "s.texts[1]", Where("f", 5)),)


def test_only_unknown_keys_are_warned_about() -> None:
    report = Report()
    section_of(
        report,
        {key: scalar(1) for key in ("integer", "inert", "intteger", "zz")},
    )

    assert [str(warning) for warning in report.warnings] == [
        "f:3: s.intteger: `intteger` is not a setting of s; did you mean `integer`?",
        "f:4: s.zz: `zz` is not a setting of s and is ignored",
    ]
