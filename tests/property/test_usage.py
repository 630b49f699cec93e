"""Figures out of any bodies, cut anywhere, beside what a plain parser finds."""

import itertools
import json
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swapper.record import usage as usage_module
from swapper.record.figures import NO_USAGE, Usage, counts_of, usage_of
from swapper.record.json_stream import JsonStream, wanted
from swapper.record.tap import ResponseTap
from swapper.record.usage import JsonUsage, SseUsage
from tests.fakes.answers import SSE

KEYS = (
    "usage",
    "timings",
    "metrics",
    "response",
    "message",
    "prompt_tokens",
    "completion_tokens",
    "input_tokens",
    "prompt_n",
    "predicted_n",
    "prompt_ms",
    "draft_n",
    "draft_n_accepted",
    "mean_itl_ms",
    "x",
    "é",
)
keys = st.sampled_from(KEYS)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 1000),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["[DONE]", 'usage":', "\\", '"', "\n", "data: {", "\ud800"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=5)
    ),
    max_leaves=24,
)
bodies = st.dictionaries(keys, values, max_size=6)
cuts = st.lists(st.integers(0, 400), max_size=6)
quick = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(params=[16, 1 << 14])
def text_limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """From this length on texts are followed, not parsed."""
    monkeypatch.setattr(usage_module, "TEXT_LIMIT_BYTES", request.param)


def split(body: bytes, at: list[int]) -> Iterator[bytes]:
    places = [0, *sorted(at), len(body)]
    return (body[start:end] for start, end in itertools.pairwise(places))


def written(value: Any, indent: int | None, *, is_ascii: bool) -> bytes:
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    return text.encode("utf-8", "surrogatepass")


def by_parser(body: bytes) -> Usage:
    """Return what a JSON body holds, read the plain way."""
    try:
        value = json.loads(body.decode("utf-8", "replace"))
    except ValueError:
        return NO_USAGE
    if not isinstance(value, dict):
        return NO_USAGE
    told = {
        name: value[name] for name in ("usage", "timings", "metrics") if name in value
    }
    return usage_of(counts_of(told.get("usage")), told) if told else NO_USAGE


def events_by_parser(body: bytes) -> Usage:
    """Return what an event stream holds, read the plain way."""
    counts = counts_of(None)
    told: dict[str, Any] = {}
    for line in body.split(b"\n"):
        name, colon, data = line.strip(b" \t\r").partition(b"data:")
        try:
            value = json.loads(data.decode("utf-8", "replace"))
        except ValueError:
            continue
        if name or not colon or not isinstance(value, dict):
            continue
        places = [value, value.get("response"), value.get("message")]
        objects = [place for place in places if isinstance(place, dict)]
        found = [counts_of(place.get("usage")) for place in objects]
        for one in [count for count in found if not count.is_empty][:1]:
            counts.replace_by(one)
        told |= {name: value[name] for name in ("timings", "metrics") if name in value}
    return usage_of(counts, told) if told or not counts.is_empty else NO_USAGE


def read(reader: JsonUsage | SseUsage, body: bytes, at: list[int]) -> Usage:
    for piece in split(body, at):
        reader.feed(piece)
    return reader.end()


def spoilt(body: bytes, place: int, byte: int) -> bytes:
    """Return *body* with one byte changed, or cut off there."""
    place %= len(body) + 1
    return body[:place] + bytes([byte]) + body[place + 1 :] if byte else body[:place]


@pytest.mark.usefixtures("text_limit")
@quick
@given(bodies, cuts, st.sampled_from([None, 1]), st.booleans())
def test_a_json_body_tells_what_a_parser_finds(
    body: Any, at: list[int], indent: int | None, is_ascii: bool
) -> None:
    raw = written(body, indent, is_ascii=is_ascii)

    assert read(JsonUsage("/x"), raw, [min(cut, len(raw)) for cut in at]) == by_parser(
        raw
    )


@pytest.mark.usefixtures("text_limit")
@quick
@given(bodies, cuts, st.integers(0, 500), st.integers(0, 255))
def test_so_does_one_that_is_broken(
    body: Any, at: list[int], place: int, byte: int
) -> None:
    raw = spoilt(written(body, None, is_ascii=False), place, byte)

    assert read(JsonUsage("/x"), raw, [min(cut, len(raw)) for cut in at]) == by_parser(
        raw
    )


@pytest.mark.usefixtures("text_limit")
@quick
@given(
    st.lists(bodies, max_size=4),
    cuts,
    st.integers(0, 500),
    st.integers(0, 255),
    st.sampled_from(["data: %s\n\n", "data:%s\r\n", "id: 1\n data: %s \n", "data: %s"]),
)
def test_events_tell_what_a_parser_finds(
    events: list[Any], at: list[int], place: int, byte: int, line: str
) -> None:
    raw = b"".join(
        line.encode().replace(b"%s", written(event, None, is_ascii=True))
        for event in events
    )
    for body in (raw, spoilt(raw, place, byte)):
        places = [min(cut, len(body)) for cut in at]
        assert read(SseUsage(), body, places) == events_by_parser(body)


@pytest.mark.usefixtures("text_limit")
@quick
@given(
    st.binary(max_size=300),
    cuts,
    st.sampled_from(["", "gzip", "deflate"]),
    st.sampled_from(["application/json", SSE]),
    st.sampled_from([200, 500]),
)
def test_any_bytes_pass(
    body: bytes, at: list[int], coding: str, kind: str, status: int
) -> None:
    headers = [("Content-Type", kind), ("Content-Encoding", coding)]
    answers = []
    for places in ([], [min(cut, len(body)) for cut in at]):
        tap = ResponseTap("/infill", None)
        tap.head(status, headers)
        for piece in split(body, places):
            tap.piece(piece)
        answers.append(tap.end(is_complete=True))

    assert answers[0] == answers[1]


@quick
@given(bodies | values, cuts)
def test_what_is_found_does_not_depend_on_the_cuts(body: Any, at: list[int]) -> None:
    raw = written(body, 1, is_ascii=True)
    sought = wanted(["usage", "response.usage", "response.x", "message"])
    found = []
    for places in ([], [min(cut, len(raw)) for cut in at], list(range(len(raw)))):
        stream = JsonStream(sought, sought)
        for piece in split(raw, places):
            stream.feed(piece)
        found.append((stream.end(), stream.found))

    assert found[0] == found[1] == found[2]
    assert found[0][0]


def _long_bodies() -> Iterator[tuple[str, str, Iterator[bytes]]]:
    """Yield content type, coding and the pieces of bodies of many megabytes."""
    usage = b'"usage":{"prompt_tokens":3,"completion_tokens":4}'
    text, numbers = b"some text " * 6554, b"[0.125,1]," * 6554
    events = b'data: {"choices":[{"delta":"text"}]}\n\n' * 1700

    def chain(first: bytes, piece: bytes, count: int, last: bytes) -> Iterator[bytes]:
        return itertools.chain([first], itertools.repeat(piece, count), [last])

    yield "application/json", "", chain(b'{"a":["', text, 3200, b'"],%b}' % usage)
    yield "application/json", "", chain(b'{"a":[', numbers, 200, b"0],%b}" % usage)
    yield SSE, "", chain(b"", events, 3200, b"data: {%b}" % usage)
    yield SSE, "", chain(b'data: {"a":"', text, 800, b'",%b}\n' % usage)
    zipped = _zipped(chain(b'{"a":"', text, 800, b'",%b}' % usage))
    yield "application/json", "gzip", zipped


def _zipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def test_hundreds_of_megabytes_cost_no_memory() -> None:
    for kind, coding, pieces in _long_bodies():
        tap = ResponseTap("/x")
        tap.head(200, [("Content-Type", kind), ("Content-Encoding", coding)])
        tracemalloc.start()
        try:
            for piece in pieces:
                tap.piece(piece)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert tap.end(is_complete=True).usage.tokens.output_tokens == 4
        assert peak_bytes < 2_000_000
