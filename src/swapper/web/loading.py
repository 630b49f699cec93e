"""The answer to a request that waits for its model, begun before there is one.

The client gets status 200 and an event stream at once, hears what it waits for, and
then the body of the model's own answer in the same stream (http-api.md section 18).
"""

import logging
import secrets
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import unquote

from swapper.config import LoadingState, ModelConfig
from swapper.core.clock import SystemClock
from swapper.core.errors import RequestError, UpstreamError
from swapper.core.ids import ModelId
from swapper.net.http1 import Framing
from swapper.relay import Passage, UpstreamRequest, UpstreamResponse
from swapper.router import Lease, PendingLease
from swapper.web.loading_events import DIALECTS, Dialect, Failure, comments
from swapper.web.loading_text import Heartbeat, Narration, Teller
from swapper.web.model_name import ModelRequest
from swapper.web.relayed import RelayedBody, explained, may_ask_again
from swapper.web.response import Response

logger = logging.getLogger(__name__)

_ERROR_LIMIT_BYTES = 65536
_rng = secrets.SystemRandom()

Forward = Callable[[Lease], UpstreamResponse]
"""Sends the request to the model that was granted; raises as ``Upstream.forward``."""


@dataclass(frozen=True, slots=True)
class Narrator:
    """How the clients of one model are talked to on one path."""

    model: ModelId
    dialect: Dialect
    state: LoadingState

    def response(
        self,
        pending: PendingLease,
        forward: Forward,
        on_failure: Callable[[Failure], None],
    ) -> Response:
        """Return the response to a request that has to wait; does not block.

        Args:
            pending: the request.
            forward: called in the thread that reads the body.
            on_failure: likewise, with what came instead of the model's answer.
        """
        # no X-Accel-Buffering, as in the reference (http-api.md 18.2)
        headers = [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")]
        body = LoadingBody(self, pending, forward, on_failure)
        return Response(200, headers, body)

    def say(self, pieces: list[str]) -> bytes:
        """Return pieces of text as the client shall see them."""
        is_heartbeat = self.state is LoadingState.HEARTBEAT
        return comments(pieces) if is_heartbeat else self.dialect.say(pieces)

    def teller(self, now: float) -> Teller:
        """Return who decides what to say to one client, from *now* on."""
        if self.state is LoadingState.HEARTBEAT:
            return Heartbeat(self.model, now)
        return Narration(self.model, now, _rng, is_typed=self.dialect.is_typed)


def narrator_for(
    model: ModelConfig, target: str, wanted: ModelRequest
) -> Narrator | None:
    """Return who talks to the client of a request, None for nobody.

    Args:
        model: what is asked for.
        target: path and query as the upstream will see them.
        wanted: the request.
    """
    if model.loading_state is LoadingState.OFF or not wanted.is_streaming:
        return None
    dialect = DIALECTS.get(unquote(target.partition("?")[0]))
    return None if dialect is None else Narrator(model.id, dialect, model.loading_state)


def uncompressed(request: UpstreamRequest) -> UpstreamRequest:
    """Return *request* asking for a body that can follow text: not compressed."""
    own = [h for h in request.own_headers if h[0].lower() != "accept-encoding"]
    return replace(request, own_headers=(*own, ("Accept-Encoding", "identity")))


class LoadingBody:
    """Loading text, then the model's body or an error event. Request thread.

    Between two pieces it waits for nothing but the grant, which any answer ends at
    once. Before the body's end the lease ends as a ``RelayedBody`` has it.
    """

    def __init__(
        self,
        narrator: Narrator,
        pending: PendingLease,
        forward: Forward,
        on_failure: Callable[[Failure], None],
    ) -> None:
        self._on_failure = on_failure
        self._narrator = narrator
        self._pending = pending
        self._forward = forward
        self._clock = SystemClock()
        self._teller = narrator.teller(self._clock.monotonic())
        self._relayed: RelayedBody | None = None
        self._pieces = self._run()

    def __iter__(self) -> "LoadingBody":
        """Return itself."""
        return self

    def __next__(self) -> bytes:
        """Return the next piece as soon as it is due.

        Raises:
            ClientGoneError: the client hung up.
            UpstreamError: the model broke off its answer.
        """
        return next(self._pieces)

    def hand_over(self, framing: Framing, length: int) -> Passage | None:
        """Return the rest once only the model's answer is left; see ``RelayedBody``."""
        if self._relayed is None:
            return None
        return self._relayed.hand_over(framing, length)

    def close(self) -> None:
        """Give up whatever goes on. Idempotent."""
        if self._relayed is not None:
            self._relayed.close()
        self._pending.close()

    def _run(self) -> Iterator[bytes]:
        answer: RelayedBody | Failure | None = None
        while answer is None:
            try:
                lease = yield from self._tell_until_granted()
            except RequestError as exc:
                yield self._end(has_failed=True) + self._fail(Failure.of_error(exc))
                return
            if end := self._end(has_failed=False):
                yield end
            answer = self._ask(lease)
            self._teller = self._narrator.teller(self._clock.monotonic())
        if isinstance(answer, Failure):
            yield self._fail(answer)
            return
        self._relayed = answer
        yield b""  # the moment for hand_over
        yield from answer

    def _tell_until_granted(self) -> Generator[bytes, None, Lease]:
        while True:
            told = self._teller.tell(self._clock.monotonic(), self._pending.standing)
            if told:
                yield self._narrator.say(told)
            wait_s = self._teller.due_s - self._clock.monotonic()
            with suppress(TimeoutError):
                return self._pending.wait(max(0.0, wait_s))

    def _end(self, *, has_failed: bool) -> bytes:
        told = self._teller.end(self._clock.monotonic(), has_failed=has_failed)
        return self._narrator.say(told) if told else b""

    def _ask(self, lease: Lease) -> RelayedBody | Failure | None:
        """Send the request; return the body of an answer that can follow the text.

        None if the model ended before it saw the request: another lease is on its way.
        """
        try:
            answer = self._forward(lease)
            label = f"model {lease.model}"
            if not 200 <= answer.status < 300:
                return _refusal(answer, label)
            coding = _coding(answer)
            if coding:
                answer.close()
                text = f"{label} answered in {coding}, not as asked"
                return Failure.of_error(UpstreamError(text))
            return RelayedBody(answer, lease.done, answer.read_ready())
        except UpstreamError as exc:
            if may_ask_again(exc, self._pending, lease):
                return None
            return Failure.of_error(explained(exc, self._pending, lease))
        except RequestError as exc:
            return Failure.of_error(exc)

    def _fail(self, failure: Failure) -> bytes:
        """End the lease and return the stream's last words."""
        self._pending.close()
        self._on_failure(failure)
        logger.warning(
            "request failed after its loading stream began model=%s status=%d: %s",
            self._narrator.model,
            failure.status,
            failure.message,
        )
        return self._narrator.dialect.fail(failure)


def _refusal(answer: UpstreamResponse, label: str) -> Failure:
    """Read what an upstream says instead of the answer wanted, within limits."""
    body = b""
    try:
        while len(body) < _ERROR_LIMIT_BYTES and (piece := answer.read1()):
            body += piece
    except UpstreamError as exc:
        logger.warning("error answer is incomplete: %s", exc)
    finally:
        answer.close()
    return Failure.of_answer(answer.status, body, label)


def _coding(answer: UpstreamResponse) -> str:
    codings = (v for n, v in answer.headers if n.lower() == "content-encoding")
    return ", ".join(coding for coding in codings if coding.lower() != "identity")
