"""Applies macros to a document (config.md sections 3 and 6).

Top-level settings see the global macros. A model sees ``MODEL_ID``, the global
macros and its own; ``PORT`` as well, if its ``cmd`` asks for a port.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from swapper.config.commands import remove_comment_lines
from swapper.config.document import (
    Entry,
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    child,
    describe,
    empty_map,
    is_null,
)
from swapper.config.keys import TOP_LEVEL
from swapper.config.macros.ports import Ports, PortsInUse
from swapper.config.macros.scope import (
    MODEL_ID,
    PID,
    PORT,
    RESERVED,
    Macros,
    MacroValue,
    declare,
    macro_text,
    references,
)
from swapper.config.report import Report, problem_at
from swapper.core.errors import ConfigError

DEFAULT_PROXY: Final = f"http://localhost:${{{PORT}}}"
MAX_VALUE_CHARS: Final = 1024 * 1024
"""Longest value: macros that double each other must not eat the memory."""
MAX_EXPANDED_CHARS: Final = 64 * 1024 * 1024

_PORT_REFERENCE: Final = f"${{{PORT}}}"
_MOST_NAMED: Final = 10
_COMMANDS: Final = ("cmd", "cmdStop")
_FILTERS: Final = "filters"
_BY_ID: Final = "setParamsByID"


def expand_document(
    document: MapNode, in_use: PortsInUse, report: Report
) -> tuple[MapNode, Mapping[str, int]]:
    """Return *document* with every macro of every known section expanded.

    In the result, ``macros`` blocks are gone, comment lines are removed from
    commands, each model is a mapping with a ``proxy``, and models are in byte
    order of their ids. With it comes the port of each model that has one; those
    *in_use* are kept.

    Raises:
        ConfigError: models or macros are malformed, or the expanded text is
            too large. Other problems are only reported.
    """
    global_macros = declare(document.get("macros"), "macros", report)
    models = _models(document, report)
    own_macros = {
        model_id: declare(model.get("macros"), f"models.{model_id}.macros", report)
        for model_id, model in models.items()
    }
    report.raise_errors()

    expander = _Expander(report)
    entries = {
        key: Entry(entry.where, expander.tree(entry.node, key, global_macros))
        for key, entry in document.entries.items()
        if key in TOP_LEVEL and key not in ("models", "macros")
    }
    unknown = {k: e for k, e in document.entries.items() if k not in TOP_LEVEL}
    ports = Ports(document.with_entries(entries), models, in_use, report)
    expanded: dict[str, Entry] = {}
    for model_id, model in sorted(models.items()):
        macros = global_macros.overridden_by(own_macros[model_id])
        node = _expand_model(model_id, model, macros, expander, ports)
        expanded[model_id] = Entry(model.where, node)
    if "models" in document.entries:
        where = document.entries["models"].where
        entries["models"] = Entry(where, MapNode(where, MappingProxyType(expanded)))
    return document.with_entries({**entries, **unknown}), ports.by_model


def _models(document: MapNode, report: Report) -> dict[str, MapNode]:
    """Return the model mappings; a null one is an empty one."""
    node = document.get("models")
    if node is None:
        return {}
    if not isinstance(node, MapNode):
        message = f"must be a mapping of model ids to settings, not {describe(node)}"
        report.error("models", node.where, message)
        return {}
    models: dict[str, MapNode] = {}
    for model_id, entry in node.entries.items():
        if is_null(entry.node):
            models[model_id] = empty_map(entry.where)
        elif isinstance(entry.node, MapNode):
            models[model_id] = entry.node
        else:
            message = f"must be a mapping of settings, not {describe(entry.node)}"
            report.error(f"models.{model_id}", entry.node.where, message)
    return models


def _expand_model(
    model_id: str, model: MapNode, macros: Macros, expander: "_Expander", ports: Ports
) -> MapNode:
    path = f"models.{model_id}"
    entries = _prepared(model)
    macros = macros.preceded_by({MODEL_ID: model_id})
    # Whatever is left in cmd is ${PORT}, or an error that is reported below; then
    # nobody knows whether a port is wanted, and no second error should follow.
    if references(expander.text(entries.get("cmd"), macros)):
        macros = macros.preceded_by({PORT: ports.take(model_id, model.where)})
    elif _PORT_REFERENCE in expander.text(entries["proxy"], macros):
        expander.report_missing_port(path, entries["proxy"])
    expanded = {
        key: Entry(
            entry.where,
            expander.tree(
                entry.node,
                child(path, key),
                macros,
                kept=(PID,) if key == "cmdStop" else (),
            ),
        )
        for key, entry in entries.items()
    }
    _expand_names(expanded, child(path, _FILTERS), macros, expander)
    return model.with_entries(expanded)


def _expand_names(
    entries: dict[str, Entry], path: str, macros: Macros, expander: "_Expander"
) -> None:
    """Expand the keys of ``filters.setParamsByID``, the only ones with macros."""
    filters = entries.get(_FILTERS)
    if filters is None or not isinstance(filters.node, MapNode):
        return
    by_id = filters.node.entries.get(_BY_ID)
    if by_id is None or not isinstance(by_id.node, MapNode):
        return
    named = expander.keys(by_id.node, child(path, _BY_ID), macros)
    below = {**filters.node.entries, _BY_ID: Entry(by_id.where, named)}
    entries[_FILTERS] = Entry(filters.where, filters.node.with_entries(below))


def _prepared(model: MapNode) -> dict[str, Entry]:
    """Return the entries without macros and comments, and with a proxy."""
    entries = {key: entry for key, entry in model.entries.items() if key != "macros"}
    for key in _COMMANDS:
        node = model.get(key)
        if isinstance(node, ScalarNode) and isinstance(node.value, str):
            text = remove_comment_lines(node.value)
            bare = ScalarNode(node.where, text, text)
            entries[key] = Entry(model.entries[key].where, bare)
    if model.get("proxy") is None:
        where = model.where
        default = ScalarNode(where, DEFAULT_PROXY, DEFAULT_PROXY)
        entries["proxy"] = Entry(where, default)
    return entries


class _Expander:
    """Expands values and reports what stays unresolved; one per load."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._chars_left = MAX_EXPANDED_CHARS

    def tree(
        self, node: Node, path: str, macros: Macros, *, kept: tuple[str, ...] = ()
    ) -> Node:
        """Return *node* expanded at any depth.

        A reference in *kept* may stay in it, if it is a scalar.
        """
        match node:
            case ScalarNode():
                return self._scalar(node, path, macros, kept)
            case ListNode():
                items = tuple(
                    self.tree(item, f"{path}[{index}]", macros)
                    for index, item in enumerate(node.items)
                )
                return ListNode(node.where, items)
            case MapNode():
                entries = {
                    key: Entry(
                        entry.where, self.tree(entry.node, child(path, key), macros)
                    )
                    for key, entry in node.entries.items()
                }
                return node.with_entries(entries)

    def keys(self, node: MapNode, path: str, macros: Macros) -> MapNode:
        """Return *node* with its own keys expanded; two may not become equal."""
        entries: dict[str, Entry] = {}
        written: dict[str, str] = {}
        for key, entry in node.entries.items():
            name = ScalarNode(entry.where, key, key)
            expanded = self._scalar(name, child(path, key), macros, ()).text
            if expanded in entries:
                message = f"{written[expanded]} and {key} both become {expanded}"
                self._report.error(child(path, key), entry.where, message)
            written[expanded] = key
            entries[expanded] = entry
        return node.with_entries(entries)

    def text(self, entry: Entry | None, macros: Macros) -> str:
        """Return a text with *macros* expanded; "" if it is none."""
        node = entry.node if entry else None
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            return ""
        return macro_text(self._expanded(node.value, macros, node))

    def report_missing_port(self, path: str, proxy: Entry) -> None:
        """Report a proxy with a port that ``cmd`` never tells the model server."""
        message = (
            f"needs a port ({_PORT_REFERENCE}), but {path}.cmd does not contain "
            f"{_PORT_REFERENCE}: add it to cmd, or set proxy to the server's address"
        )
        self._report.error(child(path, "proxy"), proxy.where, message)

    def _scalar(
        self, node: ScalarNode, path: str, macros: Macros, kept: tuple[str, ...]
    ) -> ScalarNode:
        if not isinstance(node.value, str) or "${" not in node.value:
            return node
        value = self._expanded(node.value, macros, node)
        text = macro_text(value)
        left = [name for name in references(text) if name not in kept]
        if left:
            reasons = [_why_unresolved(n, path, macros) for n in left[:_MOST_NAMED]]
            more = len(left) - len(reasons)
            reasons += [f"and {more} more"] if more else []
            self._report.error(path, node.where, "; ".join(reasons))
        return ScalarNode(node.where, value, text)

    def _expanded(self, text: str, macros: Macros, node: ScalarNode) -> MacroValue:
        if "${" not in text:
            return text
        try:
            value = macros.expand(text, min(MAX_VALUE_CHARS, self._chars_left))
        except ValueError as exc:
            message = f"macro {exc} makes a value too long"
            raise ConfigError(problem_at(node.where, message)) from exc
        self._chars_left -= len(value) if isinstance(value, str) else 0
        return value


def _why_unresolved(name: str, path: str, macros: Macros) -> str:
    if name.startswith("env."):
        return f"environment variable {name.removeprefix('env.')} is not set"
    if name == PORT and path.startswith("models."):
        return "${PORT} has a value only if cmd contains ${PORT}"
    if name == PID:
        return "${PID} has a value only in cmdStop"
    if name in RESERVED:
        return f"${{{name}}} has a value only inside of a model"
    if name in macros.values:
        return f"macro {name} is declared after a macro that uses it; declare it first"
    return f"unknown macro {name}"
