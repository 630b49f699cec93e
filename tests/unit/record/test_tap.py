"""What is learnt from an answer that passes (http-api.md section 22)."""

import gzip

import pytest

from swapper.record.figures import NO_USAGE
from swapper.record.tap import Answer, ResponseTap
from tests.fakes.answers import CASES, T2, T2_TOKENS, Case


class _Sink:
    def __init__(self) -> None:
        self.body = b""

    def add(self, data: bytes, /) -> None:
        self.body += data


def learn(case: Case, pieces: list[bytes], *, is_complete: bool = True) -> Answer:
    sink = _Sink()
    tap = ResponseTap(case.path, sink)
    tap.head(case.status, case.headers)
    for piece in pieces:
        tap.piece(piece)
    answer = tap.end(is_complete=is_complete)
    if is_complete and answer.is_worth_keeping:
        assert sink.body == (case.decoded or case.body if case.has_body else b"")
    return answer


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_t1_to_25_wherever_it_is_cut(case: Case) -> None:
    body = case.body
    whole = learn(case, [body])

    assert whole.usage.tokens == case.tokens
    assert whole.usage.timed_ms == case.timed_ms
    assert whole.error_msg.startswith(case.error_msg)
    assert bool(whole.error_msg) == bool(case.error_msg)
    assert whole.is_worth_keeping == case.is_worth_keeping
    assert whole.has_body == case.has_body
    for cut in range(len(body) + 1):
        assert learn(case, [body[:cut], b"", body[cut:]]) == whole
    assert learn(case, [body[at : at + 1] for at in range(len(body))]) == whole


def test_a_success_without_a_body_is_not_worth_keeping() -> None:
    assert learn(Case(id="", body=b"", status=204), []) == Answer(
        usage=NO_USAGE, is_worth_keeping=False
    )


def test_a_body_in_another_coding_is_taken_as_it_is() -> None:
    assert learn(Case(id="", body=T2, coding="br"), [T2]).usage.tokens == T2_TOKENS


def test_an_answer_that_breaks_off_is_no_coding_error() -> None:
    body = gzip.compress(T2)
    case = Case(id="", body=body, coding="gzip")
    halves = [body[:-9]]

    assert learn(case, halves, is_complete=False).error_msg == ""
    assert learn(case, halves).error_msg == (
        "response decompression failed: unexpected end of compressed data"
    )


def test_an_error_that_cannot_be_decoded_says_so() -> None:
    answer = learn(Case(id="", body=b"", coding="gzip", status=502), [b"plain text"])

    assert answer.error_msg.startswith("response decode failed: ")
    assert not answer.has_body


def test_an_empty_error_in_a_coding_is_no_coding_error() -> None:
    answer = learn(Case(id="", body=b"", coding="gzip", status=502), [])

    assert answer.error_msg == "502 Bad Gateway"


def test_nothing_more_is_decoded_after_a_failure() -> None:
    case = Case(id="", body=b"", coding="gzip")

    assert learn(case, [b"xx", gzip.compress(T2)]).usage == NO_USAGE
