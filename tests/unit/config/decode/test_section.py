from types import MappingProxyType

from swapper.config.decode.section import Item, Section
from swapper.config.document import Entry, ListNode, MapNode, ScalarNode, Where
from swapper.config.keys import KeySet
from swapper.config.report import Report


def scalar(value: bool | float | str | None, line: int = 1) -> ScalarNode:
    return ScalarNode(Where("f", line), value, "" if value is None else str(value))


def section_of(report: Report, **nodes: ScalarNode | ListNode | MapNode) -> Section:
    entries = {
        key: Entry(Where("f", line), node)
        for line, (key, node) in enumerate(nodes.items(), start=1)
    }
    return Section(MapNode(Where("f", 1), MappingProxyType(entries)), "s", report)


def test_null_and_absent_values_read_as_the_default() -> None:
    section = section_of(Report(), n=scalar(None))

    for key in ("n", "absent"):
        assert section.integer(key, 7) == 7
        assert section.boolean(key, default=True)
        assert section.text(key, "x") == "x"
        assert section.texts(key) == ()
        assert section.json(key) == {}
        assert section.section(key).names() == ()


def test_wrong_types_read_as_the_default_and_are_reported() -> None:
    report = Report()
    wrong = ListNode(Where("f", 1), ())
    section = section_of(
        report, i=wrong, b=wrong, t=wrong, l=scalar(1), j=wrong, s=wrong
    )

    assert section.integer("i", 7) == 7
    assert section.boolean("b", default=True)
    assert section.text("t", "x") == "x"
    assert section.texts("l") == ()
    assert section.json("j") == {}
    assert section.section("s").names() == ()
    assert len(report._errors) == 6


def test_items_of_a_list_keep_their_index_when_null_ones_are_dropped() -> None:
    items = (scalar(None), scalar("x", 5))
    section = section_of(Report(), l=ListNode(Where("f", 1), items))

    assert section.texts("l") == (Item("x", "s.l[1]", Where("f", 5)),)


def test_known_and_inert_keys_are_silent() -> None:
    report = Report()
    section = section_of(report, a=scalar(1), b=scalar(1), c=scalar(1), d=scalar(1))

    section.check_keys(
        KeySet(frozenset("a"), later=frozenset("b"), inert=frozenset("c"))
    )

    assert [warning.key_path for warning in report.warnings] == ["s.b", "s.d"]
