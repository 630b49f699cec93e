"""Loading text and late errors as each API's event stream; pure (http-api.md 18).

Chat completions get the text as reasoning. The other two APIs have no event that may
come before the model's own first one and carry text: Anthropic's clients ignore
``ping``, OpenAI's helpers for responses refuse whatever precedes
``response.created``. There the text stands in comments, which every reader of
Server-Sent Events skips.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

from swapper.core.errors import RequestError
from swapper.core.json import JsonValue
from swapper.web.errors import error_envelope, kind_and_code

_ANTHROPIC_KINDS: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request failed whose status 200 is already out.

    Attributes:
        status: what it would have been.
        error: OpenAI's ``error`` object.
    """

    status: int
    error: Mapping[str, JsonValue]

    @property
    def message(self) -> str:
        """Return the message."""
        return str(self.error["message"])

    @classmethod
    def of_error(cls, error: RequestError) -> "Failure":
        """Return the failure that *error* stands for."""
        envelope = error_envelope(error)
        return cls(error.status, cast("Mapping[str, JsonValue]", envelope["error"]))

    @classmethod
    def of_answer(cls, status: int, body: bytes, label: str) -> "Failure":
        """Return the failure that a model server told in its own words.

        Args:
            status: of its answer.
            body: of its answer, or as much of it as came.
            label: who it is, for an answer that says nothing.
        """
        told = _told(body)
        text = told.get("message") or body.decode(errors="replace").strip()
        kind, code = kind_and_code(status)
        error: dict[str, JsonValue] = {
            "message": text or f"{label} answered {status} and said no more",
            "type": told.get("type") or kind,
            "param": told.get("param") or None,
            "code": told.get("code") or code,
        }
        return cls(status, error)


def _told(body: bytes) -> dict[str, str]:
    """Return the strings of an error object in one of the usual shapes."""
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    error = value.get("error", value) if isinstance(value, dict) else value
    if isinstance(error, str):
        return {"message": error}
    if not isinstance(error, dict):
        return {}
    return {key: text for key, text in error.items() if isinstance(text, str)}


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API's way to say things in an event stream.

    Attributes:
        say: pieces of text to bytes.
        fail: a failure to the last bytes of the stream.
        is_typed: whether text in small pieces looks good.
    """

    say: Callable[[Sequence[str]], bytes]
    fail: Callable[[Failure], bytes]
    is_typed: bool = field(default=False, kw_only=True)


def comments(pieces: Sequence[str]) -> bytes:
    """Return the text as comment lines, blank ones left out."""
    lines = [line.strip() for line in "".join(pieces).splitlines()]
    text = "".join(f": {line}\n" for line in lines if line)
    return f"{text}\n".encode() if text else b""


def _reasoning(pieces: Sequence[str]) -> bytes:
    return b"".join(
        _event({"choices": [{"delta": {"reasoning_content": piece}}]})
        for piece in pieces
    )


def _comments_and_ping(pieces: Sequence[str]) -> bytes:
    return comments(pieces) + _PING


def _chat_error(failure: Failure) -> bytes:
    return _event({"error": failure.error}) + b"data: [DONE]\n\n"


def _messages_error(failure: Failure) -> bytes:
    kind = _ANTHROPIC_KINDS.get(failure.status, "api_error")
    error = {"type": kind, "message": failure.message}
    return _event({"type": "error", "error": error}, name="error")


def _responses_error(failure: Failure) -> bytes:
    """Return OpenAI's error event.

    With the members at both places: as documented, and in ``error`` as it is sent in
    fact, which is where the client libraries look.
    """
    error = {key: failure.error[key] for key in ("code", "message", "param")}
    event = {"type": "error", **error, "sequence_number": 0, "error": failure.error}
    return _event(event, name="error")


def _event(value: Mapping[str, JsonValue], name: str = "") -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


DIALECTS: Final[Mapping[str, Dialect]] = {
    "/v1/chat/completions": Dialect(_reasoning, _chat_error, is_typed=True),
    "/v1/messages": Dialect(_comments_and_ping, _messages_error),
    "/v1/responses": Dialect(comments, _responses_error),
}
"""By upstream path; on others there is no loading stream."""
