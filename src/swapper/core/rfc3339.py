"""Times as text in JSON and queries: RFC 3339 (http-api.md section 1). Pure."""

import math
import re
import time
from datetime import datetime
from typing import Final

_FORM: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)


def rfc3339(unix_s: float) -> str:
    """Return a time in the local zone; with a fraction only if there is one.

    Without ``datetime``, which takes more than twice as long: rows are shown often.
    """
    whole_s = math.floor(unix_s)
    microsecond = round((unix_s - whole_s) * 1e6)
    if microsecond == 1_000_000:
        whole_s, microsecond = whole_s + 1, 0
    fraction = f".{microsecond:06d}".rstrip("0") if microsecond else ""
    local = time.localtime(whole_s)
    year, month, day, hour, minute, second = local[:6]
    return (
        f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"
        f"{fraction}{_zone(local.tm_gmtoff)}"
    )


def _zone(offset_s: int) -> str:
    if not offset_s:
        return "Z"
    hours, minutes = divmod(abs(offset_s) // 60, 60)
    return f"{'-' if offset_s < 0 else '+'}{hours:02d}:{minutes:02d}"


def parse_rfc3339(text: str) -> float:
    """Return seconds since 1970 (UTC).

    Strict as the reference: ``T`` and ``Z`` in capitals, seconds and zone required.

    Raises:
        ValueError: *text* is not a time in this form.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time as RFC 3339 has it")
    whole, fraction, zone = match.groups()
    moment = datetime.fromisoformat(whole + zone.replace("Z", "+00:00"))
    return moment.timestamp() + float(f"0.{fraction or 0}")
