"""The real thread, in memory and with files (http-api.md section 21)."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path

import pytest

from swapper.config.learnt import Footprint, Learnt
from swapper.core.errors import ConfigError
from swapper.core.ids import ModelId
from swapper.record.database import StoreError, _use_wal
from swapper.record.known import KnownTimes
from swapper.record.queries import ActivityQuery
from swapper.record.store import BACKLOG_ROWS, Store
from swapper.record.tokens import Tokens
from tests.fakes.activity import TIMEOUT_S, Listener, finished


@contextmanager
def running(
    path: Path | str = "", listener: Listener | None = None, max_rows: int = 1000
) -> Iterator[Store]:
    store = Store(str(path), max_rows, [listener] if listener else [])
    store.start()
    try:
        yield store
    finally:
        store.close()


def ids_of(store: Store, query: ActivityQuery | None = None) -> list[int]:
    page = store.page(query or ActivityQuery(limit=999))
    return [row[0] for row in page.rows]


def count_of(path: Path) -> int:
    """Return the rows that another process would see."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT count(*) FROM activity").fetchone()[0])


@pytest.fixture(params=["memory", "file"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "" if request.param == "memory" else str(tmp_path / "activity.db")


# --- writing --------------------------------------------------------------------


def test_rows_have_increasing_ids_from_one_and_listeners_hear_of_each(
    place: str,
) -> None:
    listener = Listener()
    with running(place, listener) as store:
        for number in range(100):
            store.add(finished(request_id=f"r-{number}"))
        listener.wait_for(100)

        assert ids_of(store) == list(range(100, 0, -1))
    stored = [row for batch in listener.batches for row in batch]
    assert [row.id for row in stored] == list(range(1, 101))
    assert [row.finished.request_id for row in stored] == [
        f"r-{number}" for number in range(100)
    ]


def test_rows_that_come_close_together_are_one_transaction(place: str) -> None:
    listener = Listener()
    with running(place, listener) as store:
        store.add(finished())
        listener.wait_for(1)
        for _ in range(500):
            store.add(finished())
        listener.wait_for(501)

    assert len(listener.batches) < 20  # 20 a second, and this takes milliseconds


def test_a_listener_can_read_what_it_is_told_of(place: str) -> None:
    seen: list[list[int]] = []
    done = threading.Event()
    with running(place) as store:

        def look(stored: object) -> None:
            seen.append(ids_of(store))
            done.set()

        store._listeners = (look,)
        store.add(finished())
        assert done.wait(TIMEOUT_S)

    assert seen == [[1]]


def test_what_is_handed_in_just_before_the_end_is_written(tmp_path: Path) -> None:
    path = tmp_path / "activity.db"
    with running(path) as store:
        for _ in range(300):
            store.add(finished())

    assert count_of(path) == 300


def test_after_the_end_a_row_is_nobodys(tmp_path: Path) -> None:
    with running(tmp_path / "activity.db") as store:
        pass

    store.add(finished())
    store.put_times(ModelId("m1"), KnownTimes(1.0, None))
    store.use("", 5)


def test_after_the_end_memory_cannot_be_read() -> None:
    with running() as store:
        pass

    with pytest.raises(StoreError, match="closed"):
        store.page(ActivityQuery())


def test_many_threads_lose_nothing(place: str) -> None:
    listener = Listener()
    with running(place, listener, max_rows=10_000) as store:

        def hand_in() -> None:
            for _ in range(100):
                store.add(finished())

        threads = [threading.Thread(target=hand_in) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(listener.wait_for(800)) == list(range(1, 801))


# --- in memory ------------------------------------------------------------------


def test_memory_keeps_the_newest_rows_only() -> None:
    listener = Listener()
    with running("", listener, max_rows=3) as store:
        for _ in range(10):
            store.add(finished())
        listener.wait_for(10)

        assert ids_of(store) == [10, 9, 8]


def test_a_file_keeps_all_rows(tmp_path: Path) -> None:
    listener = Listener()
    with running(tmp_path / "activity.db", listener, max_rows=3) as store:
        for _ in range(10):
            store.add(finished())
        listener.wait_for(10)

        assert ids_of(store) == list(range(10, 0, -1))


# --- another start, another place -----------------------------------------------


def test_ee13_a_file_is_still_there_and_its_ids_go_on(tmp_path: Path) -> None:
    path = tmp_path / "activity.db"
    for expected in ([1], [2, 1], [3, 2, 1]):
        with running(path) as store:
            store.add(finished())
        with running(path) as store:
            assert ids_of(store) == expected


def test_ids_are_never_used_again(tmp_path: Path) -> None:
    path = tmp_path / "activity.db"
    with running(path) as store:
        store.add(finished())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM activity")
        connection.commit()
    listener = Listener()
    with running(path, listener) as store:
        store.add(finished())

    assert listener.ids == [2]


def test_another_path_is_another_log_and_rows_before_go_to_the_old_one(
    tmp_path: Path,
) -> None:
    old, new, listener = tmp_path / "old.db", tmp_path / "new.db", Listener()
    with running(old, listener) as store:
        for _ in range(50):
            store.add(finished())
        store.use(str(new), 1000)
        store.add(finished())
        listener.wait_for(51)

        assert store.path == str(new)
        assert ids_of(store) == [1]
    assert (count_of(old), count_of(new)) == (50, 1)


def test_from_memory_to_a_file_and_back(tmp_path: Path) -> None:
    listener = Listener()
    with running("", listener) as store:
        store.add(finished())
        listener.wait_for(1)
        store.use(str(tmp_path / "activity.db"), 1000)
        assert ids_of(store) == []
        store.add(finished())
        listener.wait_for(2)
        store.use("", 1000)
        assert ids_of(store) == []


def test_whoever_reads_never_meets_a_log_that_is_being_replaced(
    tmp_path: Path,
) -> None:
    is_over, failures = threading.Event(), []
    with running("") as store:

        def read() -> None:
            while not is_over.is_set():
                try:
                    store.page(ActivityQuery())
                except StoreError as exc:
                    failures.append(exc)

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        for number in range(20):
            store.use(str(tmp_path / f"{number}.db") if number % 2 else "", 1000)
        is_over.set()
        for reader in readers:
            reader.join()

    assert failures == []


def test_the_same_path_is_the_same_log_with_another_limit() -> None:
    listener = Listener()
    with running("", listener) as store:
        for _ in range(5):
            store.add(finished())
        listener.wait_for(5)
        store.use("", 2)
        store.add(finished())
        listener.wait_for(6)

        assert ids_of(store) == [6, 5]


def test_a_path_that_will_not_do_changes_nothing(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text(
        "not a database, but long enough to be read as one" * 10, encoding="utf-8"
    )
    listener = Listener()
    with running("", listener) as store:
        store.add(finished())
        listener.wait_for(1)

        with pytest.raises(ConfigError):
            store.use(str(text), 1000)

        assert ids_of(store) == [1]


# --- start-up -------------------------------------------------------------------


def _text_file(path: Path) -> None:
    path.write_text(
        "not a database, but long enough to be read as one" * 10, encoding="utf-8"
    )


def _foreign_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE activity (sport TEXT, calories INTEGER)")
        connection.commit()


def _folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_text_file, "file is not a database"),
        (_foreign_table, "its table `activity` is that of another program"),
        (_folder, "unable to open database file"),
    ],
)
def test_a_place_that_will_not_do_is_told_at_the_start(
    tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / "activity.db"
    spoil(path)

    with pytest.raises(ConfigError) as caught:
        Store(str(path), 1000)

    [problem] = caught.value.problems
    assert problem.key_path == "store.path"
    assert str(path) in problem.message
    assert message in problem.message


def test_a_path_with_signs_that_mean_something_in_addresses_is_a_path(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a b%20?mode=ro#ü.db"
    with running(path) as store:
        store.add(finished())

    assert count_of(path) == 1


def test_a_place_without_write_ahead_logging_is_refused() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(sqlite3.OperationalError, match="got mode 'memory'"),
    ):
        _use_wal(connection)


# --- the reference's database ---------------------------------------------------

REFERENCE = """
CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT,
  version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL, tstamp TIMESTAMP);
INSERT INTO goose_db_version VALUES (1, 0, 1, '2026-01-01'), (2, 1, 1, '2026-01-01');
CREATE TABLE activity (id INTEGER PRIMARY KEY AUTOINCREMENT,
  ts_created INTEGER NOT NULL DEFAULT 0, model_id TEXT NOT NULL DEFAULT '',
  req_path TEXT NOT NULL DEFAULT '', resp_content_type TEXT NOT NULL DEFAULT '',
  resp_status_code INTEGER NOT NULL DEFAULT 0,
  cache_tokens INTEGER NOT NULL DEFAULT 0, draft_tokens INTEGER NOT NULL DEFAULT 0,
  draft_acc_tokens INTEGER NOT NULL DEFAULT 0, input_tokens INTEGER NOT NULL DEFAULT 0,
  output_tokens INTEGER NOT NULL DEFAULT 0, prompt_per_second REAL NOT NULL DEFAULT 0,
  tokens_per_second REAL NOT NULL DEFAULT 0, duration_ms INTEGER NOT NULL DEFAULT 0);
INSERT INTO activity (ts_created, model_id, resp_status_code) VALUES (5, 'old', 200);
"""


def test_a_database_of_the_reference_is_read_and_gets_what_it_lacks(
    tmp_path: Path,
) -> None:
    path = tmp_path / "activity.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(REFERENCE)
    listener = Listener()
    with running(path, listener) as store:
        store.add(finished(model="new"))
        listener.wait_for(1)
        shown = store.page(ActivityQuery()).as_json(lambda _: False)["data"]

    assert isinstance(shown, list)
    assert [row["model"] for row in shown] == ["new", "old"]
    assert shown[1]["first_byte_ms"] == -1
    with closing(sqlite3.connect(path)) as connection:
        steps = connection.execute("SELECT step FROM swapper_migrations").fetchall()
        goose = connection.execute("SELECT count(*) FROM goose_db_version").fetchone()
    assert steps == [(1,), (2,), (3,), (4,)]
    assert goose == (2,)


def test_a_database_that_a_newer_swapper_made_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "activity.db"
    with running(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO swapper_migrations VALUES (99, 0)")
        connection.execute("ALTER TABLE activity ADD COLUMN joules REAL DEFAULT 0")
        connection.commit()
    with running(path) as store:
        store.add(finished())

    assert count_of(path) == 1


# --- reading --------------------------------------------------------------------


def test_statistics_sum_up_all_rows_or_one_models(place: str) -> None:
    listener = Listener()
    rows = [
        ("m1", Tokens(input_tokens=5, output_tokens=8, cache_tokens=2)),
        ("m1", Tokens(input_tokens=10, output_tokens=20, cache_tokens=-1)),
        ("m2", Tokens(input_tokens=1, prompt_per_second=100.0, tokens_per_second=-1)),
        ("m2", Tokens(prompt_per_second=200.0)),
    ]
    with running(place, listener) as store:
        for model, tokens in rows:
            store.add(finished(model=model, tokens=tokens))
        listener.wait_for(4)
        every, one, none = map(store.statistics, ("", "m1", "nope"))

    assert every.as_json() == {
        "total_requests": 4,
        "total_input_tokens": 16,
        "total_output_tokens": 28,
        "total_cache_tokens": 2,
        "prompt_histogram": {
            "bins": (1, 0, 0, 0, 1),
            "min": 100,
            "max": 200,
            "binSize": 20,
            "p50": 150,
            "p95": 195,
            "p99": 199,
        },
        "gen_histogram": None,
    }
    assert (one.requests, one.input_tokens, one.prompt_rates) == (2, 15, None)
    assert none.requests == none.input_tokens == 0


def test_more_models_than_a_statement_has_places(place: str) -> None:
    listener = Listener()
    models = tuple(f"x{number}" for number in range(50_000))
    with running(place, listener) as store:
        store.add(finished())
        listener.wait_for(1)

        assert ids_of(store, ActivityQuery(models=(*models, "m1"))) == [1]


def test_a_page_beyond_every_number_is_empty(place: str) -> None:
    with running(place) as store:
        page = store.page(ActivityQuery(page=2**63 - 1, limit=999))

    assert page.as_json(lambda _: False)["total_pages"] == 0


def test_a_reader_in_the_middle_of_a_query_does_not_stop_the_writer(
    tmp_path: Path,
) -> None:
    listener = Listener()
    with running(tmp_path / "activity.db", listener) as store:
        store.add(finished())
        listener.wait_for(1)
        with store._database.reading() as connection:
            rows = connection.execute("SELECT count(*) FROM activity")
            store.add(finished())
            listener.wait_for(2)

            assert rows.fetchone() == (1,)  # as it was when the query began


def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    with (
        running(tmp_path / "activity.db") as store,
        pytest.raises(StoreError, match="readonly"),
        store._database.reading() as connection,
    ):
        connection.execute("DELETE FROM activity")


# --- swap times -----------------------------------------------------------------


def test_swap_times_are_kept_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "activity.db"
    a, b = ModelId("a"), ModelId("b")
    with running(path) as store:
        store.put_times(a, KnownTimes(1.5, None))
        store.put_times(b, KnownTimes(None, 0.25))
        store.put_times(a, KnownTimes(2.5, 0.5))
    with running(path) as store:
        assert store.known_times() == {
            a: KnownTimes(2.5, 0.5),
            b: KnownTimes(None, 0.25),
        }
        store.put_times(b, KnownTimes(9.0, 0.25))
    with running(path) as store:
        assert store.known_times()[b] == KnownTimes(9.0, 0.25)


def test_learnt_needs_are_kept_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "activity.db"
    a, b, c = map(ModelId, "abc")
    untold = Learnt(basis="x", footprint=Footprint(ram_bytes=5))
    failed = {"gpu0": Fraction(1 << 40), "slots": Fraction(11, 10)}
    on_cards = Footprint(ram_bytes=7, gpu_bytes={0: 1 << 40, 3: 2})
    with running(path) as store:
        store.put_needs(a, untold)
        store.put_needs(b, Learnt(basis="y"))
        store.put_needs(c, Learnt(basis="z", footprint=on_cards, at_least=failed))
        store.put_needs(b, Learnt(basis="z", footprint=Footprint(ram_bytes=0)))
    with running(path) as store:
        assert store.known_needs() == {
            a: untold,
            b: Learnt(basis="z", footprint=Footprint(ram_bytes=0)),
            c: Learnt(basis="z", footprint=on_cards, at_least=failed),
        }


def test_needs_that_make_no_sense_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "activity.db"
    with running(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        for gpus in ("[1]", "{", '{"a": 1}'):
            connection.execute(
                "INSERT INTO model_needs VALUES (?, '', 1, ?, 0, '{}')", (gpus, gpus)
            )
        for least in ("[1]", "{", '{"a": "1/0"}', '{"a": {}}'):
            connection.execute(
                "INSERT INTO model_needs VALUES (?, '', 1, NULL, 0, ?)",
                (f"least {least}", least),
            )
        connection.commit()
    with running(path) as store:
        assert store.known_needs() == {}


def test_the_manual_tells_how_many_rows_may_wait() -> None:
    manual = Path(__file__).parents[3] / "docs" / "monitoring.md"

    assert f"({BACKLOG_ROWS} of them;" in manual.read_text(encoding="utf-8")
