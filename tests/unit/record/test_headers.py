"""Headers as people see them later."""

from swapper.record.headers import REDACTED, shown_headers


def test_names_are_canonical_and_first_values_count() -> None:
    headers = [
        ("x-ab-CD", "1"),
        ("X-Ab-Cd", "2"),
        ("hOST", "h"),
        ("content-type", "a/b"),
    ]
    assert shown_headers(headers) == {"X-Ab-Cd": "1", "Content-Type": "a/b"}


def test_credentials_are_redacted_in_whatever_case() -> None:
    names = (
        "AUTHORIZATION",
        "proxy-authorization",
        "Cookie",
        "set-cookie",
        "x-aPI-key",
    )
    shown = shown_headers([(name, "secret") for name in names])
    assert set(shown.values()) == {REDACTED}
    assert len(shown) == len(names)
