"""swapper is killed while it writes its activity log."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from swapper.record.queries import ActivityQuery
from swapper.record.store import Store
from tests.fakes.activity import Listener, finished

ROUNDS = 50
ROOT = Path(__file__).parents[3]


@pytest.fixture
def writers() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.store_writer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20) == 0


def write_and_kill(
    writers: subprocess.Popen[str], path: Path, wait_for: int, delay_s: float
) -> int:
    """Return the id of the last row that a writer was told is stored, 0 for none.

    It is killed *delay_s* after it has told so *wait_for* times.
    """
    assert writers.stdin is not None
    assert writers.stdout is not None
    writers.stdin.write(f"{path}\n")
    writers.stdin.flush()
    pid, newest, told = 0, 0, 0
    for line in writers.stdout:
        word, _, number = line.strip().partition(" ")
        if word == "ended":
            return newest
        if word == "pid":
            pid = int(number)
        else:
            newest, told = int(number), told + 1
        if told == wait_for:
            threading.Event().wait(delay_s)
            os.kill(pid, signal.SIGKILL)
    pytest.fail("the writers' process has ended")


def check(path: Path, pragma: str, told: int) -> int:
    """Return the rows of a sound database without gaps and with all rows *told* of."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(f"PRAGMA {pragma}").fetchall() == [("ok",)]
        count, newest = connection.execute(
            "SELECT count(*), coalesce(max(id), 0) FROM activity"
        ).fetchone()
    assert count == newest >= told
    return int(count)


@pytest.mark.timeout(300)
def test_fifty_times_nothing_stored_is_lost_and_the_next_start_works(
    writers: subprocess.Popen[str], tmp_path: Path
) -> None:
    path, before = tmp_path / "activity.db", 0
    chance = random.Random(7)  # noqa: S311 - no secret
    for _ in range(ROUNDS):
        told = write_and_kill(
            writers, path, chance.randint(1, 3), chance.uniform(0.0, 0.06)
        )
        assert told > before
        before = check(path, "quick_check", told)
    assert check(path, "integrity_check", before) == before

    listener = Listener()
    store = Store(str(path), 1000, [listener])
    store.start()
    store.add(finished())
    assert listener.wait_for(1) == [before + 1]
    assert store.page(ActivityQuery()).total == before + 1
    store.close()


def test_killed_while_it_makes_a_new_file(
    writers: subprocess.Popen[str], tmp_path: Path
) -> None:
    chance = random.Random(8)  # noqa: S311 - no secret
    for number in range(10):
        path = tmp_path / f"{number}.db"
        write_and_kill(writers, path, 0, chance.uniform(0.0, 0.01))
        store = Store(str(path), 1000)
        store.start()
        store.add(finished())
        store.close()
        assert check(path, "integrity_check", 1) >= 1
