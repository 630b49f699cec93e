"""Macros: what ``${name}`` stands for, and how one text is expanded.

A scope is a list in the order of declaration. Expansion goes through it once,
from the last macro to the first; so a macro may use those declared before it,
never those after it (config.md section 6.3).
"""

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeAlias

from swapper.config.document import (
    MapNode,
    Node,
    ScalarNode,
    Timestamp,
    Where,
    child,
    describe,
)
from swapper.config.report import Report

MacroValue: TypeAlias = bool | int | float | str

MODEL_ID: Final = "MODEL_ID"
PORT: Final = "PORT"
PID: Final = "PID"
RESERVED: Final = frozenset({MODEL_ID, PORT, PID})

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_REFERENCE: Final = re.compile(r"\$\{([A-Za-z0-9_-]+|env\.[A-Za-z_][A-Za-z0-9_]*)\}")


# A dollar that could become part of a reference when a value is put next to it.
_LOOSE_DOLLAR: Final = re.compile(rf"\$(?!{_REFERENCE.pattern[2:]}|[^${{])")


class Macros:
    """The macros that one part of the file sees, in order; immutable."""

    __slots__ = ("_places", "values")

    def __init__(self, values: Mapping[str, MacroValue] | None = None) -> None:
        self.values: Mapping[str, MacroValue] = dict(values or {})
        self._places = {name: place for place, name in enumerate(self.values)}

    def overridden_by(self, own: "Macros") -> "Macros":
        """Return the macros of a model: its *own* take the place of ours."""
        return Macros({**self.values, **own.values})

    def preceded_by(self, values: Mapping[str, MacroValue]) -> "Macros":
        """Return a copy with *values* in front: whatever follows may use them."""
        return Macros({**values, **self.values})

    def expand(self, text: str, limit_chars: int) -> MacroValue:
        """Return *text* expanded.

        A text that is exactly one reference takes the macro's value and type.

        Raises:
            ValueError: the result has more than *limit_chars* characters.
        """
        for name in self._used_by(text):
            value = self.values[name]
            reference = f"${{{name}}}"
            if reference not in text:
                continue
            if text == reference:
                if not isinstance(value, str):
                    return value
                text = value
                continue
            inserted = macro_text(value)
            growth = text.count(reference) * (len(inserted) - len(reference))
            if len(text) + growth > limit_chars:
                raise ValueError(name)
            text = text.replace(reference, inserted)
        return text

    def _used_by(self, text: str) -> Sequence[str]:
        """Return all macros that can matter to *text*, the last one first."""
        used: set[str] = set()
        waiting = [text]
        while waiting:
            part = waiting.pop()
            if _LOOSE_DOLLAR.search(part):
                return tuple(reversed(self._places))
            for name in references(part):
                if name in self.values and name not in used:
                    used.add(name)
                    waiting.append(macro_text(self.values[name]))
        return sorted(used, key=self._places.__getitem__, reverse=True)


def declare(block: Node | None, path: str, report: Report) -> Macros:
    """Return the macros of a ``macros`` block; every bad one is reported."""
    if block is None:
        return Macros()
    if not isinstance(block, MapNode):
        message = f"must be a mapping of names to values, not {describe(block)}"
        report.error(path, block.where, message)
        return Macros()
    if block.merge_where is not None:
        message = "<< is no macro name (anchors work for the whole block only)"
        report.error(child(path, "<<"), block.merge_where, message)
    values: dict[str, MacroValue] = {}
    for name, entry in block.entries.items():
        value = _declared(name, entry.node, child(path, name), entry.where, report)
        if value is not None:
            values[name] = value
    return Macros(values)


def _declared(
    name: str, node: Node, path: str, where: Where, report: Report
) -> MacroValue | None:
    if not _NAME.fullmatch(name):
        message = "a macro name has 1 to 63 characters of A-Z a-z 0-9 _ -"
        report.error(path, where, message)
    elif name in RESERVED:
        report.error(path, where, f"the macro name {name} is reserved")
    elif not isinstance(node, ScalarNode) or isinstance(node.value, Timestamp | None):
        message = f"must be a text, number or boolean, not {describe(node)}"
        report.error(path, node.where, message)
    elif isinstance(node.value, str) and f"${{{name}}}" in node.value:
        report.error(path, node.where, f"macro {name} refers to itself")
    else:
        return node.value
    return None


def references(text: str) -> tuple[str, ...]:
    """Return the names in ``${...}`` of *text*, each once; environment macros too."""
    return tuple(dict.fromkeys(_REFERENCE.findall(text)))


def macro_text(value: MacroValue) -> str:
    """Return *value* as it is inserted into a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    return str(value)


def _float_text(value: float) -> str:
    """Return the shortest digits that round-trip, e.g. ``0.25``, ``1``, ``1e+06``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    shortest = Decimal(repr(value))
    exponent = shortest.adjusted()
    if shortest and not -4 <= exponent < 6:
        digits = "".join(map(str, shortest.normalize().as_tuple().digits))
        mantissa = f"{digits[0]}.{digits[1:]}" if digits[1:] else digits
        sign = "-" if value < 0 else ""
        return f"{sign}{mantissa}e{exponent:+03d}"
    return repr(value).removesuffix(".0")
