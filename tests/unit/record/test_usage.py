"""Figures out of bodies too long to be held, and other things beyond the cases."""

import json
from typing import Any

import pytest

from swapper.record.figures import NO_USAGE, Usage
from swapper.record.tokens import NO_TOKENS
from swapper.record.usage import TEXT_LIMIT_BYTES, ErrorText, JsonUsage, SseUsage
from tests.fakes.answers import sse, tokens

LONG = "x" * 2 * TEXT_LIMIT_BYTES
COUNTS = {"prompt_tokens": 3, "completion_tokens": 4}
FOUND = tokens(-1, -1, -1, 3, 4, -1, -1)


def in_json(value: Any, path: str = "/v1/embeddings", size: int = 1000) -> Usage:
    reader = JsonUsage(path)
    feed(reader, json.dumps(value).encode(), size)
    return reader.end()


def in_events(body: bytes, size: int = 1000) -> Usage:
    reader = SseUsage()
    feed(reader, body, size)
    return reader.end()


def feed(reader: JsonUsage | SseUsage | ErrorText, body: bytes, size: int) -> None:
    for at in range(0, len(body), size):
        reader.feed(body[at : at + size])


def error(body: bytes, status: int = 500) -> str:
    reader = ErrorText()
    feed(reader, body, 777)
    return reader.end(status)


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_a_long_json_body_is_followed(size: int) -> None:
    body = {"data": [LONG], "usage": COUNTS, "z": [[LONG]]}

    assert in_json(body, size=size).tokens == FOUND


def test_the_last_item_of_a_long_infill_answer_counts() -> None:
    items = [
        {"timings": {"prompt_n": 1}},
        {"content": LONG},
        {"timings": {"prompt_n": 2}},
    ]

    assert in_json(items, "/infill").tokens.input_tokens == 2
    assert in_json([*items, LONG], "/infill") == NO_USAGE
    assert in_json([], "/infill") == NO_USAGE
    assert in_json(items) == NO_USAGE


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_a_long_event_is_followed(size: int) -> None:
    completed = json.dumps({"response": {"output": [LONG], "usage": COUNTS}})
    timed = json.dumps({"timings": {"prompt_n": 5}, "text": LONG})

    assert in_events(sse("{}", completed, "[DONE]"), size).tokens == FOUND
    assert in_events(sse(completed, timed), size).tokens.input_tokens == 5
    assert in_events(sse(completed).rstrip(), size).tokens == FOUND


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_a_long_line_that_is_no_event_is_passed_over(size: int) -> None:
    usage = json.dumps({"usage": COUNTS})
    body = f": {LONG}\n{LONG}{usage}\ndata: {usage}\n".encode()

    assert in_events(body, size).tokens == FOUND
    assert in_events(body[: -len(usage) - 7], size) == NO_USAGE


def test_later_events_replace_what_they_know_better() -> None:
    events = sse(
        '{"usage":{"prompt_tokens":9,"completion_tokens":1,"cache_read_input_tokens":5}}',
        '{"usage":{"prompt_tokens":0,"completion_tokens":7,"cache_read_input_tokens":-1}}',
        '{"usage":{"completion_tokens":0}}',
        '{"metrics":{"mean_itl_ms":10}}',
        '{"metrics":{"mean_itl_ms":20}}',
    )

    assert in_events(events).tokens == tokens(5, -1, -1, 9, 7, -1, 50)


def test_an_event_is_searched_in_order() -> None:
    event = (
        '{"message":{"usage":{"input_tokens":3}},"response":{"usage":{"input_tokens":2}},'
        '"usage":{"x":1}}'
    )

    assert in_events(sse(event)).tokens.input_tokens == 2


@pytest.mark.parametrize(
    "line",
    [
        'data : {"usage":{"prompt_tokens":1}}',
        'id: {"usage":{"prompt_tokens":1}}',
        'data: data: {"usage":{"prompt_tokens":1}}',
        'data: {"choices":[{"usage":{"prompt_tokens":1}}]}',
        'data: {"usage":{"prompt_tokens":1}',
        'data: {"text":"\\"usage\\":{\\"prompt_tokens\\":1}"}',
        'data: {"usage":"prompt_tokens"}',
        'data: "usage"',
    ],
)
def test_other_lines_tell_nothing(line: str) -> None:
    assert in_events(line.encode()) == NO_USAGE


@pytest.mark.parametrize("space", ["", " "])
def test_null_in_every_event_does_not_hide_the_rest(space: str) -> None:
    null = f'{{"usage":{space}null}}'
    both = f'{{"usage":{space}null,"timings":{{"prompt_n":1}}}}'

    assert in_events(sse(null, both)).tokens.input_tokens == 1
    assert in_events(sse(null)) == NO_USAGE


def test_keys_may_be_escaped() -> None:
    event = '{"\\u0075sage":{"prompt_tokens":3,"completion_tokens":4}}'

    assert in_events(sse(event)).tokens == FOUND


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (1.9, 1),
        (-1.9, -1),
        (True, 0),
        ("7", 0),
        (None, 0),
        ([1], 0),
        (1e300, 10**12),
        (float("inf"), 0),
        (float("nan"), 0),
    ],
)
def test_counts_are_whole_numbers_of_a_sane_size(value: Any, count: int) -> None:
    assert in_json({"usage": {"prompt_tokens": value}}).tokens.input_tokens == count


def test_a_number_of_any_length_is_read() -> None:
    body = b'{"usage":{"prompt_tokens":%b,"completion_tokens":1}}' % (b"9" * 9000)
    reader = JsonUsage("/x")
    feed(reader, body, 100)

    assert reader.end().tokens.output_tokens == 1


def test_of_synonyms_the_first_that_is_there_counts() -> None:
    usage = {"prompt_tokens": 0, "input_tokens": 5, "output_tokens": 6}

    assert in_json({"usage": usage}).tokens == tokens(-1, -1, -1, 0, 6, -1, -1)


def test_figures_of_the_wrong_kind_are_none() -> None:
    body = {"usage": [1], "timings": None, "metrics": {"speculative_decoding": 1}}

    assert in_json(body).tokens == tokens(-1, -1, -1, 0, 0, 0, 0)


def test_rates_that_no_number_can_hold_are_none() -> None:
    metrics = {"mean_itl_ms": 5e-324, "time_to_first_token_ms": 5e-324}
    body = {"usage": {"prompt_tokens": 10**12}, "metrics": metrics}

    assert in_json(body).tokens == tokens(-1, -1, -1, 10**12, 0, 0, 0)


def test_what_nests_too_deep_for_the_parser_is_no_json() -> None:
    deep = '{"usage":{"prompt_tokens":1},"a":' + "[" * 5000 + "]" * 5000 + "}"
    reader = JsonUsage("/x")
    reader.feed(deep.encode())

    assert reader.end().tokens == NO_TOKENS


def test_a_long_error_is_found_and_cut() -> None:
    assert error(json.dumps({"trace": LONG, "error": {"message": "m"}}).encode()) == "m"
    assert error(json.dumps({"error": {"message": LONG * 9}}).encode()) == (
        "x" * 500 + "..."
    )
    assert error(json.dumps({"error": {"message": " " * 99_999}}).encode()) == (
        "500 Internal Server Error"
    )


def test_an_error_is_cut_between_characters() -> None:
    text = error(json.dumps({"detail": "a" + "é" * 300}).encode())

    assert text == "a" + "é" * 249 + "..."


def test_an_error_that_is_no_text_is_passed_over() -> None:
    assert error(b'{"error":[1],"message":7,"detail":"d"}') == "d"
    assert error(b'{"error":{"message":null}}', 418) == "418 I'm a Teapot"
    assert error(b'{"error":"\\ud800x"}') == "?x"
