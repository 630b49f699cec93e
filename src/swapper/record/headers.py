"""Headers as people see them later: one value each, secrets taken out."""

from collections.abc import Iterable
from typing import Final

REDACTED: Final = "[REDACTED]"
_SECRET: Final = frozenset(
    {
        *("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"),
        *("api-key", "x-goog-api-key"),  # of other APIs behind us
    }
)


def shown_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers for captures and tables: names in Title-Case, first values.

    ``Host`` is left out; the value of a header that carries credentials is
    ``REDACTED``. Pure. Source: http-api.md 23.3, and more names.
    """
    shown: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower != "host":
            title = "-".join(part.capitalize() for part in lower.split("-"))
            shown.setdefault(title, REDACTED if lower in _SECRET else value)
    return shown
