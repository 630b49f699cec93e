"""Finds the best combination of a matrix without listing them (config.md 13.4).

What counts of a combination is which of a few *wanted* models it holds: a mask of
bits. By the book, every expression has a list of masks, in an order that decides
ties: the masks of its parts one after the other (``|``) or all their unions, the
first part's outermost (``&``); a mask that another one contains leaves the list.
The answer is the first of the heaviest masks. Such lists explode, so a list made here
leaves out what cannot become that answer, using two facts about the place where
an expression stands:

* *outside*: its models that other factors of an ``&`` around it mention as well.
  Only about these does it matter for the weight what a mask holds: a mask goes if
  another one has as many of them and the rest of it is heavier.
* *shared*: those, and where there are any, its models that other choices of a
  ``|`` around it mention. If masks differ only in other models of the same weight,
  they have the same future, and the first will do.

An expression that shares nothing with its surroundings is one mask. So the work
grows with the number of places where wanted models stand, and only sets that
mention many of them in several factors at once take more. Choosing among
those is a covering problem, hard in general: a list is cut to ``MAX_OPTIONS`` masks,
after which the answer is still a combination, but may not be the best one.
Pure.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from swapper.config.expressions import AllOf, AnyOf, Expression, Insert, MatrixSet, One
from swapper.core.ids import ModelId

MAX_OPTIONS: Final = 200
"""Longest list of masks that is kept for one expression."""

_MAX_SURROUNDINGS: Final = 8
"""A set inserted at more different places is solved once for all further ones."""


@dataclass(slots=True, eq=False)
class _Node:
    """An expression; every model and every set is one node, however often it is used.

    Attributes:
        number: larger than those of the parts.
        model: None unless it is a model.
        is_choice: one of the parts, not all of them.
        parents: where it stands: parent and place among the parent's parts.
    """

    number: int
    model: ModelId | None
    is_choice: bool
    parts: tuple["_Node", ...]
    parents: list[tuple["_Node", int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Others:
    """The parts of an ``&`` that mention no wanted model."""

    node: _Node


_Witness: TypeAlias = "_Node | _Others | tuple[_Witness, _Witness]"
"""How a mask came about; ``_Search.models_of`` makes names of it."""

_Options: TypeAlias = dict[int, _Witness]
"""Mask -> its first witness, in the order of the list."""


class Combination:
    """The best combination of one set.

    Attributes:
        set_name: the set.
        held: the wanted models that it holds.
        weight: of these together.
    """

    __slots__ = ("_search", "_witness", "held", "set_name", "weight")

    def __init__(
        self, set_name: str, mask: int, witness: _Witness, search: "_Search"
    ) -> None:
        self.set_name = set_name
        self.held = search.wanted_in(mask)
        self.weight = search.weight(mask)
        self._search = search
        self._witness = witness

    def models(self) -> tuple[ModelId, ...]:
        """Return all models of it, wanted or not; sorted."""
        return tuple(sorted(self._search.models_of(self._witness)))


class Combinations:
    """The combinations of a matrix. Immutable once made: any thread."""

    __slots__ = ("_models", "_sets")

    def __init__(self, sets: Iterable[MatrixSet]) -> None:
        """Take sets in evaluation order."""
        self._models: dict[ModelId, _Node] = {}
        self._sets: dict[str, _Node] = {}
        numbers = iter(range(2**63))
        for matrix_set in sets:
            self._sets[matrix_set.name] = self._node(matrix_set.expression, numbers)

    def _node(self, expression: Expression, numbers: Iterator[int]) -> _Node:
        match expression:
            case One(model):
                node = self._models.get(model)
                if node is None:
                    node = _Node(next(numbers), model, False, ())
                    self._models[model] = node
                return node
            case Insert(name):
                return self._sets[name]
            case AllOf(parts) | AnyOf(parts):
                made = tuple(self._node(part, numbers) for part in parts)
                node = _Node(next(numbers), None, isinstance(expression, AnyOf), made)
                for place, part in enumerate(made):
                    part.parents.append((node, place))
                return node

    def best(
        self, weights: Mapping[ModelId, int], mentioning: ModelId
    ) -> Iterator[Combination]:
        """Yield the heaviest combination of each set that mentions a model, in order.

        Of several equally heavy ones it is the first.

        Args:
            weights: of the wanted models, each at least 1.
            mentioning: one of them.
        """
        search = _Search(weights, self._models)
        bit = search.bits.get(mentioning, 0)
        for name, root in self._sets.items():
            if search.masks.get(root, 0) & bit:
                ((mask, witness),) = search.options(root, 0, 0).items()
                yield Combination(name, mask, witness, search)

    def can_run_together(self, models: Collection[ModelId]) -> bool:
        """Tell whether one combination holds all of *models*; one can always run."""
        wanted = dict.fromkeys(models, 1)
        if len(wanted) < 2:
            return True
        first = next(iter(wanted))
        return any(found.weight == len(wanted) for found in self.best(wanted, first))


class _Search:
    """The answers to one question; see the module for the words.

    Attributes:
        bits: of the wanted models that some set mentions.
        masks: the wanted models that a node mentions; only nodes with any.
    """

    def __init__(
        self, weights: Mapping[ModelId, int], nodes: Mapping[ModelId, _Node]
    ) -> None:
        wanted = [model for model in weights if model in nodes]
        self.bits = {model: 1 << number for number, model in enumerate(wanted)}
        self.masks: dict[_Node, int] = {}
        self._places: dict[_Node, list[int]] = {}
        self._weights = {0: 0}
        self._weights.update((self.bits[model], weights[model]) for model in wanted)
        self._options: dict[_Node, dict[tuple[int, int], _Options]] = {}
        self._mark(nodes[model] for model in wanted)

    def _mark(self, leaves: Iterable[_Node]) -> None:
        """Fill *masks* and the places of the parts that are in it."""
        left, seen = list(leaves), set[_Node]()
        while left:
            node = left.pop()
            if node not in seen:
                seen.add(node)
                left.extend(parent for parent, _ in node.parents)
        for node in sorted(seen, key=lambda node: node.number):
            mask = self.masks.get(node, 0)
            if node.model is not None:
                mask = self.masks[node] = self.bits[node.model]
            for parent, place in node.parents:
                self.masks[parent] = self.masks.get(parent, 0) | mask
                self._places.setdefault(parent, []).append(place)
        for places in self._places.values():
            places.sort()

    def wanted_in(self, mask: int) -> frozenset[ModelId]:
        """Return the models of a mask."""
        return frozenset(model for model, bit in self.bits.items() if mask & bit)

    def weight(self, mask: int) -> int:
        """Return the sum of the weights of a mask."""
        known = self._weights.get(mask)
        if known is None:
            known, left = 0, mask
            while left:
                rest = left & (left - 1)
                known += self._weights[left ^ rest]
                left = rest
            self._weights[mask] = known
        return known

    def options(self, node: _Node, outside: int, shared: int) -> _Options:
        """Return the masks of a node that may matter at such a place, in order."""
        mask = self.masks[node]
        if not mask & (mask - 1):
            return {mask: node}
        known = self._options.setdefault(node, {})
        key = outside & mask, shared & mask
        if any(key) and key not in known and len(known) >= _MAX_SURROUNDINGS:
            key = mask, mask  # right everywhere, but with longer lists
        if key not in known:
            solve = self._options_of_any if node.is_choice else self._options_of_all
            known[key] = solve(node, *key)
        return known[key]

    def _options_of_any(self, node: _Node, outside: int, shared: int) -> _Options:
        parts = [node.parts[place] for place in self._places[node]]
        inner = shared | self._repeated(parts) if outside else shared
        found: _Options = {}
        for part in parts:
            mask = self.masks[part]
            if not mask & (mask - 1):
                found.setdefault(mask, part)
                continue
            for option, witness in self.options(part, outside, inner).items():
                found.setdefault(option, witness)
        return self._reduced(found, outside, shared)

    def _options_of_all(self, node: _Node, outside: int, shared: int) -> _Options:
        parts = [node.parts[place] for place in self._places[node]]
        repeated = self._repeated(parts)
        to_come = [0]  # what the parts after each one mention, from the last
        for part in reversed(parts):
            to_come.append(to_come[-1] | self.masks[part])
        united: _Options = {0: _Others(node)}
        for part, later in zip(parts, to_come[-2::-1], strict=True):
            options = self.options(part, outside | repeated, shared | repeated)
            found: _Options = {}
            for mask, witness in united.items():
                for option, more in options.items():
                    found.setdefault(mask | option, (witness, more))
            united = self._reduced(found, outside | later, shared | later)
        return united

    def _repeated(self, parts: Iterable[_Node]) -> int:
        """Return what at least two of the parts mention."""
        once = twice = 0
        for part in parts:
            twice |= once & self.masks[part]
            once |= self.masks[part]
        return twice

    def _reduced(self, found: _Options, outside: int, shared: int) -> _Options:
        if len(found) < 2:
            return found
        if not shared:  # nor anything outside: the first of the heaviest
            heaviest = max(found, key=self.weight)
            return {heaviest: found[heaviest]}
        found = self._without_the_lighter(found, outside)
        found = self._without_the_contained(found, outside)
        found = self._without_the_alike(found, shared)
        return self._heaviest(found) if len(found) > MAX_OPTIONS else found

    def _without_the_lighter(self, found: _Options, outside: int) -> _Options:
        best: dict[int, int] = {}
        for mask in found:
            inside = self.weight(mask & ~outside)
            best[mask & outside] = max(best.get(mask & outside, 0), inside)
        if len(best) > MAX_OPTIONS:
            return self._heaviest(found)
        to_beat = {
            held: max(best[more] for more in best if held & more == held)
            for held in best
        }
        return {
            mask: witness
            for mask, witness in found.items()
            if self.weight(mask & ~outside) >= to_beat[mask & outside]
        }

    @staticmethod
    def _without_the_contained(found: _Options, outside: int) -> _Options:
        # Masks whose other models are fewer have just been left out as lighter.
        alike: dict[int, list[int]] = {}
        for mask in found:
            alike.setdefault(mask & ~outside, []).append(mask)
        return {
            mask: witness
            for mask, witness in found.items()
            if not any(
                mask & more == mask and mask != more for more in alike[mask & ~outside]
            )
        }

    def _without_the_alike(self, found: _Options, shared: int) -> _Options:
        kinds: dict[int, dict[int, int]] = {}  # own part -> shared part -> place
        for place, mask in enumerate(found):
            kinds.setdefault(mask & ~shared, {})[mask & shared] = place
        kept: dict[tuple[int, frozenset[int]], list[dict[int, int]]] = {}
        dropped: set[int] = set()
        for own, places in kinds.items():
            rivals = kept.setdefault((self.weight(own), frozenset(places)), [])
            if any(all(r[held] < at for held, at in places.items()) for r in rivals):
                dropped.update(own | held for held in places)
            else:
                rivals.append(places)
        return {mask: found[mask] for mask in found if mask not in dropped}

    def _heaviest(self, found: _Options) -> _Options:
        heaviest = set(sorted(found, key=self.weight, reverse=True)[:MAX_OPTIONS])
        return {mask: found[mask] for mask in found if mask in heaviest}

    def models_of(self, witness: _Witness) -> set[ModelId]:
        """Return all models of the combination that a witness stands for."""
        models: set[ModelId] = set()
        left, seen = [witness], set[int]()
        while left:
            part = left.pop()
            if id(part) in seen:
                continue
            seen.add(id(part))
            if isinstance(part, tuple):
                left.extend(part)
            elif isinstance(part, _Others):
                wanted = set(self._places[part.node])
                parts = enumerate(part.node.parts)
                left.extend(other for place, other in parts if place not in wanted)
            elif part.model is not None:
                models.add(part.model)
            elif part.is_choice:
                left.append(part.parts[self._places.get(part, [0])[0]])
            else:
                left.extend(part.parts)
        return models
