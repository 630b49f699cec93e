import json
import math
import sqlite3
from contextlib import closing
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from swapper.record.row import Finished
from swapper.record.rows import COLUMNS, INSERT, from_row, to_row
from swapper.record.schema import ACTIVITY, migrate
from swapper.record.tokens import Tokens
from tests.fakes.activity import finished

BASIC = {
    "id": 1,
    "timestamp": "2026-01-02T03:04:05Z",
    "model": "m1",
    "req_path": "/v1/chat/completions",
    "resp_content_type": "application/json",
    "resp_status_code": 200,
    "tokens": {
        "cache_tokens": 0,
        "draft_tokens": 0,
        "draft_acc_tokens": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "prompt_per_second": 0,
        "tokens_per_second": 0,
    },
    "duration_ms": 41,
    "has_capture": False,
    "request_id": "r-1",
    "queue_ms": 3,
    "load_ms": 20,
    "first_byte_ms": 30,
    "is_truncated": False,
}
ANY_TEXT = st.text(
    st.characters(),
    max_size=50,  # surrogates and NULs too
)
ANY_NUMBER = st.one_of(st.integers(), st.floats(), st.just(10**400))


def through_sqlite(row: Finished) -> dict[str, Any]:
    """Return the JSON of what comes back from a table, as a client reads it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        connection.execute(INSERT, to_row(row))
        read = connection.execute(
            f"SELECT {', '.join(COLUMNS)} FROM activity"  # noqa: S608 - our own names
        ).fetchone()
    text = json.dumps(from_row(read, has_capture=False), allow_nan=False)
    shown: dict[str, Any] = json.loads(text)
    return shown


def test_a_row_has_the_keys_of_the_reference_and_ours_behind_them() -> None:
    shown = through_sqlite(finished())

    assert shown | {"timestamp": BASIC["timestamp"]} == BASIC


def test_each_figure_is_in_its_own_column() -> None:
    tokens = Tokens(1, 2, 3, 4, 5, 6.5, 7.5)
    assert through_sqlite(finished(tokens=tokens))["tokens"] == tokens._asdict()


def test_error_and_metadata_are_there_only_if_there_are_any() -> None:
    shown = through_sqlite(
        finished(error_msg="boom", metadata={"fifo_priority": "7"}, is_truncated=True)
    )

    assert shown["error_msg"] == "boom"
    assert shown["metadata"] == {"fifo_priority": "7"}
    assert shown["is_truncated"] is True


def test_metadata_of_none_is_stored_as_the_reference_does() -> None:
    assert to_row(finished())[list(ACTIVITY).index("metadata_json")] == ""


def test_a_request_without_an_answer_has_no_first_byte() -> None:
    assert through_sqlite(finished(first_byte_ms=None))["first_byte_ms"] == -1


def test_no_name_of_a_model_is_too_long() -> None:
    assert len(through_sqlite(finished(model="x" * 10_000_000))["model"]) == 8192


@given(
    text=ANY_TEXT,
    number=ANY_NUMBER,
    rate=ANY_NUMBER,
    metadata=st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=3),
)
def test_whatever_a_request_tells_can_be_stored_and_shown(
    text: str, number: Any, rate: Any, metadata: dict[str, str]
) -> None:
    shown = through_sqlite(
        finished(
            model=text,
            req_path=text,
            error_msg=text,
            resp_content_type=text,
            request_id=text,
            metadata=metadata,
            duration_ms=number,
            tokens=Tokens(
                cache_tokens=number,
                input_tokens=number,
                output_tokens=number,
                prompt_per_second=rate,
                tokens_per_second=rate,
            ),
        )
    )

    assert shown["model"] == text.encode("utf-8", "replace").decode()
    assert isinstance(shown["tokens"]["input_tokens"], int)
    assert math.isfinite(shown["tokens"]["prompt_per_second"])


def test_metadata_that_another_program_spoilt_is_left_out() -> None:
    values = ["x" if what.startswith("TEXT") else 0 for what in ACTIVITY.values()]

    assert "metadata" not in from_row((1, *values), has_capture=True)
