"""Captures: what is taken, what is kept (http-api.md section 23)."""

import io
import logging
import random
from dataclasses import replace

import pytest

from swapper.record.captures import (
    Capture,
    Captures,
    Draft,
    KeptBodies,
    kept_bodies,
    pack,
    unpack,
)
from swapper.record.row import Finished

BUDGET = 10_000
_rng = random.Random(7)  # noqa: S311 - to be incompressible is all it has to be

REQ = [("Host", "h"), ("content-type", "application/json"), ("X-API-KEY", "k")]
RESP = [("Content-Encoding", "gzip"), ("set-cookie", "a=1"), ("x", "1"), ("X", "2")]


def finished() -> Finished:
    return Finished(
        request_id="r",
        model="m",
        peer="",
        is_known=True,
        method="POST",
        route="/v1/completions",
        req_path="/v1/completions",
        is_recorded=True,
        status=200,
        resp_content_type="",
        resp_bytes=0,
        is_truncated=False,
        ended_s=0,
        duration_ms=0,
        queue_ms=0,
        load_ms=0,
        first_byte_ms=None,
    )


def noise(count: int) -> bytes:
    return _rng.randbytes(count)


def drafted(
    request: bytes | None, response: bytes = b"", path: str = "/v1/completions"
) -> Draft:
    draft = Draft(path, REQ, BUDGET)
    draft.of_request(request)
    draft.add(response)
    draft.end(path, RESP, has_body=True)
    return draft


def kept(captures: Captures, number: int, draft: Draft) -> bool:
    row = finished()
    captures.hold(row, draft)
    captures.stored(number, row)
    return number in captures


def test_a_capture_has_headers_and_bodies() -> None:
    assert drafted(b"{}", b"answer").capture() == Capture(
        req_path="/v1/completions",
        req_headers={"Content-Type": "application/json", "X-Api-Key": "[REDACTED]"},
        req_body=b"{}",
        resp_headers={"Set-Cookie": "[REDACTED]", "X": "1"},
        resp_body=b"answer",
    )


@pytest.mark.parametrize(
    ("path", "bodies"),
    [
        ("/v1/chat/completions", KeptBodies()),
        ("/v1/audio/speech", KeptBodies(response=False)),
        ("/v1/images/generations", KeptBodies(response=False)),
        ("/sdapi/v1/txt2img", KeptBodies(response=False)),
        ("/v1/audio/voices", KeptBodies(request=False)),
        ("/v1/audio/transcriptions", KeptBodies(request=False)),
        ("/v1/images/edits", KeptBodies(request=False, response=False)),
        ("/sdapi/v1/img2img", KeptBodies(request=False, response=False)),
    ],
)
def test_media_are_left_out(path: str, bodies: KeptBodies) -> None:
    capture = drafted(b"q", b"a", path).capture()

    assert kept_bodies(path) == bodies
    assert (capture.req_body is None) == (not bodies.request)
    assert (capture.resp_body is None) == (not bodies.response)


def test_a_body_that_is_streamed_is_kept_as_it_passes() -> None:
    draft = Draft("/v1/completions", REQ, BUDGET)
    body = draft.of_request(io.BytesIO(b"a long body"))
    assert body is not None
    assert not isinstance(body, bytes)

    assert draft.capture().req_body is None
    while body.read1(4):
        pass
    assert draft.capture().req_body == b"a long body"


def test_the_body_that_came_first_stands() -> None:
    draft = Draft("/v1/completions", REQ, BUDGET)
    draft.of_request(b"as the client named it")

    assert draft.of_request(b"as the peer does") == b"as the peer does"
    assert draft.capture().req_body == b"as the client named it"


def test_no_body_is_an_empty_one() -> None:
    assert drafted(None).capture().req_body == b""


def test_a_refusal_has_no_body() -> None:
    draft = drafted(b"q", b"a")
    draft.end("/x", RESP, has_body=False)

    assert draft.capture().resp_body is None


@pytest.mark.parametrize("is_request", [True, False])
def test_a_draft_gives_up_beyond_its_limit(*, is_request: bool) -> None:
    draft = Draft("/v1/completions", REQ, 100)
    body = draft.of_request(io.BytesIO(bytes(101 if is_request else 60)))
    assert body is not None
    assert not isinstance(body, bytes)
    body.read1(1000)
    assert draft.is_too_large == is_request
    draft.add(bytes(41))

    assert draft.is_too_large
    assert draft.held_bytes == 0
    assert draft.capture().req_body is None
    assert draft.capture().resp_body == b""


@pytest.mark.parametrize("body", [b"", b"\n\0x", noise(5000), None])
def test_what_is_packed_comes_out_again(body: bytes | None) -> None:
    capture = drafted(b"q", b"a").capture()
    for other in (
        replace(capture, req_body=body),
        replace(capture, resp_body=body),
        replace(capture, req_body=body, resp_body=body),
    ):
        assert unpack(pack(other)) == other


def test_secrets_are_not_in_memory_once_packed() -> None:
    capture = drafted(b"").capture()

    assert "k" not in capture.req_headers.values()
    assert "a=1" not in repr(capture)


def test_the_oldest_make_room() -> None:
    captures = Captures(BUDGET)
    for number in range(1, 5):
        assert kept(captures, number, drafted(noise(3000)))

    assert [number in captures for number in range(1, 5)] == [False, True, True, True]
    assert captures.get(1) is None
    found = captures.get(4)
    assert found is not None
    assert len(found.req_body or b"") == 3000


def test_the_budget_counts_compressed_bytes() -> None:
    captures = Captures(BUDGET)
    for number in range(20):
        assert kept(captures, number, drafted(b"a" * 9000))

    assert all(number in captures for number in range(20))


def test_what_is_larger_than_the_budget_is_dropped_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    captures = Captures(BUDGET)
    with caplog.at_level(logging.WARNING):
        assert kept(captures, 1, drafted(noise(100)))
        assert not kept(captures, 2, drafted(noise(BUDGET + 1)))
        assert not kept(captures, 3, drafted(noise(BUDGET - 1)))

    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2
    assert "captureBuffer" in caplog.text
    assert 1 in captures


def test_another_budget_drops_what_has_no_room() -> None:
    captures = Captures(BUDGET)
    for number in (1, 2):
        kept(captures, number, drafted(noise(4000)))
    captures.resize(5000)
    assert [1 in captures, 2 in captures] == [False, True]
    captures.resize(0)

    assert 2 not in captures
    assert captures.draft("/x", REQ) is None
    assert not kept(captures, 3, drafted(b""))


def test_what_waits_for_its_row_is_bounded() -> None:
    captures = Captures(BUDGET)
    rows = [finished() for _ in range(5)]
    for row in rows:
        captures.hold(row, drafted(noise(4000)))
    for number, row in enumerate(rows):
        captures.stored(number, row)

    assert [number in captures for number in range(5)] == [
        False,
        False,
        False,
        True,
        True,
    ]


def test_a_row_without_a_capture_is_nothing_special() -> None:
    captures = Captures(BUDGET)
    captures.stored(1, finished())

    assert 1 not in captures


def test_what_is_forgotten_makes_room() -> None:
    captures = Captures(BUDGET)
    kept(captures, 1, drafted(noise(9000)))
    captures.forget()

    assert 1 not in captures
    assert kept(captures, 1, drafted(noise(100)))
    assert captures._packed_bytes < 1000
