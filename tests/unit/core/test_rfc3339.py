import time
from collections.abc import Iterator

import pytest

from swapper.core.rfc3339 import parse_rfc3339, rfc3339


@pytest.fixture(autouse=True)
def zone(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("TZ", getattr(request, "param", "UTC"))
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "unix_s", "text"),
    [
        ("UTC", 1767323045, "2026-01-02T03:04:05Z"),
        ("UTC", 1767323045.5, "2026-01-02T03:04:05.5Z"),
        ("Europe/Berlin", 1767323045, "2026-01-02T04:04:05+01:00"),
        ("America/St_Johns", 1767323045, "2026-01-01T23:34:05-03:30"),
    ],
    indirect=["zone"],
)
def test_a_time_is_shown_in_the_local_zone(unix_s: float, text: str) -> None:
    assert rfc3339(unix_s) == text
    assert parse_rfc3339(text) == unix_s


@pytest.mark.parametrize(
    ("text", "unix_s"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.25Z", 0.25),
        ("1970-01-01T00:00:01.123456789+00:00", 1.123456789),
        ("1970-01-01T01:30:00+01:30", 0),
        ("1969-12-31T23:59:59.5Z", -0.5),
    ],
)
def test_any_zone_and_fraction_is_read(text: str, unix_s: float) -> None:
    assert parse_rfc3339(text) == pytest.approx(unix_s, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-01-01t00:00:00z",
        "2026-13-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00.Z",
        "٢026-01-01T00:00:00Z",
        "2026-01-01T00:00:00Z\n",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_rfc3339(text)
