"""The activity log: one thread writes, everybody reads.

A request hands in its row and goes on; nothing it does can wait for the disk. The thread
writes what has come in one transaction, at most 20 a second. What cannot be written
waits, up to a limit, and is tried again every second: a disk that is full, read-only or
locked by somebody costs a warning, and rows only if it takes long.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from swapper.config.learnt import Learnt
from swapper.core.clock import unix_time
from swapper.core.errors import ConfigError, ConfigProblem, InboxClosedError
from swapper.core.ids import ModelId
from swapper.record.database import Database, StoreError
from swapper.record.known import (
    INSERT_NEEDS,
    INSERT_TIMES,
    KnownTimes,
    needs_row,
    read_needs,
    read_times,
    times_row,
)
from swapper.record.queries import (
    ActivityPage,
    ActivityQuery,
    read_page,
    read_statistics,
)
from swapper.record.row import Finished
from swapper.record.rows import INSERT, to_row
from swapper.record.statistics import Statistics
from swapper.sync import Inbox, OwnerThread, Reply

logger = logging.getLogger(__name__)

T = TypeVar("T")

BACKLOG_ROWS: Final = 4096
"""Rows that may wait for the disk; further ones are lost."""

_PACE_S: Final = 0.05
_RETRY_S: Final = 1.0
_END_S: Final = 3.0
_SWITCH_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A row that is in the database for good.

    Attributes:
        id: of the row; increasing, never used again.
        finished: what it tells.
    """

    id: int
    finished: Finished


OnStored: TypeAlias = Callable[[Sequence[Stored]], None]
"""Takes new rows, oldest first, in the thread ``store``; must neither block nor raise."""


@dataclass(frozen=True, slots=True)
class _PutTimes:
    model: ModelId
    times: KnownTimes


@dataclass(frozen=True, slots=True)
class _PutNeeds:
    model: ModelId
    learnt: Learnt


@dataclass(frozen=True, slots=True)
class _Use:
    """Go on with another database, or another limit; *done* is told."""

    database: Database | None
    max_rows: int
    done: Reply[None]


@dataclass(frozen=True, slots=True)
class _End:
    pass


_Message: TypeAlias = Finished | _PutTimes | _PutNeeds | _Use | _End


class Store:
    """Thread ``store``. Other methods: any thread; ``add`` and ``put_...`` never block."""

    def __init__(
        self, path: str, max_rows: int, listeners: Sequence[OnStored] = ()
    ) -> None:
        """Open the database.

        Args:
            path: of the file; "" keeps the log in memory.
            max_rows: how many rows are kept in memory; a file keeps all.
            listeners: told of each batch that was committed, one after the other.

        Raises:
            ConfigError: the file is no database, or none can be kept there.
        """
        self._database = _opened(path)  # replaced by the thread only
        self._max_rows = max_rows
        self._listeners = tuple(listeners)
        self._inbox: Inbox[_Message] = Inbox()
        self._is_ending = threading.Event()
        self._rows: list[Finished] = []
        self._times: dict[ModelId, KnownTimes] = {}
        self._needs: dict[ModelId, Learnt] = {}
        self._is_out = False
        self._written_s = 0.0
        self._retry_s: float | None = None
        self._lock = threading.Lock()  # guards _lost
        self._lost = 0
        self._thread = OwnerThread("store", self._run)

    @property
    def path(self) -> str:
        """Return where the log is kept; "" for in memory."""
        return self._database.path

    def start(self) -> None:
        """Start writing. Once."""
        self._thread.start()

    def add(self, finished: Finished) -> None:
        """Have a row written soon; if too many wait already it is lost, and counted."""
        if len(self._inbox) + len(self._rows) >= BACKLOG_ROWS:
            self._lose(1)
            return
        with suppress(InboxClosedError):
            self._inbox.put(finished)

    def put_times(self, model: ModelId, times: KnownTimes) -> None:
        """Have a model's times written soon, in place of those known."""
        with suppress(InboxClosedError):
            self._inbox.put(_PutTimes(model, times))

    def put_needs(self, model: ModelId, learnt: Learnt) -> None:
        """Have what was learnt of a model written soon, in place of what is known."""
        with suppress(InboxClosedError):
            self._inbox.put(_PutNeeds(model, learnt))

    def known_times(self) -> dict[ModelId, KnownTimes]:
        """Return the times of all models there are any of.

        Raises:
            StoreError: the database cannot be read.
        """
        return self._read(read_times)

    def known_needs(self) -> dict[ModelId, Learnt]:
        """Return what was learnt of all models there is anything of.

        Raises:
            StoreError: the database cannot be read.
        """
        return self._read(read_needs)

    def page(self, query: ActivityQuery) -> ActivityPage:
        """Return the rows that a query asks for.

        Raises:
            StoreError: the database cannot be read.
        """
        return self._read(lambda connection: read_page(connection, query))

    def statistics(self, model: str = "") -> Statistics:
        """Return totals of one model's rows, or of all.

        Raises:
            StoreError: the database cannot be read.
        """
        return self._read(lambda connection: read_statistics(connection, model))

    def use(self, path: str, max_rows: int) -> None:
        """Go on with these settings, in another database if the path is another one.

        Rows that came before go to the old one. Blocks for milliseconds.

        Raises:
            ConfigError: the file is no database, or none can be kept there; nothing has
                changed.
        """
        database = None if path == self.path else _opened(path)
        done: Reply[None] = Reply()
        try:
            self._inbox.put(_Use(database, max_rows, done))
        except InboxClosedError:
            if database is not None:
                database.close()
            return
        with suppress(TimeoutError):  # a slow disk; it will come to it
            done.wait(_SWITCH_S)

    def close(self) -> None:
        """Write what waits and end the thread; also if it was never started."""
        self._is_ending.set()
        if not self._thread.is_alive:
            self._end()
            return
        with suppress(InboxClosedError):
            self._inbox.put(_End())
        if not self._thread.join(_END_S):
            logger.warning("the activity log did not end in time path=%s", self.path)

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        while True:
            database = self._database
            try:
                with database.reading() as connection:
                    return read(connection)
            except StoreError:
                if database is self._database:
                    raise  # else it was closed because there is another one now

    def _lose(self, count: int) -> None:
        with self._lock:
            is_first = self._lost == 0
            self._lost += count
        if is_first:
            logger.warning(
                "the activity log cannot keep up, rows are lost waiting=%d path=%s",
                BACKLOG_ROWS,
                self.path,
            )

    # --- the thread -----------------------------------------------------------

    def _run(self) -> None:
        is_running = True
        try:
            while is_running:
                message = self._inbox.get(self._retry_s)
                if message is not None:
                    self._is_ending.wait(self._written_s + _PACE_S - time.monotonic())
                is_running = self._take_all(message)
                if self._retry_s is None or time.monotonic() >= self._retry_s:
                    self._write()
        finally:
            self._end()

    def _take_all(self, message: _Message | None) -> bool:
        """Take what has come; return False if that is the end."""
        while message is not None:
            match message:
                case Finished():
                    self._rows.append(message)
                case _PutTimes(model, times):
                    self._times[model] = times
                case _PutNeeds(model, learnt):
                    self._needs[model] = learnt
                case _Use():
                    self._use(message)
                case _End():
                    return False
            message = self._inbox.get(0.0)
        return True

    def _write(self) -> None:
        """Write what waits, or see to it that it is tried again."""
        if not (self._rows or self._times or self._needs):
            return
        try:
            ids = self._commit()
        except StoreError as exc:
            self._retry_s = time.monotonic() + _RETRY_S
            if not self._is_out:
                self._is_out = True
                logger.warning("the activity log cannot be written, rows wait: %s", exc)
            return
        stored = [Stored(*pair) for pair in zip(ids, self._rows, strict=True)]
        self._written_s, self._retry_s = time.monotonic(), None
        self._rows, self._times, self._needs = [], {}, {}
        self._recover()
        if stored:
            for tell in self._listeners:
                tell(stored)

    def _commit(self) -> list[int]:
        """Return the ids of the rows, which are in the database now."""
        now = int(unix_time())
        with self._database.writing() as connection:
            connection.executemany(INSERT, map(to_row, self._rows))
            # Nobody else has inserted since the transaction began.
            ((last,),) = connection.execute("SELECT last_insert_rowid()")
            ids = list(range(last + 1 - len(self._rows), last + 1))
            for insert, rows in (
                (INSERT_TIMES, [times_row(*i, now) for i in self._times.items()]),
                (INSERT_NEEDS, [needs_row(*i, now) for i in self._needs.items()]),
            ):
                connection.executemany(insert, rows)
            if not self._database.path:
                connection.execute(
                    "DELETE FROM activity"
                    " WHERE id <= (SELECT max(id) FROM activity) - ?",
                    (self._max_rows,),
                )
        return ids

    def _recover(self) -> None:
        with self._lock:
            lost, self._lost = self._lost, 0
        if self._is_out or lost:
            logger.warning(
                "the activity log is written again lost=%d path=%s", lost, self.path
            )
        self._is_out = False

    def _use(self, message: _Use) -> None:
        self._max_rows = message.max_rows
        if message.database is not None:
            self._write()  # what fails goes to the new one
            before, self._database = self._database, message.database
            before.close()
            self._retry_s = None
        message.done.offer(None)

    def _end(self) -> None:
        for message in self._inbox.close():
            if isinstance(message, _Use):
                self._use(message)
            elif isinstance(message, Finished):
                self._rows.append(message)
        self._database.hurry()
        self._write()
        with self._lock:
            lost, self._lost = self._lost + len(self._rows), 0
        if lost:
            logger.warning("the activity log ends, rows are lost lost=%d", lost)
        self._database.close()


def _opened(path: str) -> Database:
    try:
        return Database(path)
    except StoreError as exc:
        raise ConfigError(
            ConfigProblem("store.path", f"the activity log cannot be kept there: {exc}")
        ) from exc
