"""Rows of the activity log: to the database, from it, and as JSON (http-api.md 21.2). Pure."""

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

from swapper.core.json import JsonValue
from swapper.core.rfc3339 import rfc3339
from swapper.record.row import Finished
from swapper.record.schema import ACTIVITY
from swapper.record.tokens import UNKNOWN

SqlValue: TypeAlias = int | float | str

INSERT: Final = (
    f"INSERT INTO activity ({', '.join(ACTIVITY)})"  # noqa: S608 - our own names
    f" VALUES ({', '.join('?' * len(ACTIVITY))})"
)
"""Takes what ``to_row`` returns."""

COLUMNS: Final = ("id", *ACTIVITY)
"""What ``from_row`` takes, in this order."""

_MAX_INTEGER: Final = 2**63 - 1
_MAX_TEXT: Final = 8192  # an unknown model's name is whatever a client sent


def to_row(finished: Finished) -> tuple[SqlValue, ...]:
    """Return the values for ``INSERT``; any request has some that SQLite takes.

    Numbers come from upstreams and text from clients, so nothing is certain: numbers
    beyond 64 bits become the largest, what is no number becomes "unknown", lone
    surrogates become question marks, and text of any length is cut.
    """
    tokens = finished.tokens
    return (  # as in ``ACTIVITY``
        _integer(finished.ended_s),
        _text(finished.model),
        _text(finished.req_path),
        _text(finished.resp_content_type),
        finished.status,
        _integer(tokens.cache_tokens),
        _integer(tokens.draft_tokens),
        _integer(tokens.draft_acc_tokens),
        _integer(tokens.input_tokens),
        _integer(tokens.output_tokens),
        _real(tokens.prompt_per_second),
        _real(tokens.tokens_per_second),
        _integer(finished.duration_ms),
        _text(finished.error_msg),
        _metadata(finished.metadata),
        _text(finished.request_id),
        _integer(finished.queue_ms),
        _integer(finished.load_ms),
        _first_byte(finished.first_byte_ms),
        int(finished.is_truncated),
    )


def from_row(row: Sequence[Any], *, has_capture: bool) -> dict[str, JsonValue]:
    """Return the JSON object of a row that has ``COLUMNS``.

    ``error_msg`` and ``metadata`` are there only if there is something in them. The keys
    behind ``duration_ms`` that the reference lacks: ``request_id``, ``queue_ms``,
    ``load_ms``, ``first_byte_ms`` (-1 if nothing was answered), ``is_truncated``.
    """
    value = dict(zip(COLUMNS, row, strict=True))
    shown: dict[str, JsonValue] = {
        "id": value["id"],
        "timestamp": rfc3339(value["ts_created"]),
        "model": value["model_id"],
        "req_path": value["req_path"],
        "resp_content_type": value["resp_content_type"],
        "resp_status_code": value["resp_status_code"],
        "tokens": {
            "cache_tokens": value["cache_tokens"],
            "draft_tokens": value["draft_tokens"],
            "draft_acc_tokens": value["draft_acc_tokens"],
            "input_tokens": value["input_tokens"],
            "output_tokens": value["output_tokens"],
            "prompt_per_second": value["prompt_per_second"],
            "tokens_per_second": value["tokens_per_second"],
        },
        "duration_ms": value["duration_ms"],
        "has_capture": has_capture,
        "request_id": value["request_id"],
        "queue_ms": value["queue_ms"],
        "load_ms": value["load_ms"],
        "first_byte_ms": value["first_byte_ms"],
        "is_truncated": bool(value["is_truncated"]),
    }
    if value["error_msg"]:
        shown["error_msg"] = value["error_msg"]
    metadata = _parsed(value["metadata_json"])
    if metadata:
        shown["metadata"] = metadata
    return shown


def _integer(value: float) -> int:
    if type(value) is int and -_MAX_INTEGER <= value <= _MAX_INTEGER:  # most are
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return UNKNOWN
    return max(-_MAX_INTEGER, min(int(value), _MAX_INTEGER))


def _real(value: float) -> float:
    try:
        real = float(value)
    except OverflowError:  # an integer of more than 300 digits
        return UNKNOWN
    return real if math.isfinite(real) else UNKNOWN


def _text(value: str) -> str:
    if value.isascii() and len(value) <= _MAX_TEXT:  # most are
        return value
    return value[:_MAX_TEXT].encode("utf-8", "replace").decode()


def _first_byte(value: int | None) -> int:
    return UNKNOWN if value is None else _integer(value)


def _metadata(metadata: Mapping[str, str]) -> str:
    return _metadata_json(tuple(metadata.items())) if metadata else ""


@lru_cache(maxsize=64)  # all requests to a model have the same
def _metadata_json(items: tuple[tuple[str, str], ...]) -> str:
    return json.dumps({_text(name): _text(value) for name, value in items})


def _parsed(text: str) -> dict[str, JsonValue]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
