"""Identifiers. ``NewType`` so that mypy tells a model id from an alias."""

from typing import NewType

ModelId = NewType("ModelId", str)
"""The key of a model in the configuration: its real id, never an alias."""

TicketId = NewType("TicketId", int)
"""Number of one request to the router; unique within a process, increasing."""

RunId = NewType("RunId", int)
"""Number of one start of one model process; results with an old number are stale."""

UnloadId = NewType("UnloadId", int)
"""Number of one unload request."""
