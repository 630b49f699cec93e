"""Typed reading of a mapping's values (config.md section 4, conversions).

A value of a wrong type is reported with its path and line; reading goes on
with the default, so that one load tells everything that is wrong.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from swapper.config.document import (
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    Timestamp,
    Where,
    child,
    describe,
    empty_map,
    is_hollow,
    is_null,
)
from swapper.config.keys import KeySet
from swapper.config.report import Report
from swapper.core.json import JsonValue

_BOOLEAN_WORDS: Final = {
    form: word in ("yes", "y", "on")
    for word in ("yes", "y", "on", "no", "n", "off")
    for form in (word, word.capitalize(), word.upper())
}
_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**63 - 1


class Item(NamedTuple):
    """One text of a list."""

    text: str
    path: str
    where: Where


class Section:
    """A mapping at a known path; null and absent values read as the default."""

    __slots__ = ("_node", "_report", "path")

    def __init__(self, node: MapNode, path: str, report: Report) -> None:
        self._node = node
        self._report = report
        self.path = path

    def where(self, key: str = "") -> Where:
        """Return where the value of *key*, or else the mapping, is written."""
        entry = self._node.entries.get(key)
        if entry is None:
            return self._node.where
        return entry.where if is_null(entry.node) else entry.node.where

    def path_of(self, key: str) -> str:
        """Return the dotted path of *key*."""
        return child(self.path, key)

    def is_set(self, key: str) -> bool:
        """Tell whether *key* is there and not null."""
        return self._node.get(key) is not None

    def is_filled(self, key: str) -> bool:
        """Tell whether *key* is set to something: not null, false or empty."""
        node = self._node.get(key)
        return node is not None and not is_hollow(node)

    def error(self, key: str, message: str) -> None:
        """Report an error of the value of *key*."""
        self._report.error(self.path_of(key), self.where(key), message)

    def warn(self, key: str, message: str) -> None:
        """Report a warning about the value of *key*."""
        self._report.warn(self.path_of(key), self.where(key), message)

    def error_item(self, item: Item, message: str) -> None:
        """Report an error of one text of a list."""
        self._report.error(item.path, item.where, message)

    def warn_item(self, item: Item, message: str) -> None:
        """Report a warning about one text of a list."""
        self._report.warn(item.path, item.where, message)

    def integer(self, key: str, default: int, *, minimum: int = _SMALLEST) -> int:
        """Return a whole number; a fraction is cut off."""
        node = self._node.get(key)
        if node is None:
            return default
        value = _whole_number(node)
        if value is None:
            self.error(key, f"must be a whole number, not {describe(node)}")
            return default
        if value < minimum:
            self.error(key, f"must be at least {minimum}, not {value}")
            return default
        return value

    def boolean(self, key: str, *, default: bool) -> bool:
        """Return a boolean; the yes/no family counts, quoted or not."""
        node = self._node.get(key)
        if node is None:
            return default
        if isinstance(node, ScalarNode):
            if isinstance(node.value, bool):
                return node.value
            if isinstance(node.value, str) and node.value in _BOOLEAN_WORDS:
                return _BOOLEAN_WORDS[node.value]
        self.error(key, f"must be true or false, not {describe(node)}")
        return default

    def text(self, key: str, default: str = "") -> str:
        """Return a text; any single value is one, in its own spelling."""
        node = self._node.get(key)
        if node is None:
            return default
        if not isinstance(node, ScalarNode):
            self.error(key, f"must be a text, not {describe(node)}")
            return default
        return node.text

    def command_text(self, key: str) -> str:
        """Return a text that the operating system can take as an argument."""
        text = self.text(key)
        if "\0" in text:
            self.error(key, "must not contain a NUL character")
        return text

    def texts(self, key: str) -> tuple[Item, ...]:
        """Return a list of texts; null items are dropped."""
        node = self._node.get(key)
        if node is None:
            return ()
        if not isinstance(node, ListNode):
            self.error(key, f"must be a list of texts, not {describe(node)}")
            return ()
        items: list[Item] = []
        for index, item in enumerate(node.items):
            path = f"{self.path_of(key)}[{index}]"
            if not isinstance(item, ScalarNode):
                message = f"must be a text, not {describe(item)}"
                self._report.error(path, item.where, message)
            elif item.value is not None:
                items.append(Item(item.text, path, item.where))
        return tuple(items)

    def section(self, key: str) -> "Section":
        """Return the mapping below *key*; an empty one if there is none."""
        node = self._node.get(key)
        if isinstance(node, MapNode):
            return Section(node, self.path_of(key), self._report)
        if node is not None:
            self.error(key, f"must be a mapping, not {describe(node)}")
        return Section(empty_map(self.where(key)), self.path_of(key), self._report)

    def sections(self, key: str) -> dict[str, "Section"]:
        """Return the mappings below the mapping *key*; a null one is empty."""
        below = self.section(key)
        return {name: below.section(name) for name in below.names()}

    def names(self) -> Sequence[str]:
        """Return the keys, in file order."""
        return tuple(self._node.entries)

    def json(self, key: str) -> dict[str, JsonValue]:
        """Return a mapping of anything, as JSON has it."""
        node = self._node.get(key)
        if node is None:
            return {}
        if not isinstance(node, MapNode):
            self.error(key, f"must be a mapping, not {describe(node)}")
            return {}
        path = self.path_of(key)
        return {
            name: _json(entry.node, child(path, name), self._report)
            for name, entry in node.entries.items()
        }

    def check_keys(self, keys: KeySet) -> None:
        """Warn about keys that have no effect."""
        for name, entry in self._node.entries.items():
            if name in keys.known or name in keys.inert:
                continue
            path = self.path_of(name)
            if name not in keys.later:
                message = _unknown_key(name, self.path, keys)
                self._report.warn(path, entry.where, message)
            elif not is_hollow(entry.node):
                message = (
                    f"`{name}` is not supported by this version yet and is ignored"
                )
                self._report.warn(path, entry.where, message)


def _unknown_key(name: str, path: str, keys: KeySet) -> str:
    owner = path or "the configuration"
    closest = keys.closest(name)
    advice = f"; did you mean `{closest}`?" if closest else " and is ignored"
    return f"`{name}` is not a setting of {owner}{advice}"


def _whole_number(node: Node) -> int | None:
    if not isinstance(node, ScalarNode) or isinstance(node.value, bool):
        return None
    value = node.value
    if isinstance(value, float):
        value = int(value) if math.isfinite(value) else None
    if not isinstance(value, int) or not _SMALLEST <= value <= _LARGEST:
        return None
    return value


def _json(node: Node, path: str, report: Report) -> JsonValue:
    match node:
        case ListNode():
            return [
                _json(item, f"{path}[{index}]", report)
                for index, item in enumerate(node.items)
            ]
        case MapNode():
            return {
                name: _json(entry.node, child(path, name), report)
                for name, entry in node.entries.items()
            }
        case ScalarNode():
            return _json_scalar(node, path, report)


def _json_scalar(node: ScalarNode, path: str, report: Report) -> JsonValue:
    value = node.value
    if isinstance(value, Timestamp):
        return value.rfc3339
    if isinstance(value, float) and not math.isfinite(value):
        report.error(path, node.where, f"JSON has no number {node.text}")
        return None
    return value
