"""What is learnt of a model's needs: what it held after a load, or failed to get.

Which resource of a budget is which figure is told by its name, if it is one of bytes:

* ``ram``: resident memory of the process and its descendants;
* ``gpu0``, ``gpu1`` ... or ``vram0``, ``vram1`` ...: memory on the GPU of that number;
* ``gpu`` or ``vram``: memory on all GPUs together.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import Final, TypeAlias

Amounts: TypeAlias = Mapping[str, Fraction]
"""By resource; in bytes if it was written with a unit."""

RAM: Final = "ram"
"""Name of the resource that is resident memory."""

_GPU: Final = re.compile(r"(?:gpu|vram)(0|[1-9][0-9]{0,3})?")


def can_be_measured(resource: str) -> bool:
    """Tell whether a resource of bytes has the name of something that is measured."""
    return resource == RAM or _GPU.fullmatch(resource) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a model's processes held when it had just become ready.

    Attributes:
        ram_bytes: resident memory of all of them.
        gpu_bytes: by number of the GPU; one that is absent: nothing. None if no tool
            tells.
    """

    ram_bytes: int
    gpu_bytes: Mapping[int, int] | None = None

    def of(self, resource: str) -> int | None:
        """Return the bytes of a resource, by its name; None if they are not known."""
        if resource == RAM:
            return self.ram_bytes
        named = _GPU.fullmatch(resource)
        if named is None or self.gpu_bytes is None:
            return None
        if named[1] is None:
            return sum(self.gpu_bytes.values())
        return self.gpu_bytes.get(int(named[1]), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What is known of one model beside what the configuration says.

    Attributes:
        basis: ``ModelConfig.basis`` of the process it was learnt from; of no worth for
            another one.
        footprint: of its last load; None if it was never measured.
        at_least: what it needs, for a load has failed with less; by resource.
    """

    basis: str = ""
    footprint: Footprint | None = None
    at_least: Amounts = field(default_factory=lambda: MappingProxyType({}))


class Lack(Enum):
    """What kind of memory a load has failed for."""

    RAM = "RAM"
    GPU = "GPU"
    UNTOLD = "untold"
