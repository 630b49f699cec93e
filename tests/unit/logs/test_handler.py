"""Log records as lines."""

import json
import logging
import re
from collections.abc import Iterator
from datetime import datetime

import pytest

from swapper.logs import Monitor, MonitorHandler, current_request


@pytest.fixture
def monitor() -> Monitor:
    return Monitor()


@pytest.fixture
def logger(monitor: Monitor) -> Iterator[logging.Logger]:
    logger = logging.getLogger("tests.logs.handler")
    handler = MonitorHandler(monitor)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield logger
    logger.removeHandler(handler)
    logger.propagate = True


def test_each_record_is_one_line_with_its_level(
    monitor: Monitor, logger: logging.Logger
) -> None:
    logger.debug("a")
    logger.info("start model=%s", "m")
    logger.warning("c")
    logger.error("d")
    logger.critical("e")

    assert monitor.history().decode() == (
        "[DEBUG] a\n[INFO] start model=m\n[WARN] c\n[ERROR] d\n[ERROR] e\n"
    )


def test_a_traceback_follows_its_line(monitor: Monitor, logger: logging.Logger) -> None:
    try:
        int("no good")
    except ValueError:
        logger.exception("failed")

    text = monitor.history().decode()
    assert text.startswith("[ERROR] failed\nTraceback (most recent call last):\n")
    assert text.endswith("'no good'\n")


def test_text_that_is_not_utf8_is_no_obstacle(
    monitor: Monitor, logger: logging.Logger
) -> None:
    logger.info("caf\u00e9 %s", "\udcff")

    assert monitor.history() == b"[INFO] caf\xc3\xa9 \\udcff\n"


def test_a_record_that_cannot_be_formatted_fails_nobody(
    monitor: Monitor, capsys: pytest.CaptureFixture[str]
) -> None:
    record = logging.LogRecord("x", logging.INFO, "x", 1, "%d", ("text",), None)

    MonitorHandler(monitor).handle(record)

    assert monitor.history() == b""
    assert "Logging error" in capsys.readouterr().err


def test_the_time_stands_before_the_level_once_a_form_is_set() -> None:
    monitor = Monitor()
    handler = MonitorHandler(monitor)
    record = logging.LogRecord("n", logging.INFO, "f", 1, "hello", None, None)
    handler.set_time_format("kitchen")
    handler.emit(record)
    handler.set_time_format("")
    handler.emit(record)

    first, second = monitor.history().decode().splitlines()
    assert re.fullmatch(r"1?\d:\d\d[AP]M \[INFO\] hello", first)
    assert second == "[INFO] hello"


def test_lines_of_a_request_name_it(monitor: Monitor, logger: logging.Logger) -> None:
    token = current_request.set("r-1")
    logger.info("within")
    current_request.reset(token)
    logger.info("without")
    logger.info("told", extra={"request_id": "r-2"})

    assert monitor.history().decode() == (
        "[INFO] within request_id=r-1\n[INFO] without\n[INFO] told request_id=r-2\n"
    )


def test_json_has_one_object_a_line(monitor: Monitor, logger: logging.Logger) -> None:
    handler = MonitorHandler(monitor, is_json=True)
    handler.set_time_format("kitchen")  # for text only
    (logger.handlers[0]).setLevel(logging.CRITICAL)
    logger.addHandler(handler)
    try:
        logger.warning("two\nlines model=%s", "m", extra={"request_id": "r"})
        logger.error("failed", exc_info=ValueError("boom"))
    finally:
        logger.removeHandler(handler)
    first, second = map(json.loads, monitor.history().splitlines())

    datetime.fromisoformat(first.pop("time"))
    assert first == {
        "level": "WARN",
        "logger": "tests.logs.handler",
        "message": "two\nlines model=m",
        "request_id": "r",
    }
    assert second["traceback"].endswith("ValueError: boom")
    assert "request_id" not in second
