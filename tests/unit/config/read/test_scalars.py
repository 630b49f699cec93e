"""config.md section 4: the table of plain scalars."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapper.config.document import ScalarValue, Timestamp
from swapper.config.read.scalars import resolve_plain, resolve_scalar

CASES: list[tuple[str, ScalarValue]] = [
    *((word, True) for word in ("true", "True", "TRUE")),
    *((word, False) for word in ("false", "False", "FALSE")),
    *((word, None) for word in ("~", "null", "Null", "NULL", "")),
    *(
        (word, word)
        for word in [
            "yes",
            "no",
            "on",
            "off",
            "y",
            "n",
            "Yes",
            "NO",
            "On",
            "OFF",
            "Y",
            "N",
        ]
    ),
    ("12", 12),
    ("+5", 5),
    ("-5", -5),
    ("1_000", 1000),
    ("0x1F", 31),
    ("-0x1f", -31),
    ("0o10", 8),
    ("0b11", 3),
    ("010", 8),
    ("0777", 511),
    ("-010", -8),
    ("007", 7),
    ("0", 0),
    ("08", 8.0),
    ("09", 9.0),
    ("1.5", 1.5),
    (".5", 0.5),
    ("1.", 1.0),
    ("1e3", 1000.0),
    ("1E3", 1000.0),
    ("1_0.5", 10.5),
    (".inf", math.inf),
    ("-.Inf", -math.inf),
    ("18446744073709551615", 2**64 - 1),
    ("18446744073709551616", 18446744073709551616.0),
    ("1" * 400, "1" * 400),
    ("0x" + "F" * 20, "0x" + "F" * 20),
    *(
        (w, w)
        for w in [
            "1:30",
            "12:30:45",
            "0.1.2",
            "v1.0",
            "2024-01",
            "=",
            "tRue",
            "nUll",
            "_1",
            "-",
            "+",
            ".",
            "1e",
        ]
    ),
    ("2024-01-01", Timestamp("2024-01-01T00:00:00Z")),
    ("2024-1-1", Timestamp("2024-01-01T00:00:00Z")),
    ("2024-01-01 10:00:00", Timestamp("2024-01-01T10:00:00Z")),
    ("2024-01-01T10:00:00.250Z", Timestamp("2024-01-01T10:00:00.25Z")),
    ("2024-01-01t1:2:3+02:00", Timestamp("2024-01-01T01:02:03+02:00")),
    ("2024-02-30", "2024-02-30"),
    ("2024-01-01T10:00:00", "2024-01-01T10:00:00"),
]


@pytest.mark.parametrize(("text", "value"), CASES)
def test_plain_scalar_resolves_as_the_dialect_table_says(
    text: str, value: ScalarValue
) -> None:
    resolved = resolve_plain(text)

    assert resolved == value
    assert type(resolved) is type(value)


def test_nan_is_a_float() -> None:
    value = resolve_plain(".nan")

    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("text", "tag", "value"),
    [
        ("5", "tag:yaml.org,2002:int", 5),
        ("5", "tag:yaml.org,2002:float", 5.0),
        ("5", "tag:yaml.org,2002:str", "5"),
        ("5", "!foo", "5"),
        ("5", "!", "5"),
        ("aMOp", "tag:yaml.org,2002:binary", "hé"),
        ("5", "tag:yaml.org,2002:unheard", "5"),
    ],
)
def test_tag_decides_over_quotes(text: str, tag: str, value: ScalarValue) -> None:
    assert resolve_scalar(text, tag=tag, is_plain=False) == value


@pytest.mark.parametrize(
    ("text", "kind"),
    [("x", "int"), ("true", "int"), ("x", "bool"), ("5", "null"), ("?", "binary")],
)
def test_tag_that_does_not_fit_is_refused(text: str, kind: str) -> None:
    with pytest.raises(ValueError, match=kind):
        resolve_scalar(text, tag=f"tag:yaml.org,2002:{kind}", is_plain=True)


def test_quoted_scalar_is_text() -> None:
    assert resolve_scalar("5", tag=None, is_plain=False) == "5"


@given(st.text(alphabet="0123456789+-_.:eExXoObBaAfFTZ ~", max_size=30))
def test_any_text_resolves_to_something(text: str) -> None:
    value = resolve_plain(text)

    assert isinstance(value, bool | int | float | str | Timestamp | None)
