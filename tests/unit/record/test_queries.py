import pytest

from swapper.core.errors import BadRequestError
from swapper.record.queries import SORT_COLUMNS, ActivityQuery, parse_query

NOON = "2026-01-02T12:00:00Z"
NOON_S = 1767355200


@pytest.mark.parametrize(
    ("items", "query"),
    [
        ([], ActivityQuery()),
        ([("model", " "), ("limit", ""), ("page", " "), ("sort", "")], ActivityQuery()),
        (
            [("model", " m1 "), ("model", ""), ("model", "m3"), ("model", "m1")],
            ActivityQuery(models=("m1", "m3")),
        ),
        (
            [("start", f" {NOON} "), ("end", "2026-01-02T13:00:00.9+01:00")],
            ActivityQuery(start_s=NOON_S, end_s=NOON_S),
        ),
        ([("min_id", "2"), ("max_id", "2")], ActivityQuery(min_id=2, max_id=2)),
        ([("limit", "+999"), ("page", "7")], ActivityQuery(limit=999, page=7)),
        ([("limit", "3"), ("limit", "x")], ActivityQuery(limit=3)),
        (
            [("sort", "time"), ("order", "ASC")],
            ActivityQuery(sort="time", is_descending=False),
        ),
    ],
)
def test_parameters_become_a_query(
    items: list[tuple[str, str]], query: ActivityQuery
) -> None:
    assert parse_query(items) == query


@pytest.mark.parametrize("sort", SORT_COLUMNS)
def test_every_sort_key_is_taken(sort: str) -> None:
    assert parse_query([("sort", sort)]).sort == sort


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("start=yesterday", "invalid 'start' timestamp, use RFC3339 format"),
        ("end=2026-01-01", "invalid 'end' timestamp, use RFC3339 format"),
        (f"start={NOON}&end=2026-01-02T11:59:59Z", "start must be before end"),
        ("min_id=0", "min_id must be >= 1"),
        ("min_id=x", "min_id must be >= 1"),
        ("max_id=-1", "max_id must be >= 1"),
        ("max_id=9223372036854775808", "max_id must be >= 1"),
        ("min_id=9&max_id=2", "min_id must be <= max_id"),
        ("limit=abc", "invalid limit"),
        ("limit=1.0", "invalid limit"),
        ("limit=1_0", "invalid limit"),
        ("limit=٣", "invalid limit"),
        ("limit=99999999999999999999", "invalid limit"),
        ("limit=" + "9" * 5000, "invalid limit"),
        ("limit=1000", "limit must be between 1 and 999"),
        ("limit=0", "limit must be between 1 and 999"),
        ("page=0", "page must be >= 1"),
        ("page=x", "page must be >= 1"),
        ("sort=bogus", "invalid sort column"),
        ("sort=ts_created", "invalid sort column"),
        ("order=up", "order must be asc or desc"),
    ],
)
def test_what_makes_no_sense_is_refused(query: str, message: str) -> None:
    items = [tuple(part.split("=", 1)) for part in query.split("&")]

    with pytest.raises(BadRequestError) as caught:
        parse_query([(name, value) for name, value in items])

    assert str(caught.value) == message


IN_ORDER = [
    ("start", "x", "invalid 'start' timestamp, use RFC3339 format"),
    ("end", "x", "invalid 'end' timestamp, use RFC3339 format"),
    ("min_id", "0", "min_id must be >= 1"),
    ("max_id", "0", "max_id must be >= 1"),
    ("limit", "x", "invalid limit"),
    ("page", "0", "page must be >= 1"),
    ("sort", "x", "invalid sort column"),
    ("order", "x", "order must be asc or desc"),
]


@pytest.mark.parametrize("first", range(len(IN_ORDER)))
def test_the_first_fault_in_the_order_of_the_table_is_told(first: int) -> None:
    items = [(name, value) for name, value, _ in reversed(IN_ORDER[first:])]

    with pytest.raises(BadRequestError) as caught:
        parse_query(items)

    assert str(caught.value) == IN_ORDER[first][2]
