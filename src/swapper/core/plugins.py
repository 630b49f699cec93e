"""What other packages register for us: entry points, looked up when one is asked for."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


def registered(group: str, name: str) -> "tuple[EntryPoint, ...]":
    """Return what is registered under *name* in the entry point group. Any thread."""
    from importlib import metadata  # noqa: PLC0415 - dear, and most need no plug-in

    return tuple(metadata.entry_points(group=group, name=name))
