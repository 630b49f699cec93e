"""Many lines at once, and the same line many times."""

import logging
import threading
from collections.abc import Iterator

import pytest

from swapper.logs import MonitorHandler, RepeatedLine


class Writes:
    """A sink that knows each write."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.seen.append(data)


@pytest.fixture
def sink() -> Writes:
    return Writes()


@pytest.fixture
def handler(sink: Writes) -> MonitorHandler:
    return MonitorHandler(sink)


@pytest.fixture
def logger(handler: MonitorHandler) -> Iterator[logging.Logger]:
    logger = logging.getLogger("tests.logs.repeated")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield logger
    logger.removeHandler(handler)


def test_a_repeated_line_is_a_record_like_any_other(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    line = RepeatedLine(logger, logging.INFO, "%s took %.1fs")
    for number in (1, 2):
        line.log(f"r{number}", 0.25, created_s=1767323045.5, request_id=f"id-{number}")
    logger.info("%s took %.1fs", "r3", 0.25)
    *repeated, ordinary = caplog.records

    assert caplog.messages == ["r1 took 0.2s", "r2 took 0.2s", "r3 took 0.2s"]
    assert [r.__dict__["request_id"] for r in repeated] == ["id-1", "id-2"]
    for record in repeated:
        assert (record.created, record.msecs) == (1767323045.5, 500)
        for name in ("name", "levelno", "levelname", "threadName", "process"):
            assert getattr(record, name) == getattr(ordinary, name)
        since_start = ordinary.relativeCreated - record.relativeCreated
        assert since_start == pytest.approx(
            (ordinary.created - record.created) * 1000, abs=1
        )


def test_a_repeated_line_below_the_level_is_not_made(
    logger: logging.Logger, sink: Writes
) -> None:
    line = RepeatedLine(logger, logging.DEBUG, "hidden")
    line.log(created_s=0.0, request_id="")
    logger.setLevel(logging.DEBUG)
    line.log(created_s=0.0, request_id="")

    assert sink.seen == [b"[DEBUG] hidden\n"]


def test_what_is_gathered_is_one_write_and_others_do_not_wait(
    logger: logging.Logger, handler: MonitorHandler, sink: Writes
) -> None:
    with handler.gathered():
        logger.info("mine")
        other = threading.Thread(target=logger.info, args=("another's",))
        other.start()
        other.join()
        logger.warning("mine too")
    logger.info("later")

    assert sink.seen == [
        b"[INFO] another's\n",
        b"[INFO] mine\n[WARN] mine too\n",
        b"[INFO] later\n",
    ]


def test_what_is_gathered_is_written_whatever_happens(
    logger: logging.Logger, handler: MonitorHandler, sink: Writes
) -> None:
    def fail() -> None:
        with handler.gathered():
            logger.info("before")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert sink.seen == [b"[INFO] before\n"]
