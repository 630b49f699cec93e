"""Typed reading of a mapping's values (config.md section 4, conversions).

Type, default and limits of a key come from ``config/keys.py``. A value of a wrong
type is reported with its path and line; reading goes on with the default, so that
one load tells everything that is wrong.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, cast

from swapper.config.document import (
    Entry,
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
    kind_of,
    shortened,
)
from swapper.config.key import BOOLEAN_WORDS, Key, KeySet
from swapper.config.report import Report
from swapper.core.json import JsonValue

_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**63 - 1


class Item(NamedTuple):
    """One text of a list."""

    text: str
    path: str
    where: Where


class Section:
    """A mapping at a known path; null and absent values read as the default.

    Defaults, limits and the sections below are those of its keys. Making one warns
    about keys that are not among them, unless the names are free.
    """

    __slots__ = ("_keys", "_node", "_report", "path")

    def __init__(
        self, node: MapNode, path: str, report: Report, keys: KeySet | None
    ) -> None:
        """Check the names.

        Args:
            node: the mapping.
            path: its dotted path; "" for the whole file.
            report: takes errors and warnings.
            keys: what it may have; None if its names are free.
        """
        self._node = node
        self._report = report
        self._keys = keys or KeySet()
        self.path = path
        if keys is not None:
            self._check_keys()

    # --- places and messages ----------------------------------------------------

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
        """Report an error of the value of *key*; "" for the section itself."""
        path = self.path_of(key) if key else self.path
        self._report.error(path, self.where(key), message)

    def warn(self, key: str, message: str) -> None:
        """Report a warning about the value of *key*; "" for the section itself."""
        path = self.path_of(key) if key else self.path
        self._report.warn(path, self.where(key), message)

    def error_item(self, item: Item, message: str) -> None:
        """Report an error of one text of a list or a mapping."""
        self._report.error(item.path, item.where, message)

    def warn_item(self, item: Item, message: str) -> None:
        """Report a warning about one text of a list or a mapping."""
        self._report.warn(item.path, item.where, message)

    # --- single values ----------------------------------------------------------

    def integer(self, key: str) -> int:
        """Return a whole number; a fraction is cut off."""
        spec = self._spec(key)
        default = cast("int", spec.default)
        node = self._node.get(key)
        if node is None:
            return default
        value = self._whole_number(node, self.path_of(key), spec.minimum)
        return default if value is None else value

    def boolean(self, key: str, *, default: bool | None = None) -> bool:
        """Return a boolean; the yes/no family counts, quoted or not.

        *default* is for a key whose default depends on another one.
        """
        value = self.boolean_or_word(key, default=default)
        return value if isinstance(value, bool) else True

    def boolean_or_word(
        self, key: str, *, default: bool | str | None = None
    ) -> bool | str:
        """Return a boolean, or one of the words that the key allows besides."""
        spec = self._spec(key)
        if default is None:
            default = cast("bool", spec.default)
        node = self._node.get(key)
        if node is None:
            return default
        if isinstance(node, ScalarNode):
            if isinstance(node.value, bool):
                return node.value
            if isinstance(node.value, str) and node.value in BOOLEAN_WORDS:
                return BOOLEAN_WORDS[node.value]
            if node.value in spec.words:
                return node.text
        wanted = " or ".join(("true", "false", *spec.words))
        self.error(key, f"must be {wanted}, not {describe(node)}")
        return default

    def text(self, key: str) -> str:
        """Return a text; any single value is one, in its own spelling."""
        spec = self._spec(key)
        default = cast("str", spec.default or "")
        node = self._node.get(key)
        if node is None:
            return default
        if not isinstance(node, ScalarNode):
            self.error(key, f"must be a text, not {describe(node)}")
            return default
        if spec.words and node.text not in spec.words:
            self.error(key, _none_of(spec.words, node.text))
            return default
        return node.text

    def string(self, key: str) -> str | None:
        """Return a text that was written as one; None if absent or something else."""
        node = self._node.get(key)
        if node is None:
            return None
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            self.error(key, f"must be a text, not {describe(node)}")
            return None
        return node.value

    def command_text(self, key: str) -> str:
        """Return a text that the operating system can take as an argument."""
        text = self.text(key)
        if "\0" in text:
            self.error(key, "must not contain a NUL character")
        return text

    # --- lists and mappings -----------------------------------------------------

    def texts(self, key: str, *, keep_null: bool = False) -> tuple[Item, ...]:
        """Return a list of texts, () if it is absent.

        Null items are dropped; *keep_null* makes empty texts of them.
        """
        node, words = self._node.get(key), self._spec(key).words
        if node is None:
            return ()
        if not isinstance(node, ListNode):
            self.error(key, f"must be a list of texts, not {kind_of(node)}")
            return ()
        items: list[Item] = []
        for index, item in enumerate(node.items):
            path = f"{self.path_of(key)}[{index}]"
            if not isinstance(item, ScalarNode):
                message = f"must be a text, not {describe(item)}"
                self._report.error(path, item.where, message)
            elif item.value is not None or keep_null:
                text = "" if item.value is None else item.text
                items.append(Item(text, path, item.where))
                if words and text not in words:
                    self.error_item(items[-1], _none_of(words, text))
        return tuple(items)

    def text_map(self, key: str) -> dict[str, Item]:
        """Return a mapping of names to texts, in file order; a null one is empty."""
        items: dict[str, Item] = {}
        for name, path, entry in self._entries(key):
            node = entry.node
            if not isinstance(node, ScalarNode):
                message = f"must be a text, not {describe(node)}"
                self._report.error(path, node.where, message)
                continue
            where = entry.where if node.value is None else node.where
            items[name] = Item("" if node.value is None else node.text, path, where)
        return items

    def integer_map(self, key: str) -> dict[str, tuple[int, Item]]:
        """Return a mapping of names to whole numbers, in file order.

        The item with each number has the name as its text. Null values are dropped.
        """
        spec = self._spec(key)
        numbers: dict[str, tuple[int, Item]] = {}
        for name, path, entry in self._entries(key):
            if is_null(entry.node):
                continue
            value = self._whole_number(entry.node, path, spec.minimum)
            if value is not None:
                numbers[name] = value, Item(name, path, entry.where)
        return numbers

    def json(self, key: str) -> dict[str, JsonValue]:
        """Return a mapping of anything, as JSON has it."""
        return {
            name: _json(entry.node, path, self._report)
            for name, path, entry in self._entries(key)
        }

    def json_map(self, key: str) -> dict[str, tuple[dict[str, JsonValue], Item]]:
        """Return a mapping of names to mappings of anything; a null one is empty.

        The item with each has the name as its text.
        """
        found: dict[str, tuple[dict[str, JsonValue], Item]] = {}
        for name, path, entry in self._entries(key):
            item = Item(name, path, entry.where)
            if is_null(entry.node):
                found[name] = {}, item
            elif isinstance(entry.node, MapNode):
                value = _json(entry.node, path, self._report)
                found[name] = cast("dict[str, JsonValue]", value), item
            else:
                message = f"must be a mapping, not {describe(entry.node)}"
                self._report.error(path, entry.node.where, message)
        return found

    def section(self, key: str) -> "Section":
        """Return the mapping below *key*; an empty one if there is none."""
        return self._below(key, self._spec(key).below)

    def sections(
        self, key: str, *, advice: str = "a mapping of settings"
    ) -> dict[str, "Section"]:
        """Return the mappings below the mapping *key*; a null one is empty.

        What is neither is reported and left out; *advice* is what it must be.
        """
        below, keys = self._below(key, None), self._spec(key).below
        sections = {
            name: below._below(name, keys, advice)  # noqa: SLF001 - our own class
            for name in below.names()
        }
        for name, _path, entry in self._entries(key):
            if not isinstance(entry.node, MapNode) and not is_null(entry.node):
                del sections[name]
        return sections

    def names(self) -> Sequence[str]:
        """Return the keys, in file order."""
        return tuple(self._node.entries)

    # ----------------------------------------------------------------------------

    def _spec(self, key: str) -> Key:
        return self._keys.keys[key]

    def _below(
        self, key: str, keys: KeySet | None, advice: str = "a mapping"
    ) -> "Section":
        node = self._node.get(key)
        path = self.path_of(key)
        if isinstance(node, MapNode):
            return Section(node, path, self._report, keys)
        if node is not None:
            self.error(key, f"must be {advice}, not {describe(node)}")
        return Section(empty_map(self.where(key)), path, self._report, keys)

    def _entries(self, key: str) -> Iterator[tuple[str, str, Entry]]:
        """Yield name, path and entry of each member of the mapping *key*."""
        node = self._node.get(key)
        if isinstance(node, MapNode):
            path = self.path_of(key)
            for name, entry in node.entries.items():
                yield name, child(path, name), entry
        elif node is not None:
            self.error(key, f"must be a mapping, not {describe(node)}")

    def _whole_number(self, node: Node, path: str, minimum: int | None) -> int | None:
        value = _whole_number(node)
        if value is None:
            message = f"must be a whole number, not {describe(node)}"
            self._report.error(path, node.where, message)
        elif minimum is not None and value < minimum:
            message = f"must be at least {minimum}, not {value}"
            self._report.error(path, node.where, message)
            return None
        return value

    def _check_keys(self) -> None:
        """Warn about keys that there are not."""
        for name, entry in self._node.entries.items():
            path = self.path_of(name)
            if name not in self._keys:
                message = _unknown_key(name, self.path, self._keys)
                self._report.warn(path, entry.where, message)


def _none_of(words: Sequence[str], text: str) -> str:
    one_of = "one of " if len(words) > 2 else ""  # "" and one other are no choice
    allowed = ", ".join(filter(None, words))
    return f'must be {one_of}{allowed}, not "{shortened(text)}"'


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
