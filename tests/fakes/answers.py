"""Answers of model servers with what the activity log has to make of them.

Source: http-api.md section 22, cases T1 to T25, with decisions Q12 and Q14.
"""

import gzip
import json
import zlib
from dataclasses import dataclass, field

from swapper.record.tokens import NO_TOKENS, Tokens

JSON = "application/json"
SSE = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An answer and what is learnt from it."""

    id: str
    body: bytes
    tokens: Tokens = NO_TOKENS
    path: str = "/v1/chat/completions"
    content_type: str = JSON
    coding: str = ""
    status: int = 200
    error_msg: str = ""
    timed_ms: int = 0
    is_worth_keeping: bool = True
    has_body: bool = True
    decoded: bytes = field(default=b"")

    @property
    def headers(self) -> list[tuple[str, str]]:
        coded = [("Content-Encoding", self.coding)] if self.coding else []
        return [("Content-Type", self.content_type), *coded]


def tokens(
    cache: int,
    draft: int,
    accepted: int,
    read: int,
    written: int,
    read_rate: float,
    write_rate: float,
) -> Tokens:
    """Return figures in the order of the specification's table."""
    return Tokens(
        cache_tokens=cache,
        draft_tokens=draft,
        draft_acc_tokens=accepted,
        input_tokens=read,
        output_tokens=written,
        prompt_per_second=read_rate,
        tokens_per_second=write_rate,
    )


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def sse(*events: str) -> bytes:
    return "".join(f"data: {event}\n\n" for event in events).encode()


def _refusal(
    id_: str, status: int, body: bytes, message: str, coding: str = ""
) -> Case:
    return Case(
        id=id_,
        body=body,
        status=status,
        error_msg=message,
        has_body=False,
        coding=coding,
    )


_T1 = (
    b'{"usage":{"prompt_tokens":12,"completion_tokens":7,'
    b'"prompt_tokens_details":{"cached_tokens":4}}}'
)
T2 = b'{"usage":{"prompt_tokens":12,"completion_tokens":7}}'
T2_TOKENS = tokens(-1, -1, -1, 12, 7, -1, -1)
_T6 = (
    b'{"usage":{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":'
    b'{"cached_tokens":4}},"timings":{"prompt_n":20,"predicted_n":50,'
    b'"prompt_per_second":100.5,"predicted_per_second":40.25,"prompt_ms":200.7,'
    b'"predicted_ms":1250.6,"draft_n":30,"draft_n_accepted":12}}'
)
_T10 = (
    b'{"usage":{"prompt_tokens":42,"completion_tokens":128,"prompt_tokens_details":'
    b'{"cached_tokens":20}},"metrics":{"time_to_first_token_ms":85.2,"mean_itl_ms":9.1,'
    b'"speculative_decoding":{"num_draft_tokens":20,"num_accepted_draft_tokens":14}}}'
)
_T14 = (
    "event: message_start\r\n"
    'data: {"type":"message_start","message":{"usage":{"input_tokens":25,'
    '"output_tokens":1,"cache_read_input_tokens":6}}}\r\n\r\n'
    'event: ping\r\ndata: {"type":"ping"}\r\n\r\n'
    'data: {"type":"message_delta","usage":{"output_tokens":15}}\r\n\r\n'
)
_T15 = json.dumps(
    {
        "type": "response.completed",
        "response": {
            "output": ["usage"],
            "usage": {
                "input_tokens": 5,
                "output_tokens": 6,
                "input_tokens_details": {"cached_tokens": 0},
            },
        },
    }
)

CASES = [
    Case(id="T1", body=_T1, tokens=tokens(4, -1, -1, 12, 7, -1, -1)),
    Case(id="T2", body=T2, tokens=T2_TOKENS),
    Case(id="T3 {}", body=b'{"usage":{}}', tokens=tokens(-1, -1, -1, 0, 0, -1, -1)),
    Case(id="T3 null", body=b'{"usage":null}', tokens=tokens(-1, -1, -1, 0, 0, -1, -1)),
    Case(
        id="T4",
        body=b'{"usage":{"input_tokens":3,"output_tokens":9,"cache_read_input_tokens":2}}',
        tokens=tokens(2, -1, -1, 3, 9, -1, -1),
    ),
    Case(
        id="T5",
        body=b'{"usage":{"input_tokens":3,"output_tokens":9,'
        b'"input_tokens_details":{"cached_tokens":1}}}',
        tokens=tokens(1, -1, -1, 3, 9, -1, -1),
    ),
    Case(
        id="T6",
        body=_T6,
        tokens=tokens(4, 30, 12, 20, 50, 100.5, 40.25),
        timed_ms=1451,
    ),
    Case(
        id="T7",
        body=b'{"timings":{"prompt_n":20,"predicted_n":50,"cache_n":8}}',
        tokens=tokens(8, -1, -1, 20, 50, 0, 0),
    ),
    Case(
        id="T8",
        path="/infill",
        body=b'[{"content":"a"},{"timings":{"prompt_n":5,"predicted_n":9}}]',
        tokens=tokens(-1, -1, -1, 5, 9, 0, 0),
    ),
    Case(id="T8 object", path="/infill", body=T2, tokens=T2_TOKENS),
    Case(id="T9", body=b'[{"usage":{"prompt_tokens":1}}]'),
    Case(
        id="T10",
        body=_T10,
        tokens=tokens(20, 20, 14, 42, 128, 22_000 / 85.2, 1000 / 9.1),
    ),
    Case(
        id="T11",
        body=b'{"metrics":{"speculative_decoding":{"num_draft_tokens":20}}}',
        tokens=tokens(-1, -1, -1, 0, 0, -1, -1),
    ),
    Case(id="T12 no figures", body=b'{"x":1}'),
    Case(id="T12 no JSON", body=b"nope"),
    Case(
        id="T13",
        content_type=SSE,
        body=sse(
            '{"choices":[{}]}',
            '{"usage":{"prompt_tokens":15,"completion_tokens":33}}',
            "[DONE]",
        ),
        tokens=tokens(-1, -1, -1, 15, 33, -1, -1),
    ),
    Case(
        id="T14",
        content_type=f"{SSE}; charset=utf-8",
        body=_T14.encode(),
        tokens=tokens(6, -1, -1, 25, 15, -1, -1),
    ),
    Case(
        id="T15",
        content_type=SSE,
        body=sse(_T15),
        tokens=tokens(0, -1, -1, 5, 6, -1, -1),
    ),
    Case(
        id="T16",
        content_type=SSE,
        body=b'data:{"timings":{"prompt_n":1,"predicted_n":2,"prompt_per_second":3,'
        b'"predicted_per_second":4}}',
        tokens=tokens(-1, -1, -1, 1, 2, 3, 4),
    ),
    Case(
        id="T17",
        content_type=SSE,
        body=sse(
            '{"usage":{"prompt_tokens":14,"completion_tokens":152},'
            '"metrics":{"time_to_first_token_ms":70,"mean_itl_ms":10}}'
        ),
        tokens=tokens(-1, -1, -1, 14, 152, 200, 100),
    ),
    Case(
        id="T18",
        content_type=SSE,
        body=sse('{"usage":null}', '{"usage":{}}', '{"usage"', "[DONE]"),
    ),
    Case(
        id="T19",
        content_type="Text/Event-Stream",
        body=sse('{"usage":{"prompt_tokens":15}}'),
    ),
    Case(
        id="T20 gzip",
        coding=" GZip",
        body=gzip.compress(T2),
        decoded=T2,
        tokens=T2_TOKENS,
    ),
    Case(
        id="T20 deflate",
        coding="deflate",
        body=raw_deflate(T2),
        decoded=T2,
        tokens=T2_TOKENS,
    ),
    Case(
        id="T21",
        coding="deflate",
        body=zlib.compress(T2),
        decoded=T2,
        tokens=T2_TOKENS,
    ),
    Case(
        id="T21 broken",
        coding="deflate",
        body=T2,
        error_msg="response decompression failed: ",
        is_worth_keeping=False,
    ),
    _refusal("T22 message", 500, b'{"error":{"message":" boom "}}', "boom"),
    _refusal("T22 error", 500, b'{"error":"s"}', "s"),
    _refusal("T22 top", 500, b'{"error":{"message":" "},"message":"m"}', "m"),
    _refusal("T22 detail", 500, b'{"detail":"d"}', "d"),
    _refusal("T23 HTML", 500, b"<html>", "500 Internal Server Error"),
    _refusal("T23 empty", 599, b"", "HTTP 599"),
    Case(id="T23 created", status=201, body=T2, tokens=T2_TOKENS),
    _refusal("T24", 500, gzip.compress(b'{"error":"zipped"}'), "zipped", "gzip"),
    _refusal(
        "T25",
        400,
        json.dumps({"error": "é" * 600}, ensure_ascii=False).encode(),
        "é" * 250 + "...",
    ),
]
"""By id; some cases have several."""
