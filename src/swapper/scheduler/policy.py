"""The usual policy: whoever came first goes first, and nobody lingers."""

from collections.abc import Sequence

from swapper.core.ids import ModelId
from swapper.scheduler.base import ModelView, Ticket


class FirstCome:
    """Order of priority, then of the oldest ticket; swaps begin at once. Pure."""

    __slots__ = ()

    def arrived(self, ticket: Ticket, now: float) -> None:
        """Remember nothing; see ``SwapPolicy.arrived``."""

    def order(self, waiting: Sequence[ModelView], now: float) -> Sequence[ModelView]:  # noqa: ARG002 - the Protocol's shape
        """Return those of higher priority first, then those that came first."""
        return sorted(waiting, key=lambda model: (-model.priority, model.oldest.id))

    def not_before(
        self,
        target: ModelView,  # noqa: ARG002 - the Protocol's shape
        evict: Sequence[ModelView],  # noqa: ARG002 - likewise
        now: float,
    ) -> float:
        """Return *now*: there is nothing to wait for."""
        return now

    def why(self, target: ModelId, now: float) -> str:  # noqa: ARG002 - the Protocol's shape
        """Return "": nothing is put off."""
        return ""
