"""Merges the documents of several sources into one (config.md section 2).

Anchors are resolved per file before this stage, so a file cannot depend on
another one's. Errors name the path and both places.
"""

from collections.abc import Sequence
from typing import Final

from swapper.config.document import (
    Entry,
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    child,
    kind_of,
)
from swapper.config.report import Report

# Their children are things of their own: two sources never share one.
_IDENTITY_MAPS: Final = frozenset(
    {
        "models",
        "groups",
        "profiles",
        "selectors",
        "peers",
        "matrix",
        "routing.router.settings.groups",
        "routing.router.settings.matrix",
    }
)


def merge_documents(documents: Sequence[MapNode], report: Report) -> MapNode:
    """Return one document; of what conflicts, the earlier source's value.

    There is at least one of *documents*; they come in source order.
    """
    merged = documents[0]
    for document in documents[1:]:
        merged = _merge_maps(merged, document, "", report)
    return merged


def _merge_maps(first: MapNode, second: MapNode, path: str, report: Report) -> MapNode:
    entries = dict(first.entries)
    for key, entry in second.entries.items():
        earlier = entries.get(key)
        if earlier is None:
            entries[key] = entry
        else:
            entries[key] = _merge_entries(earlier, entry, child(path, key), report)
    merged = first.with_entries(entries)
    return MapNode(
        merged.where, merged.entries, first.merge_where or second.merge_where
    )


def _merge_entries(first: Entry, second: Entry, path: str, report: Report) -> Entry:
    if path in _IDENTITY_MAPS:
        return _unite(first, second, path, report)
    if _is_empty(first.node) or _is_empty(second.node):
        return second if _is_empty(first.node) else first
    one, two = first.node, second.node
    if isinstance(one, MapNode) and isinstance(two, MapNode):
        return Entry(first.where, _merge_maps(one, two, path, report))
    if isinstance(one, ListNode) and isinstance(two, ListNode):
        return Entry(first.where, ListNode(one.where, one.items + two.items))
    if _are_same(one, two):
        return first
    # Without the values: they may be secrets.
    message = f"{kind_of(two)} conflicts with {kind_of(one)} in {_at(first)}"
    if isinstance(one, ScalarNode) and isinstance(two, ScalarNode):
        message = f"the value conflicts with the one in {_at(first)}"
    report.error(path, two.where, message)
    return first


def _unite(first: Entry, second: Entry, path: str, report: Report) -> Entry:
    one, two = first.node, second.node
    if not isinstance(one, MapNode) or not isinstance(two, MapNode):
        wrong = two if isinstance(one, MapNode) else one
        message = f"must be a mapping in every source that has it, not {kind_of(wrong)}"
        report.error(path, wrong.where, message)
        return first if isinstance(one, MapNode) else second
    entries = dict(one.entries)
    for key, entry in two.entries.items():
        if key in entries:
            message = f"{key} is already defined in {_at(entries[key])}"
            report.error(child(path, key), entry.where, message)
        else:
            entries[key] = entry
    return Entry(first.where, one.with_entries(entries))


def _is_empty(node: Node) -> bool:
    """Tell whether nothing at all is written; the word ``null`` is something."""
    return isinstance(node, ScalarNode) and node.value is None and not node.text


def _are_same(first: Node, second: Node) -> bool:
    return (
        isinstance(first, ScalarNode)
        and isinstance(second, ScalarNode)
        and first.text == second.text
        and type(first.value) is type(second.value)
    )


def _at(entry: Entry) -> str:
    return f"{entry.where.source}:{entry.where.line}"
