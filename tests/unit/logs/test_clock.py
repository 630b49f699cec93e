"""config.md 8.2: the time before a log line."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from swapper.config.keys import TOP_LEVEL
from swapper.logs.clock import FORMATS

EAST = timezone(timedelta(hours=2), "CEST")
MOMENT = datetime(2006, 1, 2, 15, 4, 5, 120_000, EAST)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ansic", "Mon Jan  2 15:04:05 2006"),
        ("unixdate", "Mon Jan  2 15:04:05 CEST 2006"),
        ("rubydate", "Mon Jan 02 15:04:05 +0200 2006"),
        ("rfc822", "02 Jan 06 15:04 CEST"),
        ("rfc822z", "02 Jan 06 15:04 +0200"),
        ("rfc850", "Monday, 02-Jan-06 15:04:05 CEST"),
        ("rfc1123", "Mon, 02 Jan 2006 15:04:05 CEST"),
        ("rfc1123z", "Mon, 02 Jan 2006 15:04:05 +0200"),
        ("rfc3339", "2006-01-02T15:04:05+02:00"),
        ("rfc3339nano", "2006-01-02T15:04:05.12+02:00"),
        ("kitchen", "3:04PM"),
        ("stamp", "Jan  2 15:04:05"),
        ("stampmilli", "Jan  2 15:04:05.120"),
        ("stampmicro", "Jan  2 15:04:05.120000"),
        ("stampnano", "Jan  2 15:04:05.120000000"),
    ],
)
def test_time_formats(name: str, text: str) -> None:
    assert FORMATS[name](MOMENT) == text


def test_utc_is_z() -> None:
    moment = datetime(2026, 12, 31, 0, 0, 0, 0, UTC)

    assert FORMATS["rfc3339"](moment) == "2026-12-31T00:00:00Z"
    assert FORMATS["rfc3339nano"](moment) == "2026-12-31T00:00:00Z"
    assert FORMATS["kitchen"](moment) == "12:00AM"


def test_there_is_a_form_for_every_name_that_the_configuration_knows() -> None:
    assert set(FORMATS) == set(TOP_LEVEL.keys["logTimeFormat"].hints)
