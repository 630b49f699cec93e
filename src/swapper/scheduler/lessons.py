"""What a scheduler learns of its models' needs, and the planner that knows it.

A planner is pure: what it shall know is given to it anew. That is done here, in the
router thread, so that needs have one writer like everything else a scheduler knows.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Protocol

from swapper.config.learnt import Footprint, Lack, Learnt
from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId
from swapper.planner.base import Learning, Planner


class LearntNeeds(Protocol):
    """Keeps what was learnt, for as long as the implementation likes.

    Called in the router thread: no method may block, so one that writes to a disk
    leaves that to another thread.
    """

    def all(self) -> Mapping[ModelId, Learnt]:
        """Return what was put, of all models."""
        ...

    def put(self, model: ModelId, learnt: Learnt) -> None:
        """Keep *learnt* in place of what is known of the model."""
        ...


class MemoryNeeds:
    """Forgets everything at the end of the process."""

    __slots__ = ("_known",)

    def __init__(self, known: Mapping[ModelId, Learnt] | None = None) -> None:
        self._known = dict(known or {})

    def all(self) -> Mapping[ModelId, Learnt]:
        """Return what was put, of all models."""
        return self._known

    def put(self, model: ModelId, learnt: Learnt) -> None:
        """Keep *learnt* in place of what is known of the model."""
        self._known[model] = learnt


class Lessons:
    """One per scheduler; router thread only.

    Attributes:
        planner: the one in force, which knows all that was learnt.
    """

    __slots__ = ("_models", "_needs", "planner")

    def __init__(
        self,
        planner: Planner,
        models: Mapping[ModelId, ModelConfig],
        needs: LearntNeeds,
    ) -> None:
        """Teach *planner* what *needs* has of these models."""
        self._models, self._needs = models, needs
        self.planner = planner
        self._taught()

    def change(
        self, planner: Planner, models: Mapping[ModelId, ModelConfig]
    ) -> Planner:
        """Take over another configuration; return the planner in force from now on.

        What was learnt of another command than a model has now is of no worth. That
        loads have failed is forgotten: somebody may have mended what they failed for.
        """
        self._models, self.planner = models, planner
        for id_, known in list(self._needs.all().items()):
            if known.at_least:
                self._needs.put(id_, replace(known, at_least=MappingProxyType({})))
        return self._taught()

    def measured(self, model: ModelConfig, footprint: Footprint) -> str:
        """Note what a run holds; return what to tell of it, "" for nothing.

        Args:
            model: what the run was made of.
            footprint: measured when it was ready.
        """
        if not isinstance(self.planner, Learning):
            return ""
        self._needs.put(model.id, replace(self._known(model), footprint=footprint))
        self._taught()
        return self.planner.lesson(model.id)

    def alone(self, model: ModelId) -> str:
        """Return why a model runs alone, "" if it does not, or nobody can say."""
        return self.planner.alone(model) if isinstance(self.planner, Learning) else ""

    def failed(
        self, model: ModelConfig, beside: Collection[ModelId], lack: Lack
    ) -> str:
        """Note that a load has failed for lack of memory.

        Args:
            model: what the run was made of.
            beside: what ran beside it.
            lack: of what.

        Returns:
            What it needs by now, in words; "" if nobody beside could make room.
        """
        if not isinstance(self.planner, Learning):
            return ""
        more = self.planner.needs_more(model.id, beside, lack)
        if not more:
            return ""
        known = self._known(model)
        at_least = MappingProxyType({**known.at_least, **more})
        self._needs.put(model.id, replace(known, at_least=at_least))
        self._taught()
        return self.planner.in_words(more)

    def _known(self, model: ModelConfig) -> Learnt:
        known = self._needs.all().get(model.id)
        if known is None or known.basis != model.basis:
            return Learnt(basis=model.basis)
        return known

    def _taught(self) -> Planner:
        if isinstance(self.planner, Learning):
            holds = {
                id_: known
                for id_, known in self._needs.all().items()
                if id_ in self._models and known.basis == self._models[id_].basis
            }
            self.planner = self.planner.with_learnt(holds)
        return self.planner
