"""The standard library's logging, written into a monitor as ``[LEVEL] text``."""

import logging

from swapper.logs.monitor import Sink


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
    """``[LEVEL] text``; a traceback follows on lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's
        """Return the record's first line."""
        return f"[{_wire_level(record.levelno)}] {record.message}"


class MonitorHandler(logging.Handler):
    """Sends each record as one write to a sink. Any thread."""

    def __init__(self, sink: Sink, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self._sink = sink
        self.setFormatter(LineFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*; one that cannot be formatted is reported on stderr."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - logging's contract: never fail the caller
            self.handleError(record)
            return
        self._sink.write(line.encode("utf-8", "backslashreplace") + b"\n")
