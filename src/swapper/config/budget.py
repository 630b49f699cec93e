"""Budgets: how much there is of each resource, and how much of it each model takes.

A resource is a name of the user's choosing, ``gpu0`` or ``slots``; a quantity is a
number, or one with a unit of bytes. Quantities are exact, so that sums are.
"""

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import Final, TypeAlias

from swapper.config.learnt import (
    RAM,
    Amounts,
    Footprint,
    Lack,
    Learnt,
    can_be_measured,
)
from swapper.core.ids import ModelId

Needs: TypeAlias = Mapping[ModelId, Amounts]
"""What each model takes while it is not stopped; absent: nobody knows."""

_UNITS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "B": 1,
        "kB": 10**3,
        "MB": 10**6,
        "GB": 10**9,
        "TB": 10**12,
        "KiB": 2**10,
        "MiB": 2**20,
        "GiB": 2**30,
        "TiB": 2**40,
    }
)
_NUMBER: Final = (
    r"(?:[0-9]{1,20}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})(?:[eE][+-]?[0-9]{1,2})?"
)
QUANTITY_PATTERN: Final = f"^{_NUMBER} ?(?:{'|'.join(_UNITS)})?$"
"""What ``parse_quantity`` takes, for editors too."""

_QUANTITY: Final = re.compile(f"({_NUMBER}) ?({'|'.join(_UNITS)})?")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity as written.

    Attributes:
        amount: the number, or bytes if it has a unit.
        has_unit: whether it has one.
    """

    amount: Fraction
    has_unit: bool


def parse_quantity(text: str) -> Quantity:
    """Return what ``24GiB``, ``800 MB``, ``2`` or ``0.5`` means.

    Raises:
        ValueError: it is none of these; the message says what would be.
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(
            "must be a number, or one with a unit such as 24GiB or 800MB "
            f"({', '.join(_UNITS)})"
        )
    number, unit = match.groups()
    return Quantity(Fraction(number) * _UNITS.get(unit, 1), unit is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetConfig:
    """The settings of the budget router; ``decode`` has seen that they can be kept.

    Every model fits beside all pinned ones, so that stopping the others always
    makes room.

    Attributes:
        resources: how much there is of each, in file order.
        needs: what each model takes. One that is absent runs alone, but for those
            that are pinned.
        pinned: models that are not stopped to make room.
        in_bytes: the resources that are written with units.
    """

    resources: Amounts = field(default_factory=lambda: MappingProxyType({}))
    needs: Needs = field(default_factory=lambda: MappingProxyType({}))
    pinned: frozenset[ModelId] = frozenset()
    in_bytes: frozenset[str] = frozenset()

    def taken(self, models: Iterable[ModelId], resource: str) -> Fraction:
        """Return how much of a resource *models* take together, as far as known."""
        amounts = (self.needs.get(m, {}).get(resource, Fraction()) for m in models)
        return sum(amounts, Fraction())

    def exceeded(self, models: Collection[ModelId]) -> tuple[str, ...]:
        """Return the resources of which *models* together take more than there is."""
        return tuple(
            resource
            for resource, amount in self.resources.items()
            if self.taken(models, resource) > amount
        )

    @property
    def measured(self) -> tuple[str, ...]:
        """Return the resources of which can be measured what a model takes."""
        return tuple(
            name
            for name in self.resources
            if name in self.in_bytes and can_be_measured(name)
        )

    def untold(self, footprint: Footprint | None) -> tuple[str, ...]:
        """Return the measured resources that a footprint does not tell of."""
        return tuple(
            name
            for name in self.measured
            if footprint is None or footprint.of(name) is None
        )

    def with_learnt(self, learnt: Mapping[ModelId, Learnt]) -> "BudgetConfig":
        """Return the budget in which what was learnt of models counts.

        What was measured counts for who has no needs; of what cannot be measured such a
        model takes nothing. What a load has failed for counts for all. Nobody is
        taken to need more than what the pinned ones leave: that does not fit beside
        anybody else. Pinned ones need what they say.
        """
        needs = dict(self.needs)
        for model in learnt.keys() - self.pinned:
            known = learnt[model]
            amounts = self.needs.get(model, self._measured(known.footprint))
            if amounts is not None:
                raised = {
                    name: max(n, amounts.get(name, n))
                    for name, n in known.at_least.items()
                    if name in self.resources
                }
                needs[model] = MappingProxyType(self._capped({**amounts, **raised}))
        return replace(self, needs=MappingProxyType(needs))

    def more_than_free(
        self, model: ModelId, beside: Collection[ModelId], lack: Lack
    ) -> Amounts:
        """Return what a model needs at least, for what was free was not enough.

        A tenth more than that, for nobody knows.

        Args:
            model: whose load has failed.
            beside: what runs beside it.
            lack: what it failed for.

        Returns:
            Nothing if nobody could make room.
        """
        takes, movable = self.needs.get(model), set(beside) - self.pinned
        if takes is None or model in self.pinned:
            return {}
        found = {}
        for name in self._suspects(takes, lack):
            free = self.resources[name] - self.taken(beside, name)
            least = max(free, takes.get(name, Fraction())) * Fraction(11, 10)
            if name in self.in_bytes:
                least = Fraction(math.ceil(least))
            least = min(least, self.left_by_pinned(name))
            if least > free and self.taken(movable, name):
                found[name] = least
        return found

    def held(self, footprint: Footprint) -> Amounts:
        """Return a footprint by the names of this budget, as far as it tells."""
        figures = ((name, footprint.of(name)) for name in self.measured)
        return {name: Fraction(n) for name, n in figures if n is not None}

    def left_by_pinned(self, resource: str) -> Fraction:
        """Return how much there is for a model that is not pinned."""
        there = self.resources[resource] - self.taken(self.pinned, resource)
        return max(there, Fraction())

    def _measured(self, footprint: Footprint | None) -> Amounts | None:
        if footprint is None or not self.measured or self.untold(footprint):
            return None
        return self.held(footprint)

    def _capped(self, amounts: Amounts) -> Amounts:
        return {name: min(n, self.left_by_pinned(name)) for name, n in amounts.items()}

    def _suspects(self, takes: Amounts, lack: Lack) -> Iterable[str]:
        """Return the resources that may have been too little."""
        taken = [name for name in self.resources if takes.get(name)]
        of_bytes = [name for name in taken if name in self.in_bytes]
        kinds = {
            Lack.RAM: [name for name in of_bytes if name == RAM],
            Lack.GPU: [name for name in of_bytes if name != RAM],
            Lack.UNTOLD: of_bytes,
        }
        return kinds[lack] or of_bytes or taken or self.resources

    def can_run_together(self, models: Collection[ModelId]) -> bool:
        """Tell whether *models* may run at the same time, beside all pinned ones."""
        together = self.pinned.union(models)
        if len(together) > 1 and not self.needs.keys() >= together:
            return False
        return not self.exceeded(together)

    def words(self, amounts: Amounts) -> str:
        """Return amounts as people write them: ``14 GiB of gpu0, 2 GiB of ram``."""
        listed = (f"{self.text(name, n)} of {name}" for name, n in amounts.items() if n)
        return ", ".join(listed) or "nothing"

    def text(self, resource: str, amount: Fraction) -> str:
        """Return an amount as people write it: ``14 GiB``, ``2``."""
        if resource not in self.in_bytes:
            return _number_text(amount)
        unit = next(
            (u for u in ("TiB", "GiB", "MiB", "KiB") if abs(amount) >= _UNITS[u]), "B"
        )
        return f"{_number_text(amount / _UNITS[unit])} {unit}"


def _number_text(number: Fraction) -> str:
    return f"{float(number):.3f}".rstrip("0").rstrip(".")
