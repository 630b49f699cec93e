"""YAML text to nodes. The only module that knows ruamel.yaml.

Takes the parser's events and builds the tree itself: a composer of our own
keeps the source line of every key, reports a duplicate key with both places,
treats keys as text, and bounds what aliases can grow to. Every exception of
ruamel becomes a ``ConfigError`` here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import Final, NamedTuple, Never

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamStartEvent,
)
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner
from ruamel.yaml.tokens import ScalarToken, Token

from swapper.config.document import (
    Entry,
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    Where,
    child,
    is_null,
)
from swapper.config.read.scalars import resolve_scalar
from swapper.config.read.sources import Source
from swapper.config.report import Report, problem_at
from swapper.core.errors import ConfigError

MAX_DEPTH: Final = 64
MAX_NODES: Final = 1_000_000
"""Values of a document, each alias counted as the copy it stands for."""
MAX_WRITTEN: Final = 100_000
"""Values as written; reading that many takes some ten seconds."""

_MERGE_KEY: Final = "<<"

# What ruamel raises besides its own errors for some malformed texts, e.g. a
# ``\U`` escape beyond Unicode or a ``%YAML`` directive of another version.
_LEAKS: Final = (
    ValueError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    OverflowError,
    NotImplementedError,
    RecursionError,
)


def read_document(source: Source, report: Report) -> Node | None:
    """Return the first document of *source*; None if there is nothing in it.

    Duplicate keys are reported and the first one is kept.

    Raises:
        ConfigError: not YAML, nested too deeply, or too many nodes.
    """
    return _Composer(source, report).document()


def content_spans(text: str) -> list[tuple[int, int]] | None:
    """Return (start, end) of every token, in order; None if *text* is no YAML.

    What lies between them is white space and comments.
    """
    depth = 0
    try:
        for event in _yaml().parse(text):
            depth += isinstance(event, CollectionStartEvent)
            depth -= isinstance(event, CollectionEndEvent)
            if depth > MAX_DEPTH:
                return None
        return [_span(token, text) for token in _yaml().scan(text)]
    except (YAMLError, *_LEAKS):
        return None


def _span(token: Token, text: str) -> tuple[int, int]:
    start: int = token.start_mark.index
    end: int = token.end_mark.index
    if isinstance(token, ScalarToken) and token.style in ("|", ">"):
        # The token includes its header line, which may end in a comment.
        start = max(start, text.find("\n", start))
    return start, end


class _TabScanner(Scanner):
    """Also takes tabs as white space after a value, as other YAML readers do."""

    def scan_to_next_token(self) -> None:
        super().scan_to_next_token()
        while not self.allow_simple_key and self.reader.peek() == "\t":
            self.reader.forward()
            super().scan_to_next_token()

    def scan_plain_spaces(self, indent: int, start_mark: object) -> list[str] | None:
        chunks: list[str] | None = super().scan_plain_spaces(indent, start_mark)
        if chunks is None or self.allow_simple_key or self.reader.peek() != "\t":
            return chunks
        while self.reader.peek() in (" ", "\t"):
            chunks.append(self.reader.peek())
            self.reader.forward()
        if self.reader.peek() in ("\r", "\n"):
            return super().scan_plain_spaces(indent, start_mark)  # type: ignore[no-any-return]  # ruamel says Any
        return chunks


def _yaml() -> YAML:
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _TabScanner
    return yaml


def _parse_events(source: Source) -> Iterator[Event]:
    with _translated(source):
        yield from _yaml().parse(source.text)


@contextmanager
def _translated(source: Source) -> Iterator[None]:
    """Turn ruamel's errors into ``ConfigError``."""
    try:
        yield
    except MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line = mark.line + 1 if mark else 0
        reason = ", ".join(part for part in (exc.problem, exc.context) if part)
        message = f"not valid YAML: {reason}{_hint(source, line)}"
        raise ConfigError(problem_at(Where(source.name, line), message)) from exc
    except ReaderError as exc:
        line = source.text.count("\n", 0, exc.position) + 1
        message = f"character U+{int(exc.character):04X} is not allowed in YAML"
        raise ConfigError(problem_at(Where(source.name, line), message)) from exc
    except (YAMLError, *_LEAKS) as exc:
        message = f"not valid YAML: {exc}"
        raise ConfigError(problem_at(Where(source.name, 0), message)) from exc


def _hint(source: Source, line: int) -> str:
    text = source.text.split("\n")[line - 1 : line]
    if text and "${" in text[0]:
        return " (inside [ ] or { }, a ${...} needs quotes)"
    if text and "\t" in text[0]:
        return " (indent with spaces, not with tabs)"
    return ""


class _Built(NamedTuple):
    node: Node
    size: int
    height: int


class _Composer:
    """Builds the nodes of one document; lives for one call.

    Recursive, one level per level of nesting, which ``MAX_DEPTH`` bounds.
    """

    def __init__(self, source: Source, report: Report) -> None:
        self._source = source
        self._report = report
        self._events = _parse_events(source)
        self._anchors: dict[str, _Built | None] = {}  # None while being built
        self._nodes = 0
        self._written = 0

    def document(self) -> Node | None:
        """Return the root node; None if there is none."""
        if not isinstance(next(self._events), StreamStartEvent):
            return None
        if not isinstance(next(self._events), DocumentStartEvent):
            return None
        root = self._node(next(self._events), "", 1).node
        return None if is_null(root) else root

    def _node(self, event: Event, path: str, depth: int) -> _Built:
        where = self._where(event)
        if isinstance(event, AliasEvent):
            built = self._aliased(event, where)
        else:
            if isinstance(event, NodeEvent) and event.anchor is not None:
                self._anchors[event.anchor] = None
            built = self._fresh(event, where, path, depth)
            if isinstance(event, NodeEvent) and event.anchor is not None:
                self._anchors[event.anchor] = built
        self._nodes += built.size if isinstance(event, AliasEvent) else 1
        if self._nodes > MAX_NODES:
            self._fail(where, f"more than {MAX_NODES} values, aliases expanded")
        if depth + built.height > MAX_DEPTH:
            self._fail(where, f"nested more than {MAX_DEPTH} levels deep")
        return built

    def _fresh(self, event: Event, where: Where, path: str, depth: int) -> _Built:
        self._written += 1
        if self._written > MAX_WRITTEN:
            self._fail(where, f"more than {MAX_WRITTEN} values")
        if isinstance(event, CollectionStartEvent):
            if depth > MAX_DEPTH:
                self._fail(where, f"nested more than {MAX_DEPTH} levels deep")
            if isinstance(event, MappingStartEvent):
                return self._mapping(where, path, depth)
            return self._list(where, path, depth)
        if not isinstance(event, ScalarEvent):
            self._fail(where, f"unexpected {type(event).__name__}")
        return _Built(self._scalar(event, where), 1, 0)

    def _aliased(self, event: AliasEvent, where: Where) -> _Built:
        if event.anchor not in self._anchors:
            self._fail(where, f"alias *{event.anchor} has no anchor before it")
        built = self._anchors[event.anchor]
        if built is None:
            self._fail(where, f"alias *{event.anchor} contains itself")
        return built

    def _scalar(self, event: ScalarEvent, where: Where) -> ScalarNode:
        text: str = event.value
        try:
            text.encode()
            value = resolve_scalar(text, tag=event.tag, is_plain=not event.style)
        except UnicodeEncodeError:
            self._fail(where, "an escape makes half a character (a lone surrogate)")
        except ValueError as exc:
            self._fail(where, str(exc))
        return ScalarNode(where, value, value if isinstance(value, str) else text)

    def _list(self, where: Where, path: str, depth: int) -> _Built:
        built: list[_Built] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            built.append(self._node(event, f"{path}[{len(built)}]", depth + 1))
        node = ListNode(where, tuple(item.node for item in built))
        return _around(node, built)

    def _mapping(self, where: Where, path: str, depth: int) -> _Built:
        entries: dict[str, Entry] = {}
        built: list[_Built] = []
        merged: Entry | None = None
        while not isinstance(event := next(self._events), MappingEndEvent):
            is_merge = _is_merge_key(event)
            key, key_where = self._key(event, path, depth)
            key_path = child(path, key)
            value = self._node(next(self._events), key_path, depth + 1)
            built.append(value)
            entry = Entry(key_where, value.node)
            earlier = merged if is_merge else entries.get(key)
            if earlier is not None:
                self._report_duplicate(key_path, key_where, earlier.where)
            elif is_merge:
                merged = entry
            else:
                entries[key] = entry
        if merged is not None:
            self._merge(merged, entries)
        merge_where = merged.where if merged else None
        return _around(MapNode(where, MappingProxyType(entries), merge_where), built)

    def _key(self, event: Event, path: str, depth: int) -> tuple[str, Where]:
        node = self._node(event, path, depth + 1).node
        if not isinstance(node, ScalarNode):
            self._fail(self._where(event), "a key must be a single word or text")
        return node.text, self._where(event)

    def _merge(self, merged: Entry, entries: dict[str, Entry]) -> None:
        """Add what ``<<`` brings; own keys win, then the earlier mapping."""
        value = merged.node
        for node in value.items if isinstance(value, ListNode) else (value,):
            if not isinstance(node, MapNode):
                self._fail(merged.where, "<< needs a mapping or a list of mappings")
            for key, entry in node.entries.items():
                entries.setdefault(key, entry)

    def _report_duplicate(self, path: str, where: Where, first: Where) -> None:
        message = f"is already set on line {first.line}"
        self._report.error(path, where, message)

    def _where(self, event: Event) -> Where:
        return Where(self._source.name, event.start_mark.line + 1)

    def _fail(self, where: Where, message: str) -> Never:
        raise ConfigError(problem_at(where, message))


def _is_merge_key(event: Event) -> bool:
    return (
        isinstance(event, ScalarEvent)
        and event.value == _MERGE_KEY
        and not event.style
        and event.tag is None
    )


def _around(node: Node, children: list[_Built]) -> _Built:
    size = 1 + sum(child.size for child in children)
    height = 1 + max((child.height for child in children), default=0)
    return _Built(node, size, height)
