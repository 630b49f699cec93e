"""Decodes durations and limits that several sections share (config.md 8.3, 9.4)."""

import re
from decimal import Decimal
from typing import Final

from swapper.config.decode.section import Section
from swapper.config.schema import TimeoutsConfig

MAX_DURATION_S: Final = 10**9
"""Longest duration: about 32 years, within what thread waits accept."""

_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS_S: Final = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),  # micro sign
    "μs": Decimal("1e-6"),  # Greek mu
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}


def seconds(section: Section, key: str) -> int:
    """Return whole seconds, cut to what can be waited for."""
    return min(section.integer(key), MAX_DURATION_S)


def duration_s(section: Section, key: str, default_s: float) -> float:
    """Return a duration such as ``1m30s`` in seconds; *default_s* if absent."""
    text = section.string(key)
    if text is None:
        return default_s
    try:
        return parse_duration(text)
    except ValueError:
        section.error(key, f'must be a duration such as 10s or 1m30s, not "{text}"')
        return default_s


def parse_duration(text: str) -> float:
    """Return the seconds of a duration: a sign, then numbers with units.

    Raises:
        ValueError: it is none.
    """
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text)
    rest = rest.removeprefix("+") if sign == 1 else rest
    if rest == "0":
        return 0.0
    total, end = Decimal(0), 0
    for part in _PART.finditer(rest):
        if part.start() != end:
            break
        total += Decimal(part[1]) * _UNITS_S[part[2]]
        end = part.end()
    if not rest or end != len(rest):
        raise ValueError(text)
    return float(sign * total)


def decode_timeouts(section: Section) -> TimeoutsConfig:
    """Return the limits of a connection."""
    return TimeoutsConfig(
        connect_s=seconds(section, "connect"),
        keepalive_s=seconds(section, "keepalive"),
        response_header_s=seconds(section, "responseHeader"),
        tls_handshake_s=seconds(section, "tlsHandshake"),
        expect_continue_s=seconds(section, "expectContinue"),
        idle_conn_s=seconds(section, "idleConn"),
    )
