"""The activity log's disk is full, read-only, locked or gone: no request notices."""

import logging
import os
import random
import re
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from swapper.core.errors import ConfigError
from swapper.record import database
from swapper.record.database import StoreError
from swapper.record.queries import ActivityQuery
from swapper.record.store import BACKLOG_ROWS, Store
from tests.fakes.activity import TIMEOUT_S, Listener, finished

CANNOT = "cannot be written"
AGAIN = "is written again"
CANNOT_KEEP_UP = "cannot keep up"


class Log(logging.Handler):
    """What the store's log says, to be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._changed = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        with self._changed:
            self.lines.append(record.getMessage())
            self._changed.notify_all()

    def wait_for(self, text: str) -> str:
        """Return the first line with *text*."""

        def found() -> str | None:
            return next((line for line in self.lines if text in line), None)

        with self._changed:
            line = self._changed.wait_for(found, TIMEOUT_S)
        assert line, self.lines
        return line


@pytest.fixture
def log() -> Iterator[Log]:
    log, logger = Log(), logging.getLogger("swapper.record")
    logger.addHandler(log)
    yield log
    logger.removeHandler(log)


@contextmanager
def running(path: Path, listener: Listener) -> Iterator[Store]:
    store = Store(str(path), 1000, [listener])
    store.start()
    try:
        yield store
    finally:
        store.close()


def total(store: Store) -> int:
    return store.page(ActivityQuery()).total


# --- a disk of our own ------------------------------------------------------------


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", "size=16m", "none", str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take the last byte; return what to delete."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return filler


def test_a_full_disk_is_one_warning_and_rows_wait_for_room(
    disk: Path, log: Log
) -> None:
    listener = Listener()
    with running(disk / "activity.db", listener) as store:
        store.add(finished())
        listener.wait_for(1)
        filler = fill(disk)
        # What is there already has room for some rows.
        for _ in range(2000):
            store.add(finished(error_msg="x" * 400))
        log.wait_for(CANNOT)
        assert total(store) < 2001  # it can still be read
        # Two attempts fail, of which the second says nothing.
        threading.Event().wait(1.2)
        filler.unlink()
        log.wait_for(AGAIN)
        ids = listener.wait_for(2001)

        assert ids == list(range(1, 2002))
        assert total(store) == 2001
    assert [CANNOT in line for line in log.lines] == [True, False]
    assert "lost=0" in log.lines[1]


def test_a_disk_that_stays_full_until_the_end_costs_rows_and_says_how_many(
    disk: Path, log: Log
) -> None:
    listener = Listener()
    with running(disk / "activity.db", listener) as store:
        store.add(finished())
        listener.wait_for(1)
        fill(disk)
        for _ in range(2000):
            store.add(finished(error_msg="x" * 400))
        log.wait_for(CANNOT)
    stored = len(listener.ids)

    assert log.lines[1:] == [
        f"the activity log ends, rows are lost lost={2001 - stored}"
    ]


def test_a_read_only_disk_is_told_at_the_start(disk: Path) -> None:
    path = disk / "activity.db"
    with running(path, Listener()):
        pass
    _mount("-o", "remount,ro", str(disk))

    with pytest.raises(ConfigError, match=r"store\.path.*activity\.db"):
        Store(str(path), 1000)


def test_a_disk_that_becomes_read_only_is_one_warning(disk: Path, log: Log) -> None:
    """A second mount of the same file system is where swapper finds it again."""
    path, listener = disk / "activity.db", Listener()
    with running(path, listener) as store:
        store.add(finished())
        listener.wait_for(1)
        _mount("--bind", str(disk), str(disk))
        _mount("-o", "remount,ro,bind", str(disk))
        store._database.close()  # as after any error: it is opened anew
        store.add(finished())
        log.wait_for(CANNOT)
        assert total(store) == 1
        subprocess.run(["umount", str(disk)], check=True)
        listener.wait_for(2)

    assert len([line for line in log.lines if CANNOT in line]) == 1


# --- locked, gone -----------------------------------------------------------------


def test_a_row_waits_while_another_process_writes(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    path, listener = tmp_path / "activity.db", Listener()
    with running(path, listener) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.add(finished())
        assert "locked" in log.wait_for(CANNOT)
        assert total(store) == 0
        other.rollback()
        listener.wait_for(1)

        assert total(store) == 1


def test_what_waits_has_a_limit_and_what_is_lost_is_counted(
    tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    path, listener = tmp_path / "activity.db", Listener()
    with running(path, listener) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        store.add(finished())
        log.wait_for(CANNOT)  # the others may all come before an attempt is made
        began = time.monotonic()
        for _ in range(BACKLOG_ROWS + 100):
            store.add(finished())
        took_s = time.monotonic() - began
        other.rollback()
        line = log.wait_for(AGAIN)
        found = re.search(r"lost=(\d+) ", line)
        assert found, line
        written = BACKLOG_ROWS + 101 - int(found[1])

        # a row is counted neither here nor there while the thread has it in its hand
        assert 0 <= written - BACKLOG_ROWS <= 1
        assert listener.wait_for(written)[-1] == written
        assert total(store) == written
        store.add(finished())
        assert listener.wait_for(written + 1)[-1] == written + 1
    assert took_s < 5.0  # nobody waited for the lock
    assert len([line for line in log.lines if CANNOT_KEEP_UP in line]) == 1
    assert len([line for line in log.lines if CANNOT in line]) == 1


def test_a_folder_that_is_away_for_a_while_loses_nothing(
    tmp_path: Path, log: Log
) -> None:
    folder, away, listener = tmp_path / "folder", tmp_path / "away", Listener()
    folder.mkdir()
    with running(folder / "activity.db", listener) as store:
        store.add(finished())
        listener.wait_for(1)
        folder.rename(away)
        store.add(finished())
        log.wait_for(CANNOT)
        with pytest.raises(StoreError):
            total(store)
        away.rename(folder)
        listener.wait_for(2)

        assert total(store) == 2


def test_a_file_that_was_deleted_is_made_anew(tmp_path: Path, log: Log) -> None:
    path, listener = tmp_path / "activity.db", Listener()
    with running(path, listener) as store:
        store.add(finished())
        listener.wait_for(1)
        for file in tmp_path.glob("activity.db*"):
            file.unlink()
        store.add(finished())
        listener.wait_for(2)

        assert total(store) == 1
    assert "was taken away" in log.lines[0]


# --- damage -----------------------------------------------------------------------


def spoil(path: Path, start: int, bytes_: int) -> None:
    noise = random.Random(3).randbytes(bytes_)  # noqa: S311 - no secret
    with path.open("r+b") as file:
        file.seek(start)
        file.write(noise)


def grown(path: Path) -> Path:
    """Make a database of many pages, all of them in the file itself."""
    listener = Listener()
    with running(path, listener) as store:
        for _ in range(2000):
            store.add(finished())
        listener.wait_for(2000)
    assert not os.path.exists(f"{path}-wal")  # noqa: PTH110 - beside, not below
    return path


@pytest.mark.parametrize(("start", "size"), [(0, 100), (0, 8192), (100, 3000)])
def test_a_spoilt_beginning_is_told_at_the_start(
    tmp_path: Path, start: int, size: int
) -> None:
    path = grown(tmp_path / "activity.db")
    spoil(path, start, size)

    with pytest.raises(ConfigError, match=r"store\.path.*activity\.db"):
        Store(str(path), 1000)


def test_spoilt_pages_are_an_outage_and_no_crash(tmp_path: Path, log: Log) -> None:
    path = grown(tmp_path / "activity.db")
    half = path.stat().st_size // 2
    spoil(path, half, half)
    with running(path, Listener()) as store:
        store.add(finished())
        assert "malformed" in log.wait_for(CANNOT)
        with pytest.raises(StoreError, match="malformed"):
            total(store)
        store.add(finished())

    assert log.lines[-1] == "the activity log ends, rows are lost lost=2"
