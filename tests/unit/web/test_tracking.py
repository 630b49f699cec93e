"""The books that are kept of a request to a model."""

import itertools

import pytest

from swapper.core.ids import ModelId, RunId
from swapper.record.row import Finished
from swapper.router import Lease
from swapper.sync import CancelToken
from swapper.web.request import Request
from swapper.web.tracking import Subject, Track, Tracker


class _Client:
    token = CancelToken()

    def takeover(self) -> None:
        return None


class _Watcher:
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def changed(self) -> None:
        self.seen.append(("changed", 0, 0))

    def ends(self, track: Track) -> None:
        self.seen.append(("ends", track.number, track.resp_bytes))


def _request(request_id: str = "") -> Request:
    environ = {"REQUEST_METHOD": "POST", "REQUEST_URI": "/v/chat/completions?k=1"}
    if request_id:
        environ["HTTP_X_REQUEST_ID"] = request_id
    return Request(environ, _Client())


def _subject(*, is_listed: bool = True) -> Subject:
    return Subject(
        model="m1",
        route="/v/chat/completions",
        path="/v/chat/completions",
        target="/chat/completions?k=1",
        is_listed=is_listed,
        is_recorded=True,
    )


def _lease(started_s: float, ready_s: float) -> Lease:
    return Lease(
        ModelId("m1"),
        RunId(1),
        "http://127.0.0.1:1",
        lambda: None,
        started_s=started_s,
        ready_s=ready_s,
    )


def test_a_finished_request_tells_what_the_client_saw() -> None:
    kept: list[Finished] = []
    request = _request("abc")
    track = Tracker([kept.append]).begin(request, _subject())

    track.head(200, [("content-type", "text/event-stream")])
    track.piece(b"12345")
    track.piece(b"678")
    track.end(is_complete=False)
    track.keep()

    (finished,) = kept
    assert (finished.request_id, finished.status, finished.resp_bytes) == (
        "abc",
        200,
        8,
    )
    assert finished.req_path == "/chat/completions"
    assert finished.resp_content_type == "text/event-stream"
    assert finished.is_truncated
    assert finished.first_byte_ms is not None


@pytest.mark.parametrize(
    "cuts", [(), (0,), (1,), (40, 41), (3, 3, 60)], ids=lambda cuts: f"{cuts}"
)
@pytest.mark.parametrize("padding", [0, 40_000], ids=["short", "long"])
def test_figures_and_capture_are_the_same_however_an_answer_is_cut(
    cuts: tuple[int, ...], padding: int
) -> None:
    """One short piece is looked into at the end, any other while it passes."""
    kept: list[Finished] = []
    tracker = Tracker([kept.append])
    tracker.captures.resize(1 << 20)
    track = tracker.begin(_request(), _subject())
    body = b'{"usage":{"prompt_tokens":12,"completion_tokens":7},"x":"%b"}' % (
        b"-" * padding
    )
    track.head(200, [("Content-Type", "application/json")])
    for begin, end in itertools.pairwise((0, *cuts, len(body))):
        track.piece(body[begin:end])
    assert track.held_bytes == len(body)
    track.end(is_complete=True)
    track.keep()
    tracker.captures.stored(1, kept[0])
    capture = tracker.captures.get(1)

    assert (kept[0].tokens.input_tokens, kept[0].tokens.output_tokens) == (12, 7)
    assert kept[0].resp_bytes == len(body)
    assert capture is not None
    assert capture.resp_body == body


def test_a_failure_behind_a_stream_that_had_begun_is_the_outcome() -> None:
    kept: list[Finished] = []
    track = Tracker([kept.append]).begin(_request(), _subject())
    track.head(200, [])
    track.failed(500, "it would not start")
    track.end(is_complete=True)
    track.keep()

    assert (kept[0].status, kept[0].error_msg) == (500, "it would not start")


@pytest.mark.parametrize(
    ("load_s", "expected"), [(-5.0, "nothing"), (1000.0, "everything")]
)
def test_the_wait_is_split_into_queue_and_load(load_s: float, expected: str) -> None:
    """A load that was over before is no part of the wait; nor is one longer than it."""
    kept: list[Finished] = []
    request = _request()
    track = Tracker([kept.append]).begin(request, _subject())
    began = track.began_at
    track.granted(_lease(began - 10, began + load_s), priority=3)
    track.end(is_complete=True)
    track.keep()

    finished = kept[0]
    total = finished.queue_ms + finished.load_ms
    assert total <= finished.duration_ms
    assert (finished.load_ms == 0) if expected == "nothing" else not finished.queue_ms
    assert finished.metadata == {"fifo_priority": "3"}


def test_a_watcher_sees_listed_requests_only() -> None:
    tracker, watcher = Tracker(), _Watcher()
    tracker.watcher = watcher
    hidden = tracker.begin(_request(), _subject(is_listed=False))
    shown = tracker.begin(_request(), _subject())
    assert tracker.listed() == [shown]
    for track in (hidden, shown):
        track.head(200, [])
        track.piece(b"x")
        track.end(is_complete=True)

    assert watcher.seen == [
        *(("changed", 0, 0), ("changed", 0, 0)),
        ("ends", 2, 1),
    ]
    assert tracker.listed() == []


@pytest.mark.parametrize("sane", ["abc-1", "a.b:c/d@e+f=g~", "x" * 128])
def test_a_sane_request_id_is_kept(sane: str) -> None:
    assert _request(sane).id == sane


@pytest.mark.parametrize("odd", ["", "a b", "x" * 129, "a\tb", "é", 'a"b', "a,b"])
def test_any_other_request_id_is_replaced(odd: str) -> None:
    first, second = _request(odd).id, _request(odd).id
    assert odd not in {first, second}
    assert first != second
