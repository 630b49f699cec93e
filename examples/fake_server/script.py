"""How an answer leaves: the steps of one response, byte for byte; pure.

A request is controlled by its query (?hold_at=2) or headers (X-Fake-Hold-At: 2):

  tokens=N     length of the generated text (default 3)
  interval=S   seconds between the pieces of a body: events, slices or blocks
  delay=S      seconds before the response head
  first=S      seconds between the head and the first piece
  hold=KEY     wait before the head until KEY is released
  hold_at=N    hold before piece N instead; 0 is between head and body
  status=N     response status
  header=N:V   add a response header (may be repeated)
  framing=HOW  chunked, length or close; default: events chunked, all else length
  size=BYTES   answer with that many bytes
  slice=BYTES  cut the body into pieces of that size
  gzip         compress the body, each piece flushed
  echo         describe the request, whatever its path
  unread       answer without reading the request body, then close
  drop=WHERE   close the connection: head (instead of it), body (half way) or a
               number of body bytes; together with reset it is a TCP reset
  crash=CODE   end the process where drop says, else instead of the head
  raw=BASE64   send exactly these bytes, then close; hold_at keeps it open until then
  upgrades     raw (echo bytes, not frames), greet=TEXT (sent in one write with the
               101 head), status=N (refuse)
"""

import binascii
from collections.abc import Iterator
from typing import TypeAlias

from fake_server.message import Answer, Controls, Request, render_head

Step: TypeAlias = bytes | float | str | None
"""Send these bytes, pause so many seconds, hold until this key, drop the connection."""


def opening(request: Request) -> Iterator[Step]:
    """Yield the steps before the head."""
    controls = request.controls
    yield controls.number("delay")
    if "hold" in controls and "hold_at" not in controls:
        yield controls.text("hold")
    if controls.text("drop", "head" if "crash" in controls else "") == "head":
        yield None
    if "raw" in controls and not request.is_upgrade:
        yield binascii.a2b_base64(controls.text("raw").replace(" ", "+"))
        if "hold_at" in controls:
            yield controls.text("hold")
        yield None


def framing_of(request: Request, answer: Answer) -> str:
    """Return how the end of the body is told: ``chunked``, ``length``, ``close``."""
    is_stream = answer.content_type == "text/event-stream"
    framing = request.controls.text("framing", "chunked" if is_stream else "length")
    is_old = request.version == "HTTP/1.0"
    return "close" if is_old and framing == "chunked" else framing


def keeps_open(request: Request, framing: str) -> bool:
    """Return whether a further request may follow on the connection."""
    return (
        framing != "close"
        and request.version == "HTTP/1.1"
        and request.header("connection").lower() != "close"
        and "unread" not in request.controls
    )


def head_of(request: Request, answer: Answer, *more: tuple[str, str]) -> bytes:
    """Return the head of a response."""
    framing = framing_of(request, answer)
    headers = [*answer.headers, *more]
    if not any(name.lower() == "content-type" for name, _ in answer.headers):
        headers.insert(0, ("Content-Type", answer.content_type))
    if framing == "chunked":
        headers.append(("Transfer-Encoding", "chunked"))
    elif framing == "length" and answer.status not in {204, 304}:
        headers.append(("Content-Length", str(answer.length)))
    if not keeps_open(request, framing):
        headers.append(("Connection", "close"))
    return render_head(answer.status, headers)


def response(request: Request, answer: Answer, head: bytes) -> Iterator[Step]:
    """Yield the steps from the head to the end of the body."""
    controls = request.controls
    if request.method == "HEAD" or answer.status in {204, 304}:
        yield head
        return
    chunked = framing_of(request, answer) == "chunked"
    end = b"0\r\n\r\n" if chunked else b""
    hold_at, limit = controls.count("hold_at", -1), _limit(controls, answer.length)
    sent, unsent_head = 0, head
    for index, piece in enumerate(answer.pieces):
        pause_s = controls.number("interval" if index else "first")
        if unsent_head and (pause_s or index == hold_at):
            yield unsent_head
            unsent_head = b""
        yield pause_s
        if index == hold_at:
            yield controls.text("hold")
        size = b"%x\r\n" % len(piece) if chunked else b""
        data = unsent_head + size + piece
        if sent + len(piece) >= limit:
            yield data[: len(data) - len(piece) + limit - sent]
            yield None
        sent += len(piece)
        closing = end if sent == answer.length else b""
        yield data + (b"\r\n" if chunked else b"") + closing
        unsent_head = b""
    if not sent:
        yield unsent_head + end


def _limit(controls: Controls, length: int) -> int:
    """Return after how many body bytes the connection is dropped."""
    where = controls.text("drop")
    if where == "body":
        return length // 2
    return int(where) if where else length + 1
