"""What a YAML scalar means: YAML 1.2 with the rests of 1.1 that users rely on.

The table of config.md section 4 is the law here. Nothing is looked up in
ruamel's resolvers, whose tables differ in octal numbers, ``yes`` and dates.
"""

import base64
import binascii
import datetime as dt
import math
import re
from typing import Final

from swapper.config.document import ScalarValue, Timestamp

_WORDS: Final[dict[str, ScalarValue]] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **{sign + w: math.inf for sign in ("", "+") for w in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}

_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)"
    r"(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)"
    r"|(?P<dec>0|[1-9][0-9]*))"
)
_BASES: Final = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_TIMESTAMP: Final = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})"
    r"(?:(?P<gap>[Tt ])(?P<clock>[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2})"
    r"(?:\.(?P<fraction>[0-9]{1,9})[0-9]*)?"
    r"(?P<zone>Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
_LARGEST_UNSIGNED: Final = 2**64 - 1
_SMALLEST_SIGNED: Final = -(2**63)
# More digits than this are no 64-bit number in any base; int() refuses thousands.
_MOST_DIGITS: Final = 64

_CORE_TAG: Final = "tag:yaml.org,2002:"
_TYPES_BY_TAG: Final[dict[str, tuple[type, ...]]] = {
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "null": (type(None),),
    "timestamp": (Timestamp,),
}


def resolve_scalar(text: str, *, tag: str | None, is_plain: bool) -> ScalarValue:
    """Return the value of a scalar.

    Args:
        text: its content, quotes and escapes undone.
        tag: its explicit tag, e.g. ``tag:yaml.org,2002:int`` or ``!foo``.
        is_plain: it stood without quotes and is no block scalar.

    Raises:
        ValueError: the tag asks for something *text* is not.
    """
    if tag is None:
        return resolve_plain(text) if is_plain else text
    if not tag.startswith(_CORE_TAG):
        return text
    return _resolve_tagged(text, tag.removeprefix(_CORE_TAG))


def resolve_plain(text: str) -> ScalarValue:
    """Return the value of an unquoted, untagged scalar."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if not ("0" <= first <= "9" or first in "+-."):
        return text
    number = _number(text)
    if number is not None:
        return number
    return _timestamp(text) or text


def _resolve_tagged(text: str, kind: str) -> ScalarValue:
    if kind == "binary":
        return _binary(text)
    if kind not in _TYPES_BY_TAG:
        return text
    value = resolve_plain(text)
    # By exact type: a bool is an int to isinstance().
    if type(value) not in _TYPES_BY_TAG[kind]:
        msg = f'the tag !!{kind} does not fit "{text[:40]}"'
        raise ValueError(msg)
    return float(value) if kind == "float" and isinstance(value, int) else value


def _binary(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as exc:
        msg = "!!binary must be base64 of UTF-8 text"
        raise ValueError(msg) from exc


def _number(text: str) -> int | float | None:
    if text[0] == ".":
        # Only here underscores are no digit separators.
        return float(text) if _FLOAT.fullmatch(text) else None
    digits = text.replace("_", "")
    integer = _INTEGER.fullmatch(digits)
    if integer is not None and integer.lastgroup is not None:
        kind = integer.lastgroup
        if len(integer[kind]) <= _MOST_DIGITS:
            value = int(integer["sign"] + integer[kind], _BASES[kind])
            if _SMALLEST_SIGNED <= value <= _LARGEST_UNSIGNED:
                return value
    if _FLOAT.fullmatch(digits):
        value_f = float(digits)
        # A number no float can hold stays text, like any other odd word.
        return None if math.isinf(value_f) else value_f
    return None


def _timestamp(text: str) -> Timestamp | None:
    match = _TIMESTAMP.fullmatch(text)
    if match is None or (match["gap"] in ("T", "t")) != (match["zone"] is not None):
        return None
    try:
        year, month, day = map(int, match["date"].split("-"))
        hour, minute, second = map(int, (match["clock"] or "0:0:0").split(":"))
        moment = dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
    except ValueError:
        return None
    fraction = (match["fraction"] or "").rstrip("0")
    return Timestamp(
        f"{moment.replace(tzinfo=None).isoformat()}"
        f"{'.' + fraction if fraction else ''}{match['zone'] or 'Z'}"
    )
