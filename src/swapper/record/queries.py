"""``GET /api/metrics/activity``: parameters, SQL and the page (http-api.md 21.3)."""

import json
import re
import sqlite3
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from swapper.core.errors import BadRequestError
from swapper.core.json import JsonValue
from swapper.core.rfc3339 import parse_rfc3339
from swapper.record.rows import COLUMNS, from_row
from swapper.record.statistics import Statistics, histogram

SORT_COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "id": "id",
        "time": "ts_created",
        "model": "model_id",
        "req_path": "req_path",
        "resp_status_code": "resp_status_code",
        "resp_content_type": "resp_content_type",
        "cached": "cache_tokens",
        "prompt": "input_tokens",
        "generated": "output_tokens",
        "drafted": "draft_tokens",
        "prompt_speed": "prompt_per_second",
        "gen_speed": "tokens_per_second",
        "duration": "duration_ms",
    }
)
"""``sort`` -> column."""

_TOTALS: Final = (  # not sum(), which fails beyond 64 bits
    "count(*), total(input_tokens), total(output_tokens), total(max(cache_tokens, 0))"
)
_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_MAX_INTEGER: Final = 2**63 - 1
_DEFAULT_LIMIT: Final = 25
_MAX_LIMIT: Final = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityQuery:
    """Which rows, in which order, and which of these.

    Attributes:
        models: any of these; empty for all.
        start_s: first second, Unix time, inclusive; None for no bound.
        end_s: last second, likewise.
        min_id: smallest id, inclusive; None for no bound.
        max_id: largest id, likewise.
        limit: rows on a page, 1 to 999.
        page: from 1.
        sort: a key of ``SORT_COLUMNS``; ties are ordered by id, in the same direction.
        is_descending: direction.
    """

    models: tuple[str, ...] = ()
    start_s: int | None = None
    end_s: int | None = None
    min_id: int | None = None
    max_id: int | None = None
    limit: int = _DEFAULT_LIMIT
    page: int = 1
    sort: str = "id"
    is_descending: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityPage:
    """Some of the rows that a query found.

    Attributes:
        rows: each with the columns of ``rows.COLUMNS``.
        total: how many the query found in all.
    """

    query: ActivityQuery
    rows: tuple[Sequence[Any], ...]
    total: int

    def as_json(self, has_capture: Callable[[int], bool]) -> dict[str, JsonValue]:
        """Return the answer's object; *has_capture* is asked for each id."""
        limit = self.query.limit
        return {
            "data": [
                from_row(row, has_capture=has_capture(row[0])) for row in self.rows
            ],
            "page": self.query.page,
            "limit": limit,
            "total": self.total,
            "total_pages": -(-self.total // limit),
        }


def parse_query(items: Sequence[tuple[str, str]]) -> ActivityQuery:
    """Return what decoded query parameters ask for; blank ones count as absent.

    Raises:
        BadRequestError: one makes no sense; the first in the specification's order.
    """
    given: dict[str, str] = {}
    for name, value in items:
        given.setdefault(name, value.strip())
    models = (value.strip() for name, value in items if name == "model")
    start, end = _time(given, "start"), _time(given, "end")
    if start is not None and end is not None and start > end:
        raise BadRequestError("start must be before end")
    min_id, max_id = _at_least_1(given, "min_id"), _at_least_1(given, "max_id")
    if min_id is not None and max_id is not None and min_id > max_id:
        raise BadRequestError("min_id must be <= max_id")
    return ActivityQuery(
        models=tuple(dict.fromkeys(filter(None, models))),
        start_s=None if start is None else int(start // 1),
        end_s=None if end is None else int(end // 1),
        min_id=min_id,
        max_id=max_id,
        limit=_limit(given),
        page=_page(given),
        sort=_sort(given),
        is_descending=_is_descending(given),
    )


def read_page(connection: sqlite3.Connection, query: ActivityQuery) -> ActivityPage:
    """Return a page; the connection sees one state of the database."""
    where, values = _where(query)
    (total,) = connection.execute(
        f"SELECT count(*) FROM activity{where}",  # noqa: S608 - no text of a client's
        values,
    ).fetchone()
    offset = (query.page - 1) * query.limit
    rows: Sequence[Sequence[Any]] = ()
    if offset < total:  # also: no number that SQLite cannot take
        direction = "DESC" if query.is_descending else "ASC"
        column = SORT_COLUMNS[query.sort]
        order = f"{column} {direction}" + (
            f", id {direction}" if column != "id" else ""
        )
        # Of the rows before the page, which have to be sorted too, the ids are enough.
        ids = f"SELECT id FROM activity{where} ORDER BY {order} LIMIT ? OFFSET ?"  # noqa: S608 - as above
        rows = connection.execute(
            f"SELECT {', '.join(COLUMNS)} FROM activity WHERE id IN ({ids})"  # noqa: S608 - as above
            f" ORDER BY {order}",
            (*values, query.limit, offset),
        ).fetchall()
    return ActivityPage(query=query, rows=tuple(rows), total=total)


def read_statistics(connection: sqlite3.Connection, model: str) -> Statistics:
    """Return totals of one model's rows, or of all for ""."""
    where, values = _where(ActivityQuery(models=(model,) if model else ()))
    requests, *sums = connection.execute(
        f"SELECT {_TOTALS} FROM activity{where}",  # noqa: S608 - as above
        values,
    ).fetchone()
    return Statistics(
        requests=requests,
        input_tokens=int(sums[0]),
        output_tokens=int(sums[1]),
        cache_tokens=int(sums[2]),
        prompt_rates=histogram(_rates(connection, "prompt_per_second", model)),
        output_rates=histogram(_rates(connection, "tokens_per_second", model)),
    )


def _rates(connection: sqlite3.Connection, column: str, model: str) -> "array[float]":
    """Return the rates there are in ascending order; SQLite sorts without the GIL."""
    where = f" WHERE {column} > 0" + (" AND model_id = ?" if model else "")
    rows = connection.execute(
        f"SELECT {column} FROM activity{where} ORDER BY 1",  # noqa: S608 - as above
        (model,) if model else (),
    )
    return array("d", (rate for (rate,) in rows))


def _where(query: ActivityQuery) -> tuple[str, list[object]]:
    """Return the condition with a leading `` WHERE``, and its values."""
    terms: list[str] = []
    values: list[object] = []
    if len(query.models) == 1:
        terms.append("model_id = ?")
        values.append(query.models[0])
    elif query.models:  # in one value: SQLite limits their number
        terms.append("model_id IN (SELECT value FROM json_each(?))")
        values.append(json.dumps(query.models))
    for term, bound in (
        ("ts_created >= ?", query.start_s),
        ("ts_created <= ?", query.end_s),
        ("id >= ?", query.min_id),
        ("id <= ?", query.max_id),
    ):
        if bound is not None:
            terms.append(term)
            values.append(bound)
    return (f" WHERE {' AND '.join(terms)}" if terms else ""), values


def _time(given: Mapping[str, str], name: str) -> float | None:
    text = given.get(name, "")
    if not text:
        return None
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise BadRequestError(
            f"invalid '{name}' timestamp, use RFC3339 format"
        ) from None


def _number(given: Mapping[str, str], name: str) -> int | None:
    """Return an integer of 64 bits.

    Raises:
        ValueError: it is none.
    """
    text = given.get(name, "")
    if not text:
        return None
    if not _INTEGER.fullmatch(text) or len(text) > 20:
        raise ValueError(text)
    value = int(text)
    if abs(value) > _MAX_INTEGER:
        raise ValueError(text)
    return value


def _at_least_1(given: Mapping[str, str], name: str) -> int | None:
    try:
        value = _number(given, name)
    except ValueError:
        value = 0
    if value is not None and value < 1:
        raise BadRequestError(f"{name} must be >= 1")
    return value


def _limit(given: Mapping[str, str]) -> int:
    try:
        limit = _number(given, "limit")
    except ValueError:
        raise BadRequestError("invalid limit") from None
    if limit is None:
        return _DEFAULT_LIMIT
    if not 1 <= limit <= _MAX_LIMIT:
        raise BadRequestError(f"limit must be between 1 and {_MAX_LIMIT}")
    return limit


def _page(given: Mapping[str, str]) -> int:
    return _at_least_1(given, "page") or 1


def _sort(given: Mapping[str, str]) -> str:
    sort = given.get("sort") or "id"
    if sort not in SORT_COLUMNS:
        raise BadRequestError("invalid sort column")
    return sort


def _is_descending(given: Mapping[str, str]) -> bool:
    order = (given.get("order") or "desc").lower()
    if order not in {"asc", "desc"}:
        raise BadRequestError("order must be asc or desc")
    return order == "desc"
