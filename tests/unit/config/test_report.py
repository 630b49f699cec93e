import pytest

from swapper.config.document import Where
from swapper.config.report import Report
from swapper.core.errors import ConfigError


def test_only_the_first_error_of_a_path_counts() -> None:
    report = Report()
    report.error("a", Where("f", 2), "broken")
    report.error("a", Where("f", 2), "consequence")
    report.error("", Where("f", 1), "one")
    report.error("", Where("f", 1), "another")

    with pytest.raises(ConfigError) as caught:
        report.raise_errors()

    assert [p.message for p in caught.value.problems] == ["one", "another", "broken"]


def test_problems_come_in_the_order_of_files_and_lines() -> None:
    report = Report()
    report.warn("b", Where("second", 1), "x")
    report.warn("c", Where("first", 9), "x")
    report.warn("a", Where("second", 1), "x")
    report.warn("a", Where("first", 2), "x")

    assert [(w.source, w.line, w.key_path) for w in report.warnings] == [
        ("second", 1, "b"),
        ("second", 1, "a"),
        ("first", 2, "a"),
        ("first", 9, "c"),
    ]


def test_report_without_errors_raises_nothing() -> None:
    Report().raise_errors()
