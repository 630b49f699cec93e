"""What is kept of models beside the activity log: swap times, and what they hold."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from swapper.config.learnt import Footprint, Learnt
from swapper.core.ids import ModelId
from swapper.record.database import looking_into

INSERT_TIMES: Final = "INSERT OR REPLACE INTO swap_times VALUES (?, ?, ?, ?)"
INSERT_NEEDS: Final = (
    "INSERT OR REPLACE INTO model_needs"
    " (model_id, basis, ram_bytes, gpu_bytes, at_least, updated)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)


@dataclass(frozen=True, slots=True)
class KnownTimes:
    """What the table ``swap_times`` knows of a model, in seconds; None if not known."""

    load_s: float | None
    stop_s: float | None


@dataclass(frozen=True, slots=True)
class Known:
    """All that is kept."""

    times: Mapping[ModelId, KnownTimes] = field(default_factory=dict)
    needs: Mapping[ModelId, Learnt] = field(default_factory=dict)


def look_up(path: str) -> Known:
    """Return what a file holds, and leave it as it is; any thread.

    Raises:
        StoreError: see ``looking_into``.
    """
    with looking_into(path) as connection:
        return Known(
            read_times(connection) if _has(connection, "swap_times", "load_s") else {},
            read_needs(connection)
            if _has(connection, "model_needs", "at_least")
            else {},
        )


def times_row(model: ModelId, times: KnownTimes, now: int) -> tuple[object, ...]:
    """Return what ``INSERT_TIMES`` takes; *now* in Unix seconds."""
    return model, times.load_s, times.stop_s, now


def needs_row(model: ModelId, learnt: Learnt, now: int) -> tuple[object, ...]:
    """Return what ``INSERT_NEEDS`` takes; *now* in Unix seconds."""
    footprint = learnt.footprint
    ram_bytes = None if footprint is None else footprint.ram_bytes
    by_gpu = None if footprint is None else footprint.gpu_bytes
    gpu_bytes = None if by_gpu is None else json.dumps(dict(by_gpu))
    at_least = json.dumps({name: str(n) for name, n in learnt.at_least.items()})
    return model, learnt.basis, ram_bytes, gpu_bytes, at_least, now


def read_times(connection: sqlite3.Connection) -> dict[ModelId, KnownTimes]:
    """Return the times of all models there are any of."""
    rows = connection.execute("SELECT model_id, load_s, stop_s FROM swap_times")
    return {
        ModelId(model): KnownTimes(load_s, stop_s) for model, load_s, stop_s in rows
    }


def read_needs(connection: sqlite3.Connection) -> dict[ModelId, Learnt]:
    """Return what was learnt of models; a row that makes no sense is left out."""
    rows = connection.execute(
        "SELECT model_id, basis, ram_bytes, gpu_bytes, at_least FROM model_needs"
    )
    found = {}
    for model, basis, ram_bytes, gpu_bytes, at_least in rows:
        with suppress(ValueError, TypeError, AttributeError, ZeroDivisionError):
            found[ModelId(model)] = Learnt(
                basis=basis,
                footprint=_footprint(ram_bytes, gpu_bytes),
                at_least={k: Fraction(v) for k, v in json.loads(at_least).items()},
            )
    return found


def _has(connection: sqlite3.Connection, table: str, column: str) -> bool:
    """Tell whether a file is new enough to have something."""
    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
    return (column,) in rows.fetchall()


def _footprint(ram_bytes: int | None, gpu_bytes: str | None) -> Footprint | None:
    if ram_bytes is None:
        return None
    by_gpu: Mapping[str, int] | None = json.loads(gpu_bytes) if gpu_bytes else None
    return Footprint(
        ram_bytes=int(ram_bytes),
        gpu_bytes=None
        if by_gpu is None
        else {int(gpu): int(held) for gpu, held in by_gpu.items()},
    )
