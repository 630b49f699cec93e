"""What must be true of every answer that swapper gives, whatever it was asked."""

import re
from collections.abc import Sequence
from typing import Final

from tests.fakes.bad_answers import DraftAnswer
from tests.fakes.bad_requests import KEY
from tests.fakes.strict_http import End, Message, Reading, read_answers

PEER_KEY: Final = "key-of-the-peer-3b9c"

_REFUSALS: Final = frozenset({400, 408, 413, 431, 501, 505})
_DRAIN_BYTES: Final = 60_000
_DRAIN_S: Final = 0.25
_OWN_HEADERS: Final = frozenset(
    {
        *(b"date", b"content-length", b"transfer-encoding", b"connection"),
        *(b"x-accel-buffering", b"x-request-id"),
    }
)


class FindingError(AssertionError):
    """Something that must not happen; says how to see it again."""


def finals_of(reading: Reading) -> list[Message]:
    return [message for message in reading.messages if message.status >= 200]


def check_answers(
    received: bytes, asked: Reading, raw: bytes, took_s: float
) -> list[Message]:
    """Return the final answers; the connection has been closed by swapper.

    Args:
        received: all of them.
        asked: what *raw* says to a strict reader.
        raw: what the client sent.
        took_s: from the first byte sent to the last received.
    """
    messages = [*asked.messages, *([asked.begun] if asked.begun else [])]
    got = read_answers(received, [m.start[0] for m in messages], is_closed=True)
    finals = finals_of(got)
    check_stream(got, finals, asked)
    check_count(finals, asked, took_s)
    interims = {message.status for message in got.messages} - {m.status for m in finals}
    if not interims <= ({100} if b"100-continue" in raw.lower() else set()):
        raise FindingError(f"interim answers nobody asked for: {interims}")
    for request, answer in zip(messages, finals, strict=False):
        check_answer(request, answer)
    if KEY.encode() in received or PEER_KEY.encode() in received:
        raise FindingError("an answer holds a key")
    return finals


def check_stream(got: Reading, finals: Sequence[Message], asked: Reading) -> None:
    """Check that answers stand behind each other and nothing beside them."""
    is_broken_off = got.end is End.IN_BODY and asked.end is not End.CLEAN
    if got.end is not End.CLEAN and not is_broken_off:
        raise FindingError(f"the answers end in {got.end.value}")
    if got.rest and got.end is End.CLEAN and not is_refusal(finals[-1], got.rest):
        raise FindingError("bytes follow the last answer")


def check_count(finals: Sequence[Message], asked: Reading, took_s: float) -> None:
    """Check that there is one answer for each request and one for a bad one."""
    certain = len(asked.messages)
    is_ended = bool(finals) and finals[-1].closes
    if len(finals) > certain + (asked.end is not End.CLEAN):
        raise FindingError("more answers than requests")
    # of a body that is not wanted so much is read, and for so long, and then no more
    limit = _DRAIN_BYTES if took_s < _DRAIN_S else 0
    answered = asked.messages[: len(finals)]
    is_ended |= any(len(message.body) > limit for message in answered[-1:])
    if len(finals) < certain and not is_ended:
        raise FindingError("a request without an answer")
    if asked.end is End.BAD_HEAD and not is_ended:
        raise FindingError("a malformed head without an answer that ends it")
    for answer in finals[certain + (asked.begun is not None) :]:
        if answer.status not in _REFUSALS or not answer.closes:
            raise FindingError(f"a malformed head was answered {answer.start}")


def is_refusal(answer: Message, rest: bytes) -> bool:
    """Return whether *rest* is the text of a refusal, whatever method was refused."""
    length = str(len(rest)).encode()
    return answer.status in _REFUSALS and answer.all(b"content-length") == [length]


def check_answer(request: Message, answer: Message) -> None:
    if answer.status == 500 or b"internal error" in answer.body:
        raise FindingError("an internal error")
    if answer.all(b"x-injected"):
        raise FindingError("an injected header")
    if answer.framing_count > 1 or len(answer.all(b"date")) != 1:
        raise FindingError("headers of the answer")
    for echo in answer.all(b"x-echo"):
        if echo not in suffixes(request.start[1]):
            raise FindingError(f"the answer to {echo!r} came to {request.start}")
    for location in answer.all(b"location"):
        if not location.startswith(b"/") or location[1:2] in {b"/", b"\\"}:
            raise FindingError(f"sent away to {location!r}")


def check_served(finals: Sequence[Message], forwarded: Sequence[bool]) -> None:
    """Check that requests without fault were served."""
    for answer, is_forwarded in zip(finals, forwarded, strict=False):
        if is_forwarded != bool(answer.all(b"x-echo")) or answer.status in _REFUSALS:
            raise FindingError(f"a valid request was answered {answer.start}")


def check_relayed(received: bytes, answer: DraftAnswer, method: bytes) -> None:
    """Compare what the client got with what the upstream said."""
    got = read_answers(received, [method], is_closed=True)
    finals = finals_of(got)
    if got.rest and got.end is End.CLEAN:
        raise FindingError("bytes follow the answer")
    said = read_answers(
        answer.to_bytes(),
        [method],
        is_closed=answer.ending != "reset",
        limit=1,
        skips_blank=True,
    )
    whole = next(iter(finals_of(said)), None)
    if any(message.status == 101 for message in said.messages):
        whole = None
    # a kept connection may have been closed just now: a POST is not sent again then
    may_fail = method == b"POST" or not answer.is_valid
    if finals and finals[0].status == 502 and may_fail:
        return
    truth, seen = whole or said.begun, next(iter(finals), got.begun)
    if truth is None or seen is None or truth.status != seen.status:
        raise FindingError(f"{seen} out of {said}")
    check_headers(seen, truth)
    if finals and (whole is None or whole.body != seen.body):
        raise FindingError(
            "half an answer, or another one, was passed on as a whole one"
        )
    # a reset may overtake what was sent; closing over an unread request is one as well
    may_break = answer.ending == "reset" or (answer.is_early and method == b"POST")
    if whole and not finals and not may_break:
        raise FindingError("a whole answer was not passed on")


def check_headers(seen: Message, truth: Message) -> None:
    """Check that swapper adds no headers but its own."""
    for name, value in seen.headers:
        if (name, value) not in truth.headers and name not in _OWN_HEADERS:
            raise FindingError(f"header {name!r} {value!r} out of nowhere")


def suffixes(target: bytes) -> list[bytes]:
    """Return what is left of a target when a route has taken off its beginning."""
    if not target.startswith(b"/"):
        target = b"/" + target.partition(b"://")[2].partition(b"/")[2]
    path, mark, query = target.partition(b"?")
    starts = [at.start() for at in re.finditer(b"/", path)]
    return [path[at:] + mark + query for at in starts]
