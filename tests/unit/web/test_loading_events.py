"""Loading text and late errors in each API's stream."""

import json

import pytest

from swapper.core.errors import (
    ExitedError,
    ModelUnloadedError,
    RequestCancelledError,
)
from swapper.core.ids import ModelId
from swapper.web.loading_events import DIALECTS, Failure, comments

CHAT = DIALECTS["/v1/chat/completions"]
MESSAGES = DIALECTS["/v1/messages"]
RESPONSES = DIALECTS["/v1/responses"]


def test_ls1_each_piece_of_a_chat_is_exactly_one_event() -> None:
    assert CHAT.say(["swapp", "\n", "\u2501"]).decode() == (
        'data: {"choices":[{"delta":{"reasoning_content":"swapp"}}]}\n\n'
        'data: {"choices":[{"delta":{"reasoning_content":"\\n"}}]}\n\n'
        'data: {"choices":[{"delta":{"reasoning_content":"\u2501"}}]}\n\n'
    )


def test_messages_get_comments_and_a_ping() -> None:
    assert MESSAGES.say(["\n", "Hello.", " "]) == (
        b': Hello.\n\nevent: ping\ndata: {"type": "ping"}\n\n'
    )


def test_responses_get_comments() -> None:
    assert RESPONSES.say(["one", "\n", "two", "\n"]) == b": one\n: two\n\n"


def test_a_comment_cannot_be_left_by_what_it_says() -> None:
    assert comments(["a\r\ndata: x\rb\n\nc"]) == b": a\n: data: x\n: b\n: c\n\n"
    assert comments(["\n", " "]) == b""


def failed(bytes_: bytes) -> dict[str, object]:
    """Return the JSON of the last event."""
    line = next(x for x in reversed(bytes_.splitlines()) if x.startswith(b"data: {"))
    value: dict[str, object] = json.loads(line.removeprefix(b"data: "))
    return value


def test_q3_a_failed_chat_ends_with_an_error_event_and_done() -> None:
    error = ExitedError(ModelId("a"), 3, while_starting=True, log_tail=["no weights"])
    sent = CHAT.fail(Failure.of_error(error))

    assert sent.startswith(b"data: {")
    assert sent.endswith(b"\n\ndata: [DONE]\n\n")
    told = failed(sent)["error"]
    assert isinstance(told, dict)
    assert "unspecific error: upstream command exited" in told["message"]
    assert told["code"] == "model_exited"
    assert told["detail"]["exit_code"] == 3


def test_q2_a_cancelled_request_is_told_so() -> None:
    sent = CHAT.fail(Failure.of_error(RequestCancelledError()))

    assert failed(sent)["error"] == {
        "message": "request cancelled while it waited for its model",
        "type": "server_error",
        "param": None,
        "code": "cancelled",
    }


def test_q3_a_failed_message_ends_with_anthropics_error() -> None:
    sent = MESSAGES.fail(Failure.of_error(ModelUnloadedError("group")))

    assert sent.startswith(b"event: error\n")
    assert failed(sent) == {
        "type": "error",
        "error": {
            "type": "api_error",
            "message": "unspecific error: group: model unloaded",
        },
    }


def test_q3_a_failed_response_ends_with_an_error_event() -> None:
    sent = RESPONSES.fail(Failure.of_error(ModelUnloadedError("group")))
    told = failed(sent)

    assert sent.startswith(b"event: error\n")
    assert told["type"] == "error"
    assert told["code"] == "model_unloaded"
    assert told["message"] == "unspecific error: group: model unloaded"
    assert told["sequence_number"] == 0
    assert isinstance(told["error"], dict)
    assert told["error"]["message"] == told["message"]


@pytest.mark.parametrize(
    ("body", "message", "kind", "code"),
    [
        (
            b'{"error":{"message":"too long","type":"t","code":"c","param":5}}',
            "too long",
            "t",
            "c",
        ),
        (
            b'{"error":{"code":400,"message":"too long","type":"t"}}',
            "too long",
            "t",
            "bad_request",
        ),
        (b'{"error":"too long"}', "too long", "invalid_request_error", "bad_request"),
        (
            b'{"message":"too long"}',
            "too long",
            "invalid_request_error",
            "bad_request",
        ),
        (b'"too long"', "too long", "invalid_request_error", "bad_request"),
        (b"too long\n", "too long", "invalid_request_error", "bad_request"),
        (b'{"error":{}}', '{"error":{}}', "invalid_request_error", "bad_request"),
        (b"[1]", "[1]", "invalid_request_error", "bad_request"),
        (b"\xff", "\ufffd", "invalid_request_error", "bad_request"),
        (
            b"",
            "model a answered 400 and said no more",
            "invalid_request_error",
            "bad_request",
        ),
    ],
)
def test_an_upstreams_own_error_keeps_its_words(
    body: bytes, message: str, kind: str, code: str
) -> None:
    failure = Failure.of_answer(400, body, "model a")

    assert failure.message == message
    assert (failure.error["type"], failure.error["code"]) == (kind, code)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (404, "not_found_error"),
        (429, "rate_limit_error"),
        (529, "overloaded_error"),
        (503, "api_error"),
    ],
)
def test_anthropics_kinds_follow_the_status(status: int, kind: str) -> None:
    sent = MESSAGES.fail(Failure.of_answer(status, b"no", "model a"))

    assert failed(sent)["error"] == {"type": kind, "message": "no"}
