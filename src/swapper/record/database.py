"""One SQLite database: who writes, who reads, and what becomes of its errors.

One connection writes. Of a file, each read has a connection of its own: in WAL mode
readers and the writer do not wait for each other, however long a query takes, and a
short-lived connection leaves nothing behind in a request thread. In memory there is one
connection for both and a lock. That database holds no more rows than the configuration
allows, so a reader cannot keep the writer waiting for long; SQLite's own way to share it
(a shared cache) would have a reader fail instead of wait.

``sqlite3.Error`` becomes ``StoreError`` here and nowhere else.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import (
    AbstractContextManager,
    closing,
    contextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path
from typing import Final

from swapper.core.errors import SwapperError
from swapper.record.schema import ForeignTableError, migrate

logger = logging.getLogger(__name__)

BUSY_TIMEOUT_S: Final = 5.0
"""How long a writer waits for the writer of another process (http-api.md 21.2)."""


class StoreError(SwapperError):
    """The database of the activity log cannot be used."""


class Database:
    """A database with the tables of ``schema.py``.

    A file that fails is opened anew for the next transaction, so a disk that is full,
    read-only or gone for a while does no lasting harm.
    """

    def __init__(self, path: str) -> None:
        """Open or create it; blocks for as long as another process holds it locked.

        Args:
            path: of the file; "" keeps it in memory.

        Raises:
            StoreError: the file is no database, or none can be kept there.
        """
        self.path = path
        self._file = Path(path).absolute() if path else None
        # In memory it guards the connection, which readers and the writer share.
        self._lock: AbstractContextManager[object]
        self._lock = nullcontext() if path else threading.Lock()
        self._inode = (0, 0)
        self._writer: sqlite3.Connection | None = None
        with self._translated():
            self._writer = self._opened()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction: all of it is there in the end, or nothing. One thread.

        Raises:
            StoreError: it failed.
        """
        with self._lock, self._translated():
            connection = self._usable_writer()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                self._give_up(connection)
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees one state of the database. Any thread.

        Raises:
            StoreError: it cannot be read.
        """
        with self._lock, self._translated():
            if self._file is None:
                if self._writer is None:
                    raise StoreError("the activity log is closed")
                yield self._writer
                return
            with closing(_connected(self._file, "rw")) as connection:
                connection.execute("PRAGMA query_only = 1")
                connection.execute("BEGIN")
                yield connection

    def hurry(self) -> None:
        """Wait for other processes no longer than a second: swapper is ending."""
        if self._writer is not None:
            with suppress(sqlite3.Error):
                self._writer.execute("PRAGMA busy_timeout = 1000")

    def close(self) -> None:
        """Close it. The writer's thread."""
        with self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _usable_writer(self) -> sqlite3.Connection:
        """Return the writer; a new one if the last transaction failed or the file is gone."""
        if self._writer is not None and self._is_elsewhere():
            logger.warning(
                "the file of the activity log was taken away, a new one is made path=%s",
                self.path,
            )
            self._writer.close()
            self._writer = None
        if self._writer is None:
            self._writer = self._opened()
        return self._writer

    def _is_elsewhere(self) -> bool:
        """Return whether another file, or none, is where ours was."""
        return self._file is not None and _inode(self._file) != self._inode

    def _opened(self) -> sqlite3.Connection:
        connection = _connected(self._file, "rwc")
        try:
            if self._file is not None:
                _use_wal(connection)
                self._inode = _inode(self._file)
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_up(self, connection: sqlite3.Connection) -> None:
        """Take back a transaction that failed; a file is opened anew for the next one."""
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        if self._file is not None:
            connection.close()
            self._writer = None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ForeignTableError) as exc:
            raise StoreError(f"{self.path or 'in memory'}: {exc}") from exc


@contextmanager
def looking_into(path: str) -> Iterator[sqlite3.Connection]:
    """Lend a connection to a file that is not to be changed, not even to be made.

    Another process may be writing to it.

    Raises:
        StoreError: there is no such file, it is no database, or it cannot be read.
    """
    try:
        with closing(_connected(Path(path).absolute(), "ro")) as connection:
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as exc:
        raise StoreError(f"{path}: {exc}") from exc


def _connected(file: Path | None, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        ":memory:" if file is None else f"{file.as_uri()}?mode={mode}",
        uri=file is not None,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,  # transactions begin where the code says so
        check_same_thread=False,
    )
    # Text that another program wrote need not be UTF-8 to be shown.
    connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if str(mode).lower() != "wal":
        raise sqlite3.OperationalError(
            f"the file system does not allow write-ahead logging (got mode {mode!r})"
        )
    # A commit survives the end of this program, also a sudden one. A power cut may take
    # the last ones, but never harms the file.
    connection.execute("PRAGMA synchronous = NORMAL")


def _inode(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError:
        return (-1, -1)
    return status.st_dev, status.st_ino
