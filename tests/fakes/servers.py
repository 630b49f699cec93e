"""The servers that the application may live in, and what they cannot do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

SERVERS: Final = ("swapper", "gunicorn", "waitress")

_TABLE = Path(__file__).parents[1] / "cases" / "not_under.txt"


class Lack(NamedTuple):
    """What cannot be tested under a server.

    Attributes:
        test: ``module::function``, whatever its parameters.
    """

    server: str
    test: str
    reason: str


def lacks() -> Iterator[Lack]:
    """Yield the lines of ``cases/not_under.txt``: ``server module::test: reason``."""
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition(": ")
            server, _, test = name.partition(" ")
            yield Lack(server, test, reason)
