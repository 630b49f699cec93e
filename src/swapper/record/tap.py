"""What one answer tells, seen as it passes to the client.

Nothing is held back, altered or waited for. Source: http-api.md sections 22 and 23.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from swapper.record.decode import DecodeError, Decoder, decoder_for
from swapper.record.figures import NO_USAGE, Usage
from swapper.record.usage import ErrorText, JsonUsage, SseUsage

_EVENT_STREAM: Final = "text/event-stream"


class Sink(Protocol):
    """Takes the decoded body of an answer that is to be kept."""

    def add(self, data: bytes, /) -> None:
        """Take the next piece; must neither block nor raise."""
        ...


class Answer(NamedTuple):
    """What there was to learn.

    Attributes:
        usage: figures; zeros for an answer that is no success.
        error_msg: what the activity log says of it; "" for success.
        is_worth_keeping: a capture of it makes sense.
        has_body: its body does, too.
    """

    usage: Usage
    error_msg: str = ""
    is_worth_keeping: bool = True
    has_body: bool = True


class ResponseTap:
    """Looks into one answer. The thread that relays it; never blocks, never raises."""

    def __init__(self, path: str, sink: Sink | None = None) -> None:
        """Prepare.

        Args:
            path: as forwarded.
            sink: gets the decoded body of a success; None if nobody wants it.
        """
        self._path = path
        self._sink = sink
        self._status = 0
        self._is_empty = True
        self._failure = ""
        self._decoder: Decoder | None = None
        self._reader: JsonUsage | SseUsage | ErrorText = ErrorText()

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Take status and headers, which say how the body is to be read."""
        self._status = status
        coding = content_type = ""
        for name, value in headers:
            lower = name.lower()
            if lower == "content-type":
                content_type = content_type or value
            elif lower == "content-encoding":
                coding = coding or value
        if coding:
            self._decoder = decoder_for(coding)
        if not self._is_success:
            self._sink = None
        elif _EVENT_STREAM in content_type:
            self._reader = SseUsage()
        else:
            self._reader = JsonUsage(self._path)

    def piece(self, data: bytes) -> None:
        """Take the next piece of the body, as the client gets it."""
        if not data or self._failure:
            return
        self._is_empty = False
        if self._decoder is None:
            self._read(data)
            return
        try:
            for decoded in self._decoder.feed(data):
                self._read(decoded)
        except DecodeError as exc:
            self._failure = str(exc)

    def feeder(self) -> Callable[[bytes], None]:
        """Return what takes the next pieces, which may be less than ``piece`` does.

        To be asked for once there has been a piece: of a stream of tokens thousands
        follow.
        """
        is_plain = self._decoder is None and self._sink is None
        return self._reader.feed if is_plain and not self._is_empty else self.piece

    def end(self, *, is_complete: bool) -> Answer:
        """Return what has been learnt.

        Args:
            is_complete: the body did not break off.
        """
        if is_complete and self._decoder is not None and not self._failure:
            try:
                self._decoder.end()
            except DecodeError as exc:
                self._failure = str(exc)
        reader = self._reader
        if isinstance(reader, ErrorText):
            return self._refusal(reader)
        if self._is_empty:
            return Answer(usage=NO_USAGE, is_worth_keeping=False)
        if self._failure:
            message = f"response decompression failed: {self._failure}"
            return Answer(usage=NO_USAGE, error_msg=message, is_worth_keeping=False)
        return Answer(usage=reader.end())

    @property
    def _is_success(self) -> bool:
        return 200 <= self._status < 300

    def _refusal(self, reader: ErrorText) -> Answer:
        if self._failure and not self._is_empty:
            message = f"response decode failed: {self._failure}"
        else:
            message = reader.end(self._status)
        return Answer(usage=NO_USAGE, error_msg=message, has_body=False)

    def _read(self, data: bytes) -> None:
        self._reader.feed(data)
        if self._sink is not None:
            self._sink.add(data)
