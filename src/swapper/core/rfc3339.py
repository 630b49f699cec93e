"""Times as text in JSON and queries: RFC 3339 (http-api.md section 1). Pure."""

import re
from datetime import UTC, datetime
from typing import Final

_FORM: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)


def rfc3339(unix_s: float) -> str:
    """Return a time in the local zone; with a fraction only if there is one."""
    moment = datetime.fromtimestamp(unix_s, tz=UTC).astimezone()
    fraction = f".{moment.microsecond:06d}".rstrip("0") if moment.microsecond else ""
    offset = f"{moment:%z}"
    zone = f"{offset[:3]}:{offset[3:5]}" if moment.utcoffset() else "Z"
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{zone}"


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
