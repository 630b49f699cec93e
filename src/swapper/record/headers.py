"""Headers as people see them later: one value each, secrets taken out."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

REDACTED: Final = "[REDACTED]"
_SECRET: Final = frozenset(
    {
        *("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-Api-Key"),
        *("Api-Key", "X-Goog-Api-Key"),  # of other APIs behind us
    }
)
_LONG: Final = 64


def shown_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers for captures and tables: names in Title-Case, first values.

    ``Host`` is left out; the value of a header that carries credentials is
    ``REDACTED``. Pure. Source: http-api.md 23.3, and more names.
    """
    shown: dict[str, str] = {}
    for name, value in headers:
        # what a client thinks up shall not fill the cache's memory
        title = _title(name) if len(name) < _LONG else _title.__wrapped__(name)
        if title not in shown and title != "Host":
            shown[title] = REDACTED if title in _SECRET else value
    return shown


@lru_cache(maxsize=256)
def _title(name: str) -> str:
    return "-".join(part.capitalize() for part in name.split("-"))
