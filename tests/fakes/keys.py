"""Walks the list of configuration keys; for tests that go through all of them."""

from collections.abc import Iterator
from typing import NamedTuple

from swapper.config.key import Key, KeySet, Kind
from swapper.config.keys import TOP_LEVEL

ANY_NAME = "<name>"


class KeyAt(NamedTuple):
    """A key and where it stands; a name that users choose is ``<name>``."""

    path: tuple[str, ...]
    key: Key

    def __str__(self) -> str:
        return ".".join(self.path)


def all_keys(keys: KeySet = TOP_LEVEL, path: tuple[str, ...] = ()) -> Iterator[KeyAt]:
    """Yield every key of the format, a section before what is below it."""
    for name, key in keys.keys.items():
        yield KeyAt((*path, name), key)
        if key.below is not None:
            names = (ANY_NAME,) if key.kind is Kind.SECTIONS else ()
            yield from all_keys(key.below, (*path, name, *names))
