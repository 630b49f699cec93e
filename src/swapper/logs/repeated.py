"""A line that is logged again and again, for less than ``logging`` takes for each.

Most of that time goes into finding out what is the same every time: source, thread,
process. Handlers get a record all the same.
"""

import logging
from typing import Final


class RepeatedLine:
    """One place in the program that logs, and what it says. One thread."""

    def __init__(self, logger: logging.Logger, level: int, message: str) -> None:
        """Prepare; *message* is what ``logging`` formats with arguments."""
        self._logger: Final = logger
        self._level: Final = level
        self._message: Final = message
        self._mould: logging.LogRecord | None = None  # made in the thread that logs

    def log(self, *args: object, created_s: float, request_id: str) -> None:
        """Log the line with *args*.

        Args:
            args: for the message.
            created_s: Unix time of what is logged.
            request_id: of the request that it belongs to.
        """
        if not self._logger.isEnabledFor(self._level):
            return
        mould = self._mould
        if mould is None:
            mould = self._mould = self._logger.makeRecord(
                self._logger.name, self._level, __file__, 0, self._message, (), None
            )
        record = mould.__class__.__new__(mould.__class__)
        fields = record.__dict__
        fields.update(mould.__dict__)
        fields["args"] = args
        fields["created"] = created_s
        fields["msecs"] = created_s % 1 * 1000
        fields["relativeCreated"] += (created_s - mould.created) * 1000
        fields["request_id"] = request_id
        self._logger.handle(record)
