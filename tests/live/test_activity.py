"""The activity log over real sockets (http-api.md sections 21 and 27)."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from swapper.core.rfc3339 import rfc3339
from swapper.record.store import Store
from swapper.record.tokens import Tokens
from tests.fakes.activity import ACTIVITY, finished, row_of
from tests.fakes.event_client import EventClient
from tests.fakes.model_server import FakeModel, Response
from tests.fakes.program import SwapperProgram, config_text

pytestmark = pytest.mark.live

CHAT = "/v1/chat/completions"
T0 = 1767323045


# --- the four rows of 21.3 --------------------------------------------------------


@pytest.fixture(scope="module")
def four(
    tmp_path_factory: pytest.TempPathFactory, server: str
) -> Iterator[SwapperProgram]:
    """Rows 1 to 4 at t to t+3, of m1, m2, m1 and m3."""
    folder: Path = tmp_path_factory.mktemp("activity")
    path = folder / "activity.db"
    store = Store(str(path), 1000)
    store.start()
    rates = (100.0, 200.0, -1.0, 0.0)
    for number, model in enumerate(("m1", "m2", "m1", "m3")):
        tokens = Tokens(
            input_tokens=number, output_tokens=7, prompt_per_second=rates[number]
        )
        store.add(finished(model=model, ended_s=T0 + number + 0.9, tokens=tokens))
    store.close()
    with SwapperProgram(folder, f"store: {{path: {path}}}\n", server=server) as program:
        yield program


def at(seconds: int) -> str:
    return quote(rfc3339(T0 + seconds))


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        pytest.param("", [4, 3, 2, 1], id="AC1"),
        pytest.param("model=m1&model=m3", [4, 3, 1], id="AC2"),
        pytest.param("min_id=2&max_id=3", [3, 2], id="AC3"),
        pytest.param(f"start={at(1)}&end={at(2)}", [3, 2], id="AC4"),
        pytest.param("model=m1&min_id=2", [3], id="AC5"),
        pytest.param("sort=time&order=ASC", [1, 2, 3, 4], id="AC6"),
        ("sort=model", [4, 2, 3, 1]),
        ("sort=model&order=asc", [1, 3, 2, 4]),
        ("sort=duration&order=asc&limit=2", [1, 2]),
        ("limit=3&page=2", [1]),
        ("model=nope", []),
        ("model=%20m2%20&model=", [2]),
    ],
)
def test_what_a_query_finds(four: SwapperProgram, query: str, ids: list[int]) -> None:
    page = four.call(f"{ACTIVITY}?{query}").json()

    assert [row["id"] for row in page["data"]] == ids


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=1000", "limit must be between 1 and 999"),
        ("limit=0", "limit must be between 1 and 999"),
        ("limit=abc", "invalid limit"),
        ("page=0", "page must be >= 1"),
        ("sort=bogus", "invalid sort column"),
        ("order=up", "order must be asc or desc"),
        ("min_id=0", "min_id must be >= 1"),
        ("min_id=9&max_id=2", "min_id must be <= max_id"),
        ("end=2026-01-01", "invalid 'end' timestamp, use RFC3339 format"),
        (f"start={at(2)}&end={at(1)}", "start must be before end"),
    ],
)
def test_ac7_a_query_that_makes_no_sense(
    four: SwapperProgram, query: str, message: str
) -> None:
    answer = four.call(f"{ACTIVITY}?{query}")

    assert answer.status == 400
    assert answer.json()["error"]["message"] == message


def test_ac8_a_page_behind_the_last_one_is_empty(four: SwapperProgram) -> None:
    assert four.call(f"{ACTIVITY}?page=99").json() == {
        "data": [],
        "page": 99,
        "limit": 25,
        "total": 4,
        "total_pages": 1,
    }


def test_a_head_request_has_no_body(four: SwapperProgram) -> None:
    answer = four.call(ACTIVITY, method="HEAD")

    assert (answer.status, answer.body) == (200, b"")


def test_statistics_of_all_and_of_one_model(four: SwapperProgram) -> None:
    every = four.call("/api/metrics/stats").json()
    one = four.call("/api/metrics/stats?model=%20m1%20&model=m2").json()
    none = four.call("/api/metrics/stats?model=nope").json()

    assert every["total_requests"] == 4
    assert (every["total_input_tokens"], every["total_output_tokens"]) == (6, 28)
    assert every["prompt_histogram"]["bins"] == [1, 0, 0, 0, 1]
    assert every["gen_histogram"] is None
    assert (one["total_requests"], one["total_input_tokens"]) == (2, 2)
    assert one["prompt_histogram"]["bins"] == [1]
    assert none["total_requests"] == 0
    assert none["prompt_histogram"] is None


# --- what leaves a row ------------------------------------------------------------

MORE = """\
    aliases: [alias1]
    concurrencyLimit: 1
  dead:
    cmd: "false ${PORT}"
groups: {g: {swap: false, exclusive: false, members: [author/model, prio, dead, m1]}}
routing: {scheduler: {settings: {fifo: {priority: {prio: 7}}}}}
peers:
  p1: {proxy: PEER, models: [pm]}
selectors:
  sel-pin: {strategy: pin, targets: [alias1, p1/pm]}
"""


class Fixture(NamedTuple):
    program: SwapperProgram
    peer: FakeModel

    def row(self, target: str, body: Any = None, **rest: Any) -> dict[str, Any]:
        """Return the row of a request."""
        return row_of(self.program, lambda: self.program.call(target, body, **rest))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory, server: str) -> Iterator[Fixture]:
    with ExitStack() as stack:
        peer = stack.enter_context(FakeModel("--default", "echo=1", name="p1"))
        models = dict.fromkeys(("author/model", "prio", "m1"), "--default echo=1")
        config = config_text(models, MORE.replace("PEER", peer.url)).replace(
            "  author/model:\n", "  author/model:\n    useModelName: real\n"
        )
        folder: Path = tmp_path_factory.mktemp("rows")
        program = stack.enter_context(SwapperProgram(folder, config, server=server))
        yield Fixture(program, peer)


@pytest.mark.parametrize(
    ("target", "forwarded"),
    [
        pytest.param("/v/chat/completions", "/chat/completions", id="EE1"),
        pytest.param("/audioapi/v1/tasks/run", "/v1/tasks/run", id="EE2"),
        (f"{CHAT}?x=1", CHAT),
        pytest.param(
            "/upstream/m1/v/chat/completions", "/v/chat/completions", id="U11"
        ),
        pytest.param("/upstream/m1/v1/chat/completions", CHAT, id="U12"),
        ("/upstream/alias1/v1/chat/completions", CHAT),
        ("/upstream/m1/props", "/props"),
        ("/upstream/m1/sdapi/v1/loras", "/sdapi/v1/loras"),
    ],
)
def test_a_row_has_the_path_as_forwarded_and_the_real_id(
    log: Fixture, target: str, forwarded: str
) -> None:
    row = log.row(target, {"model": "alias1"})

    assert row["model"] == "m1"
    assert row["req_path"] == forwarded
    assert row["resp_status_code"] == 200
    assert row["resp_content_type"] == "application/json"
    assert row["metadata"] == {"fifo_priority": "0"}
    assert row["is_truncated"] is False
    assert row["duration_ms"] >= row["first_byte_ms"] >= 0
    assert "error_msg" not in row


def test_ee1_in_flight_the_path_is_the_one_asked_for(log: Fixture) -> None:
    with EventClient(log.program.url) as events:
        events.in_flight("snapshot")
        row = log.row("/v/chat/completions", {"model": "m1"})
        shown = events.in_flight("upsert")["request"]

    assert (shown["req_path"], row["req_path"]) == (
        "/v/chat/completions",
        "/chat/completions",
    )


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/upstream/m1/probe"),
        ("GET", "/upstream/m1/v1/chat/completions"),
        ("GET", "/props?model=m1"),
        ("HEAD", "/props?model=m1"),
    ],
)
def test_u13_what_is_not_metered_leaves_no_row(
    log: Fixture, method: str, target: str
) -> None:
    def both() -> Response:
        assert log.program.call(target, method=method).status == 200
        return log.program.chat("m1")  # whose row would come behind the other's

    assert row_of(log.program, both)["req_path"] == CHAT


def test_ee9_nor_does_what_names_no_model_or_is_no_route(log: Fixture) -> None:
    def all_of_them() -> Response:
        for target, body in ((CHAT, {"x": 1}), (CHAT, {"model": ""}), ("/nope", {})):
            assert log.program.call(target, body).status == 404
        assert log.program.call("/upstream/nope/v1/embeddings", {}).status == 404
        return log.program.chat("m1")

    row_of(log.program, all_of_them)


def test_f6_the_id_counts_and_not_the_name_the_model_server_knows(
    log: Fixture,
) -> None:
    assert log.row(CHAT, {"model": "author/model"})["model"] == "author/model"


def test_ee4_the_priority_is_metadata(log: Fixture) -> None:
    assert log.row(CHAT, {"model": "prio"})["metadata"] == {"fifo_priority": "7"}


def test_ee5_so_is_the_selector(log: Fixture) -> None:
    row = log.row(CHAT, {"model": "sel-pin"})

    assert row["model"] == "m1"
    assert row["metadata"] == {"fifo_priority": "0", "selector": "sel-pin"}


@pytest.mark.parametrize("name", ["p1/pm", "pm"])
@pytest.mark.parametrize("target", [CHAT, f"/upstream/%s{CHAT}"])
def test_pe8_a_peers_model_goes_by_the_name_asked_for(
    log: Fixture, target: str, name: str
) -> None:
    target = target % name if "%s" in target else target
    row = log.row(target, {"model": name})

    assert (row["model"], row["req_path"]) == (name, CHAT)
    assert row["resp_status_code"] == 200
    assert "metadata" not in row


def test_ee8_an_unknown_model_has_a_row(log: Fixture) -> None:
    row = log.row(CHAT, {"model": "who?"})

    assert (row["model"], row["resp_status_code"]) == ("who?", 404)


def test_ee10_so_has_one_that_does_not_start(log: Fixture) -> None:
    row = log.row(CHAT, {"model": "dead"})

    assert (row["model"], row["resp_status_code"]) == ("dead", 500)
    assert "metadata" not in row
