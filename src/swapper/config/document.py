"""The tree between YAML and the typed configuration.

Nodes are immutable, so one anchor used in ten places may be one shared node:
every stage that changes something builds new nodes around it. Each node knows
the file and line it was written in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias


class Where(NamedTuple):
    """A place in a source.

    Attributes:
        source: file name as given; "" when the text came from memory.
        line: 1-based.
    """

    source: str
    line: int


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A YAML date or time, as RFC 3339 text in UTC or with its offset."""

    rfc3339: str


ScalarValue: TypeAlias = bool | int | float | str | Timestamp | None


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value.

    Attributes:
        value: what the YAML dialect makes of it (config.md section 4).
        text: its spelling, quotes and escapes undone; what a text setting takes.
    """

    where: Where
    value: ScalarValue
    text: str


@dataclass(frozen=True, slots=True)
class ListNode:
    """A sequence."""

    where: Where
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One key's value and where the key stands."""

    where: Where
    node: "Node"


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping; keys are text, in file order, merge keys already applied.

    Attributes:
        merge_where: where its ``<<`` stood; None without one. Macro blocks may
            not have any.
    """

    where: Where
    entries: Mapping[str, Entry]
    merge_where: Where | None = None

    def get(self, key: str) -> "Node | None":
        """Return the value of *key*; None if it is absent or null."""
        entry = self.entries.get(key)
        return None if entry is None or is_null(entry.node) else entry.node

    def with_entries(self, entries: dict[str, Entry]) -> "MapNode":
        """Return a copy with other entries."""
        return MapNode(self.where, MappingProxyType(entries), self.merge_where)


Node: TypeAlias = ScalarNode | ListNode | MapNode

_LONGEST_SHOWN: Final = 60


def empty_map(where: Where) -> MapNode:
    """Return a mapping without entries."""
    return MapNode(where, MappingProxyType({}))


def is_null(node: Node) -> bool:
    """Tell whether *node* is ``null``, ``~`` or nothing at all."""
    return isinstance(node, ScalarNode) and node.value is None


def is_hollow(node: Node) -> bool:
    """Tell whether *node* sets nothing: null, false, an empty list or mapping."""
    match node:
        case ScalarNode():
            return node.value is None or node.value is False
        case ListNode():
            return not node.items
        case MapNode():
            return not node.entries


def child(path: str, key: str) -> str:
    """Return the dotted path of *key* below *path*."""
    return f"{path}.{key}" if path else key


def describe(node: Node) -> str:
    """Return *node* as an error message names it, e.g. ``the text "60"``."""
    match node:
        case ListNode():
            return "a list"
        case MapNode():
            return "a mapping"
        case ScalarNode():
            return _describe_scalar(node)


def kind_of(node: Node) -> str:
    """Return what *node* is, without its text, which may be a secret."""
    if not isinstance(node, ScalarNode):
        return describe(node)
    match node.value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case Timestamp():
            return "a date"
        case str():
            return "a text"


def _describe_scalar(node: ScalarNode) -> str:
    match node.value:
        case None:
            return "null"
        case bool():
            return f"the boolean {node.text}"
        case int() | float():
            return f"the number {shortened(node.text)}"
        case Timestamp():
            return f"the date {node.text}"
        case str():
            return f'the text "{shortened(node.text)}"'


def shortened(text: str) -> str:
    """Return *text* on one line, cut where a message would become unreadable."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_SHOWN else line[: _LONGEST_SHOWN - 1] + "…"
