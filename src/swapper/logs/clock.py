"""How the time stands before a log line (config.md 8.2)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

TimeFormat: TypeAlias = Callable[[datetime], str]
"""A time with its zone to text."""


def _zone(moment: datetime) -> str:
    offset = f"{moment:%z}"
    return "Z" if not moment.utcoffset() else f"{offset[:3]}:{offset[3:5]}"


def _nano(moment: datetime) -> str:
    fraction = f"{moment.microsecond:06d}".rstrip("0")
    dotted = f".{fraction}" if fraction else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{dotted}{_zone(moment)}"


def _stamp(moment: datetime) -> str:
    return f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S}"


def _kitchen(moment: datetime) -> str:
    return f"{moment.hour % 12 or 12}:{moment:%M}{'AM' if moment.hour < 12 else 'PM'}"


FORMATS: Final[Mapping[str, TimeFormat]] = MappingProxyType(
    {
        "ansic": lambda t: f"{t:%a %b} {t.day:2d} {t:%H:%M:%S %Y}",
        "unixdate": lambda t: f"{t:%a %b} {t.day:2d} {t:%H:%M:%S %Z %Y}",
        "rubydate": lambda t: f"{t:%a %b %d %H:%M:%S %z %Y}",
        "rfc822": lambda t: f"{t:%d %b %y %H:%M %Z}",
        "rfc822z": lambda t: f"{t:%d %b %y %H:%M %z}",
        "rfc850": lambda t: f"{t:%A, %d-%b-%y %H:%M:%S %Z}",
        "rfc1123": lambda t: f"{t:%a, %d %b %Y %H:%M:%S %Z}",
        "rfc1123z": lambda t: f"{t:%a, %d %b %Y %H:%M:%S %z}",
        "rfc3339": lambda t: f"{t:%Y-%m-%dT%H:%M:%S}{_zone(t)}",
        "rfc3339nano": _nano,
        "kitchen": _kitchen,
        "stamp": _stamp,
        "stampmilli": lambda t: f"{_stamp(t)}.{t.microsecond // 1000:03d}",
        "stampmicro": lambda t: f"{_stamp(t)}.{t.microsecond:06d}",
        "stampnano": lambda t: f"{_stamp(t)}.{t.microsecond * 1000:09d}",
    }
)
"""By the name in the configuration. Text is in English whatever the locale: nobody
here calls ``setlocale``."""
