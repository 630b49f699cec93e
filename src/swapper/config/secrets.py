"""Keeps secrets out of what is printed about a configuration.

Secrets are the keys of clients and peers, and everything that came from an
environment variable: it is in a variable because it should not be in the file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from swapper.config.document import shortened

_SHORTEST: Final = 4
"""Shorter texts are no secrets; hiding them would make everything unreadable."""

_HIDDEN: Final = "***"
_USER_IN_URL: Final = re.compile(r"(?<=://)[^/?#@\s]*@")


class Environment(Mapping[str, str]):
    """An environment that knows what was looked up in it; for one thread."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.used: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        """Return a variable's value, and remember it."""
        value = self._variables[name]
        self.used[name] = value
        return value

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._variables)

    def __len__(self) -> int:
        """Return the number of variables."""
        return len(self._variables)


class Secrets:
    """Texts that must not be shown; immutable."""

    __slots__ = ("_names", "_pattern")

    def __init__(self, variables: Mapping[str, str], keys: Iterable[str] = ()) -> None:
        """Take what must not be shown.

        Args:
            variables: environment variables that a configuration uses.
            keys: of clients and peers.
        """
        self._names = dict.fromkeys(keys, _HIDDEN)
        for name, value in variables.items():
            # As it is left when it stood without quotes, and as messages cut it.
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            forms = (value, escaped, shortened(value), shortened(escaped))
            self._names.update(dict.fromkeys(forms, f"${{env.{name}}}"))
        texts = sorted(filter(_is_long, self._names), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, texts)) or r"(?!)")

    def hidden_in(self, text: str) -> str:
        """Return *text* with variables by name, keys and URL passwords as stars."""
        known = self._pattern.sub(lambda match: self._names[match[0]], text)
        return _USER_IN_URL.sub(f"{_HIDDEN}@", known)


def _is_long(text: str) -> bool:
    return len(text) >= _SHORTEST
