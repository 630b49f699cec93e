"""The standard library's logging, written into a monitor as ``[LEVEL] text``."""

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Final

from swapper.logs.clock import FORMATS, TimeFormat
from swapper.logs.monitor import Sink

current_request: Final = ContextVar("current_request", default="")
"""Id of the request that the running thread serves; "" in all other threads."""


def _request_id(record: logging.LogRecord) -> str:
    return getattr(record, "request_id", "") or current_request.get()


def _wire_level(levelno: int) -> str:
    """Return the name of a level as log readers know it (config.md 8.1)."""
    if levelno >= logging.ERROR:
        return "ERROR"
    if levelno >= logging.WARNING:
        return "WARN"
    if levelno >= logging.INFO:
        return "INFO"
    return "DEBUG"


class LineFormatter(logging.Formatter):
    """``[LEVEL] text request_id=...`` after the time; a traceback has its own lines."""

    def __init__(self, time_format: TimeFormat | None = None) -> None:
        super().__init__()
        self._time_format = time_format

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """Return the record's first line."""
        line = f"[{_wire_level(record.levelno)}] {record.message}"
        if request_id := _request_id(record):
            line += f" request_id={request_id}"
        if self._time_format is None:
            return line
        moment = datetime.fromtimestamp(record.created).astimezone()
        return f"{self._time_format(moment)} {line}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, request_id, traceback.

    The last two only if there is one.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as JSON."""
        moment = datetime.fromtimestamp(record.created).astimezone()
        fields = {
            "time": FORMATS["rfc3339nano"](moment),
            "level": _wire_level(record.levelno),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id := _request_id(record):
            fields["request_id"] = request_id
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class MonitorHandler(logging.Handler):
    """Sends each record as one write to a sink. Any thread."""

    def __init__(
        self, sink: Sink, level: int = logging.NOTSET, *, is_json: bool = False
    ) -> None:
        """Write to *sink*, as text or each record as a line of JSON."""
        super().__init__(level)
        self._sink = sink
        self._is_json = is_json
        self._gathers = 0  # for this thread
        self._gathered: list[bytes] = []
        self.setFormatter(JsonFormatter() if is_json else LineFormatter())

    def set_time_format(self, name: str) -> None:
        """Put the time before each line of text from now on; "" for none. Any thread.

        JSON has a time always.
        """
        if not self._is_json:
            self.setFormatter(LineFormatter(FORMATS.get(name)))

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Write in one piece, at the end of the block, what this thread logs in it.

        One thread at a time: one that logs much.
        """
        self._gathers = threading.get_ident()
        try:
            yield
        finally:
            self._gathers = 0
            lines, self._gathered = self._gathered, []
            self._sink.write(b"".join(lines))

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*; one that cannot be formatted is reported on stderr."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - logging's contract: never fail the caller
            self.handleError(record)
            return
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        if self._gathers == threading.get_ident():
            self._gathered.append(data)
        else:
            self._sink.write(data)
