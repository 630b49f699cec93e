"""The tables, and how an older database gets what it lacks.

A database that the reference program made is taken as it is: its columns keep their names
and meaning, ours are added, and its table of migrations is left alone.
"""

import sqlite3
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from swapper.core.clock import unix_time

_INTEGER: Final = "INTEGER NOT NULL DEFAULT 0"
_REAL: Final = "REAL NOT NULL DEFAULT 0"
_TEXT: Final = "TEXT NOT NULL DEFAULT ''"

ACTIVITY: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ts_created": _INTEGER,
        "model_id": _TEXT,
        "req_path": _TEXT,
        "resp_content_type": _TEXT,
        "resp_status_code": _INTEGER,
        "cache_tokens": _INTEGER,
        "draft_tokens": _INTEGER,
        "draft_acc_tokens": _INTEGER,
        "input_tokens": _INTEGER,
        "output_tokens": _INTEGER,
        "prompt_per_second": _REAL,
        "tokens_per_second": _REAL,
        "duration_ms": _INTEGER,
        "error_msg": _TEXT,
        "metadata_json": _TEXT,
        # From here on: not in the reference.
        "request_id": _TEXT,
        "queue_ms": _INTEGER,
        "load_ms": _INTEGER,
        "first_byte_ms": "INTEGER NOT NULL DEFAULT -1",
        "is_truncated": _INTEGER,
    }
)
"""Columns of the table ``activity`` beside ``id``, and how they are declared."""


class ForeignTableError(Exception):
    """A table has our name but is somebody else's."""


def _create_activity(connection: sqlite3.Connection) -> None:
    columns = ", ".join(f"{name} {what}" for name, what in ACTIVITY.items())
    connection.execute(
        "CREATE TABLE IF NOT EXISTS activity"
        f" (id INTEGER PRIMARY KEY AUTOINCREMENT, {columns})"
    )
    there = {row[1] for row in connection.execute("PRAGMA table_info(activity)")}
    if "id" not in there:
        raise ForeignTableError("its table `activity` is that of another program")
    for name, what in ACTIVITY.items():
        if name not in there:
            connection.execute(f"ALTER TABLE activity ADD COLUMN {name} {what}")
    connection.execute(
        "CREATE INDEX IF NOT EXISTS activity_by_time"
        " ON activity (ts_created DESC, id DESC)"
    )
    connection.execute(
        "CREATE INDEX IF NOT EXISTS activity_by_model"
        " ON activity (model_id, ts_created DESC, id DESC)"
    )


def _create_swap_times(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS swap_times (model_id TEXT PRIMARY KEY,"
        " load_s REAL, stop_s REAL, updated INTEGER NOT NULL)"
    )


def _create_model_needs(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS model_needs (model_id TEXT PRIMARY KEY,"
        " basis TEXT NOT NULL, ram_bytes INTEGER, gpu_bytes TEXT,"
        " updated INTEGER NOT NULL)"
    )


def _add_failed_loads(connection: sqlite3.Connection) -> None:
    connection.execute(
        "ALTER TABLE model_needs ADD COLUMN at_least TEXT NOT NULL DEFAULT '{}'"
    )


_STEPS: Final[tuple[Callable[[sqlite3.Connection], None], ...]] = (
    _create_activity,
    _create_swap_times,
    _create_model_needs,
    _add_failed_loads,
)
"""Each brings a database from its number to the next; only ever added to."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to the newest schema, all at once or not at all.

    Steps only add, so what a newer swapper made can be used by this one.

    Raises:
        sqlite3.Error: the database cannot be changed, or is none.
        ForeignTableError: see there.
    """
    if _done(connection) >= len(_STEPS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS swapper_migrations"
            " (step INTEGER PRIMARY KEY, applied INTEGER NOT NULL)"
        )
        # Looked at again: another process may have been faster.
        for number, step in enumerate(_STEPS[_done(connection) :], _done(connection)):
            step(connection)
            connection.execute(
                "INSERT INTO swapper_migrations VALUES (?, ?)",
                (number + 1, int(unix_time())),
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _done(connection: sqlite3.Connection) -> int:
    """Return how many steps a database has behind it."""
    is_there = connection.execute(
        "SELECT 1 FROM sqlite_master WHERE name = 'swapper_migrations'"
    ).fetchone()
    if not is_there:
        return 0
    (step,) = connection.execute("SELECT max(step) FROM swapper_migrations").fetchone()
    return int(step or 0)
