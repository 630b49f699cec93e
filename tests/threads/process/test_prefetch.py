"""The thread that reads ahead, with real files."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swapper.config.schema import ModelConfig
from swapper.core.ids import ModelId
from swapper.process.prefetch import Prefetcher
from tests.fakes.cold_file import cold
from tests.fakes.waiting import wait_until

PIECE = 4 << 20
PLENTY = 1 << 40


def model(id_: str, *files: Path) -> ModelConfig:
    return ModelConfig(id=ModelId(id_), prefetch=tuple(map(str, files)))


def three_cold(folder: Path) -> list[Path]:
    """Return three files of a piece each: within one the kernel would read ahead."""
    return [cold(folder / name, bytes(PIECE)) for name in ("one", "two", "three")]


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return what the thread says in the log, without the times."""
    caplog.set_level(logging.INFO, "swapper.process.prefetch")

    def lines() -> list[str]:
        told = [record.getMessage() for record in caplog.records]
        return [line.partition(" seconds=")[0] + _rest(line) for line in told]

    def _rest(line: str) -> str:
        _, stopped, why = line.partition(" stopped=")
        return stopped + why

    return lines


@pytest.fixture
def made() -> Iterator[list[Prefetcher]]:
    """Return a list of what is to be closed at the end."""
    made: list[Prefetcher] = []
    yield made
    for prefetcher in made:
        prefetcher.close()


class Gate:
    """A room that is asked for piece by piece, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.answers = threading.Semaphore(0)
        self.room = PLENTY

    def __call__(self) -> int:
        self.asked.release()
        assert self.answers.acquire(timeout=10)
        return self.room


def test_all_files_are_read_and_the_log_says_so(
    tmp_path: Path, said: Callable[[], list[str]], made: list[Prefetcher]
) -> None:
    data = os.urandom(PIECE + 5)
    files = [cold(tmp_path / "one", data), cold(tmp_path / "two", data)]
    made.append(Prefetcher(lambda: PLENTY))

    made[0].want(model("m", *files))

    wait_until(said)
    assert said() == ["read ahead model=m mib=8"]


def test_the_last_wish_takes_the_place_of_what_is_being_read(
    tmp_path: Path, said: Callable[[], list[str]], made: list[Prefetcher]
) -> None:
    files, gate = three_cold(tmp_path), Gate()
    made.append(Prefetcher(gate))
    made[0].want(model("first", *files))
    assert gate.asked.acquire(timeout=10)

    made[0].want(model("second", *files))
    made[0].want(model("third", *files))
    gate.answers.release(100)

    wait_until(lambda: len(said()) == 2)
    assert said() == [
        'read ahead model=first mib=4 stopped="something else goes first"',
        "read ahead model=third mib=8",  # the rest
    ]


def test_nothing_is_read_while_memory_is_short(
    tmp_path: Path, said: Callable[[], list[str]], made: list[Prefetcher]
) -> None:
    files = three_cold(tmp_path)
    made.append(Prefetcher(lambda: 3 * PIECE - 1))

    made[0].want(model("m", *files))

    wait_until(said)
    assert said() == ['read ahead model=m mib=0 stopped="memory is short"']


def test_reading_stops_when_memory_becomes_short(
    tmp_path: Path, said: Callable[[], list[str]], made: list[Prefetcher]
) -> None:
    files, gate = three_cold(tmp_path), Gate()
    made.append(Prefetcher(gate))
    made[0].want(model("m", *files))
    gate.answers.release(2)
    for _ in range(3):
        assert gate.asked.acquire(timeout=10)
    gate.room = 0
    gate.answers.release()

    wait_until(said)
    assert said() == ['read ahead model=m mib=8 stopped="memory is short"']


def test_what_is_cached_is_not_read_again(
    tmp_path: Path, said: Callable[[], list[str]], made: list[Prefetcher]
) -> None:
    known = cold(tmp_path / "known", bytes(3 * PIECE))
    known.read_bytes()
    new = cold(tmp_path / "new", bytes(PIECE))
    made.append(Prefetcher(lambda: PLENTY))

    made[0].want(model("m", known, new))

    wait_until(said)
    assert said() == ["read ahead model=m mib=4"]


def test_a_file_that_is_missing_is_said_once_and_the_others_are_read(
    tmp_path: Path, said: Callable[[], list[str]], made: list[Prefetcher]
) -> None:
    path, missing = tmp_path / "file", tmp_path / "missing"
    made.append(Prefetcher(lambda: PLENTY))

    made[0].want(model("m", missing, cold(path, bytes(PIECE))))
    wait_until(lambda: len(said()) == 2)
    made[0].want(model("m", missing, cold(path, bytes(PIECE))))
    wait_until(lambda: len(said()) == 3)

    read = "read ahead model=m mib=4"
    assert said() == [f"prefetch model=m: there is no {missing}", read, read]


def test_a_file_that_cannot_be_read_is_a_warning(
    tmp_path: Path, said: Callable[[], list[str]], made: list[Prefetcher]
) -> None:
    paths = [cold(tmp_path / name, bytes(PIECE)) for name in ("one", "two")]
    gate = Gate()
    made.append(Prefetcher(gate))
    made[0].want(model("bad", *paths))
    assert gate.asked.acquire(timeout=10)
    paths[1].unlink()
    gate.answers.release(100)
    wait_until(said)

    made[0].want(model("good", cold(paths[0], bytes(PIECE))))

    wait_until(lambda: len(said()) == 2)
    assert said()[0].startswith("prefetch model=bad: ")
    assert said()[1] == "read ahead model=good mib=4"


def test_closing_gives_up_what_is_being_read(
    tmp_path: Path, said: Callable[[], list[str]]
) -> None:
    files, gate = three_cold(tmp_path), Gate()
    prefetcher = Prefetcher(gate)
    prefetcher.want(model("m", *files))
    assert gate.asked.acquire(timeout=10)
    closer = threading.Thread(target=prefetcher.close)
    closer.start()
    gate.answers.release(100)
    closer.join(10)

    assert not closer.is_alive()
    prefetcher.want(model("late", *files))  # is not heard, and no error
    assert [line for line in said() if "late" in line] == []


def test_a_model_that_wants_nothing_read_starts_no_thread(
    made: list[Prefetcher],
) -> None:
    made.append(Prefetcher(lambda: PLENTY))

    made[0].want(model("m"))

    assert "prefetch" not in {thread.name for thread in threading.enumerate()}
