"""What the model says: the usual APIs' shapes with made-up words; pure."""

import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from fake_server.media import CREATED, images, speech
from fake_server.message import (
    Answer,
    Controls,
    Json,
    Request,
    answer_of,
    json_answer,
)

BLOCK_BYTES: Final = 65536
TEXT_LIMIT_BYTES: Final = 65536  # a longer body is told by length and sha256
PROMPT_TOKENS: Final = 7


def answer_to(request: Request, name: str) -> Answer:
    """Return what model *name* answers, as the request's controls will have it."""
    controls = request.controls
    if "size" in controls:
        size = controls.count("size")
        answer = Answer(200, "application/octet-stream", _blocks(size), size, [])
    elif "echo" in controls:
        answer = echo(request, name)
    else:
        answer = ROUTES.get(request.path, echo)(request, name)
    return adapted(answer, controls)


def adapted(answer: Answer, controls: Controls) -> Answer:
    """Return the answer with status, headers and body changed as asked for."""
    pieces, headers = answer.pieces, [*answer.headers]
    if width := controls.count("slice"):
        pieces = list(_sliced(b"".join(pieces), width))
    if "gzip" in controls:
        pieces = list(_gzipped(pieces))
        headers.append(("Content-Encoding", "gzip"))
    for header in controls.get("header", []):
        key, _, value = header.partition(":")
        headers.append((key, value.strip()))
    status = controls.count("status", answer.status)
    length = sum(map(len, pieces)) if isinstance(pieces, list) else answer.length
    return Answer(status, answer.content_type, pieces, length, headers)


def _blocks(size: int) -> Iterator[bytes]:
    block = bytes(range(256)) * (BLOCK_BYTES // 256)
    for start in range(0, size, BLOCK_BYTES):
        yield block[: size - start]


def _sliced(data: bytes, width: int) -> Iterator[bytes]:
    for start in range(0, len(data), width):
        yield data[start : start + width]


def _gzipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


# --- the routes ------------------------------------------------------------------


def echo(request: Request, name: str) -> Answer:
    """Describe the request: headers in order, duplicates kept."""
    fields = request._asdict()
    del fields["controls"]
    return json_answer(
        {
            **fields,
            "path": request.target,
            **described(request.body),
            "name": name,
        }
    )


def described(body: bytes) -> Json:
    """Return a body as text if that is short enough, else its digest."""
    from hashlib import sha256  # noqa: PLC0415 - loads OpenSSL: a third of our start

    told: Json = {"body": None, "body_bytes": len(body)}
    told["body_sha256"] = sha256(body).hexdigest()
    if len(body) <= TEXT_LIMIT_BYTES:
        told["body"] = body.decode(errors="replace")
    return told


def words(request: Request, name: str) -> list[str]:
    """Return the generated text, one piece a token; the name comes first."""
    return [name, *(f" {n}" for n in range(1, request.controls.count("tokens", 3)))]


def events(values: Iterable[Json], *last: str) -> Answer:
    """Return a stream; an event that has a type is also named after it."""
    pieces = [
        f"event: {value['type']}\ndata: {json.dumps(value)}\n\n"
        if "type" in value
        else f"data: {json.dumps(value)}\n\n"
        for value in values
    ]
    ends = [f"data: {text}\n\n" for text in last]
    return answer_of([p.encode() for p in (*pieces, *ends)], "text/event-stream")


def completion(request: Request, name: str) -> Answer:
    """Answer /v1/chat/completions and /v1/completions in OpenAI's shape."""
    is_chat = "chat" in request.path
    asked, tokens = request.json(), words(request, name)
    head = {"id": "fake-1", "created": CREATED, "model": asked.get("model", name)}
    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": len(tokens),
        "total_tokens": PROMPT_TOKENS + len(tokens),
    }

    def saying(text: str, finish: str | None, place: str, kind: str) -> Json:
        said: Json = {place: {"role": "assistant", "content": text}}
        choice = said if is_chat else {"text": text}
        choices = [{"index": 0, "finish_reason": finish, **choice}]
        return {**head, "object": kind, "choices": choices}

    if not asked.get("stream"):
        kind = "chat.completion" if is_chat else "text_completion"
        whole = saying("".join(tokens), "stop", "message", kind)
        return json_answer({**whole, "usage": usage})
    kind = "chat.completion.chunk" if is_chat else "text_completion"
    parts = [saying(token, None, "delta", kind) for token in tokens]
    parts.append(saying("", "stop", "delta", kind))
    parts.append({**head, "object": kind, "choices": [], "usage": usage})
    return events(parts, "[DONE]")


def messages(request: Request, name: str) -> Answer:
    """Answer /v1/messages in Anthropic's shape."""
    asked, tokens = request.json(), words(request, name)
    usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": len(tokens)}
    head = {"id": "msg_1", "type": "message", "role": "assistant"}
    head["model"] = asked.get("model", name)
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    if not asked.get("stream"):
        content = [{"type": "text", "text": "".join(tokens)}]
        return json_answer({**head, "content": content, **stop, "usage": usage})
    begun = {**head, "content": [], "usage": {**usage, "output_tokens": 1}}
    empty = {"type": "text", "text": ""}
    deltas = [{"type": "text_delta", "text": token} for token in tokens]
    return events(
        [
            {"type": "message_start", "message": begun},
            {"type": "content_block_start", "index": 0, "content_block": empty},
            *({"type": "content_block_delta", "index": 0, "delta": d} for d in deltas),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": stop, "usage": usage},
            {"type": "message_stop"},
        ]
    )


def count_tokens(_request: Request, _name: str) -> Answer:
    """Answer /v1/messages/count_tokens: always the same."""
    return json_answer({"input_tokens": PROMPT_TOKENS})


def responses(request: Request, name: str) -> Answer:
    """Answer /v1/responses in OpenAI's shape."""
    asked, tokens = request.json(), words(request, name)
    part: Json = {"type": "output_text", "text": "".join(tokens), "annotations": []}
    item: Json = {"id": "msg_1", "type": "message", "role": "assistant"}
    full_item = {**item, "status": "completed", "content": [part]}
    head: Json = {"id": "resp_1", "object": "response", "created_at": CREATED}
    head["model"] = asked.get("model", name)
    usage = {
        "input_tokens": PROMPT_TOKENS,
        "output_tokens": len(tokens),
        "total_tokens": PROMPT_TOKENS + len(tokens),
    }
    whole = {**head, "status": "completed", "output": [full_item], "usage": usage}
    if not asked.get("stream"):
        return json_answer(whole)
    empty_item = {**item, "status": "in_progress", "content": []}
    steps: list[tuple[str, Json]] = [
        ("created", {"response": {**head, "status": "in_progress", "output": []}}),
        ("output_item.added", {"item": empty_item}),
        ("content_part.added", {"part": {**part, "text": ""}}),
        *(("output_text.delta", {"delta": token}) for token in tokens),
        ("output_text.done", {"text": part["text"]}),
        ("content_part.done", {"part": part}),
        ("output_item.done", {"item": full_item}),
        ("completed", {"response": whole}),
    ]
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
    return events(
        {"type": f"response.{kind}", "sequence_number": n, **place, **fields}
        for n, (kind, fields) in enumerate(steps)
    )


def embeddings(request: Request, name: str) -> Answer:
    """Answer /v1/embeddings: four numbers for each input, always the same."""
    asked = request.json()
    given = asked.get("input", "")
    sums = [
        zlib.crc32(str(i).encode())
        for i in (given if isinstance(given, list) else [given])
    ]
    data = [
        {
            "object": "embedding",
            "index": n,
            "embedding": [b / 255 for b in s.to_bytes(4)],
        }
        for n, s in enumerate(sums)
    ]
    usage = {"prompt_tokens": PROMPT_TOKENS, "total_tokens": PROMPT_TOKENS}
    model = asked.get("model", name)
    return json_answer({"object": "list", "data": data, "model": model, "usage": usage})


def rerank(request: Request, name: str) -> Answer:
    """Answer /rerank: earlier documents score higher."""
    asked = request.json()
    results = [
        {"index": n, "relevance_score": 1 / (n + 1)}
        for n, _ in enumerate(asked.get("documents", []))
    ]
    usage = {"prompt_tokens": PROMPT_TOKENS, "total_tokens": PROMPT_TOKENS}
    model = asked.get("model", name)
    return json_answer({"model": model, "results": results, "usage": usage})


def transcription(request: Request, name: str) -> Answer:
    """Answer /v1/audio/transcriptions and tell which form fields came."""
    boundary = request.header("content-type").partition("boundary=")[2].strip('"')
    fields: Json = {}
    for part in request.body.split(f"--{boundary}".encode())[1:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        labels = dict(re.findall(r'\b(name|filename)="([^"]*)"', head.decode()))
        told = described(data.removesuffix(b"\r\n"))
        if "filename" in labels:
            fields[labels["name"]] = {"filename": labels["filename"], **told}
        else:
            fields[labels.get("name", "")] = told["body"]
    return json_answer({"text": f"{name} heard it", "fields": fields})


def models(_request: Request, name: str) -> Answer:
    """Answer /v1/models."""
    return json_answer({"object": "list", "data": [{"id": name, "object": "model"}]})


ROUTES: Final[dict[str, Callable[[Request, str], Answer]]] = {
    "/v1/chat/completions": completion,
    "/v1/completions": completion,
    "/v1/messages": messages,
    "/v1/messages/count_tokens": count_tokens,
    "/v1/responses": responses,
    "/v1/embeddings": embeddings,
    "/v1/models": models,
    "/v1/audio/speech": speech,
    "/v1/audio/transcriptions": transcription,
    "/v1/images/edits": images,
    "/v1/images/generations": images,
    "/rerank": rerank,
    "/v1/rerank": rerank,
}
