"""Hands out the numbers that ``${PORT}`` stands for (config.md 6.4)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from swapper.config.decode.section import Section
from swapper.config.document import MapNode, Where
from swapper.config.keys import TOP_LEVEL
from swapper.config.report import Report

HIGHEST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class PortsInUse:
    """What a reload has to leave alone.

    Attributes:
        start_port: ``startPort`` of the configuration in force; 0 if there is none.
        by_model: port of each of its models. They keep it, so that adding a model
            does not move those after it, unless ``startPort`` has changed.
        others: further ports that processes of ours still hold.
    """

    start_port: int = 0
    by_model: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    others: Collection[int] = ()


class Ports:
    """One load's ports, for models in byte order of their ids.

    Attributes:
        by_model: what has been handed out.
    """

    def __init__(
        self,
        document: MapNode,
        models: Collection[str],
        in_use: PortsInUse,
        report: Report,
    ) -> None:
        """Prepare.

        Args:
            document: has ``startPort``.
            models: ids of all models of this load.
            in_use: not to be handed out anew.
            report: takes warnings.
        """
        self._next = Section(document, "", report, TOP_LEVEL).integer("startPort")
        self._kept = (
            {id_: port for id_, port in in_use.by_model.items() if id_ in models}
            if in_use.start_port == self._next
            else {}
        )
        self._taken = {*self._kept.values(), *in_use.others}
        self._report = report
        self.by_model: dict[str, int] = {}

    def take(self, model_id: str, where: Where) -> int:
        """Return the port of a model whose command wants one."""
        port = self._kept.get(model_id)
        if port is None:
            while self._next in self._taken:
                self._next += 1
            port = self._next
            self._next += 1
        if port > HIGHEST_PORT:
            message = f"port {port} does not exist; lower startPort"
            self._report.warn(f"models.{model_id}", where, message)
        self.by_model[model_id] = port
        return port
