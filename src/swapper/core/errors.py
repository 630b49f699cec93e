"""The one tree of errors.

Each leaf carries its facts as attributes, not only as text. Foreign exceptions
are translated at exactly one seam each: ruamel in ``config``, sockets and
urllib3 in ``relay``, psutil and ``OSError`` in ``process``. Only
``web/errors.py`` turns these into HTTP.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from swapper.core import wire
from swapper.core.ids import ModelId


class SwapperError(Exception):
    """Base of everything swapper raises on purpose."""


# --- configuration -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing wrong in the configuration.

    Attributes:
        key_path: dotted path of the key, e.g. ``models.a.ttl``; "" for the file.
        message: what is wrong and what would be right, naming the value.
        source: file name as given; "" when the text came from memory.
        line: 1-based line in *source*; 0 when unknown.
    """

    key_path: str
    message: str
    source: str = ""
    line: int = 0

    def __str__(self) -> str:
        """Return ``file:line: key.path: message`` without the unknown parts."""
        where = self.source
        if self.line:
            where = f"{where or '<config>'}:{self.line}"
        return ": ".join(part for part in (where, self.key_path, self.message) if part)


class ConfigError(SwapperError):
    """The configuration is rejected as a whole; carries every problem found."""

    def __init__(self, *problems: ConfigProblem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


# --- answers to a client -----------------------------------------------------


class RequestError(SwapperError):
    """A request ends with this instead of an upstream's answer.

    Attributes:
        status: HTTP status.
        code: ``error.code`` of the envelope; "" takes the status's own code.
        headers: extra response headers.
        detail: facts for ``error.detail`` of the envelope; JSON values.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = ""

    @property
    def headers(self) -> Mapping[str, str]:
        """Return extra response headers."""
        return {}

    @property
    def detail(self) -> Mapping[str, object]:
        """Return facts a program can read; empty if there are none."""
        return {}


class BadRequestError(RequestError):
    """The request cannot be understood."""

    status = 400


class InvalidJsonError(BadRequestError):
    """The body says it is JSON and is not."""

    code = "invalid_json"


class AuthenticationError(RequestError):
    """The request shows no API key, or one that is not configured."""

    status = 401

    def __init__(self) -> None:
        super().__init__("unauthorized: invalid or missing API key")

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the challenge, which has browsers ask for a password."""
        return {"WWW-Authenticate": f'Basic realm="{wire.REALM}"'}


class ForbiddenError(RequestError):
    """The request is understood and refused."""

    status = 403


class NotFoundError(RequestError):
    """No such model, route target or logger."""

    status = 404


class ConcurrencyLimitError(RequestError):
    """The model has as many requests as its ``concurrencyLimit`` allows."""

    status = 429
    code = "concurrency_limit"

    def __init__(self, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("Too many requests")

    @property
    def headers(self) -> Mapping[str, str]:
        """Return ``Retry-After`` in seconds."""
        return {"Retry-After": str(self.retry_after_s)}


class UnavailableError(RequestError):
    """Nothing that could serve the request can do so now."""

    status = 503


class CancelledError(UnavailableError):
    """Somebody has asked for the end of this request."""

    code = "cancelled"

    def __init__(self) -> None:
        super().__init__("the request was cancelled")


class ModelNotLoadedError(RequestError):
    """The request may be served by a ready model only, and the model is not."""

    status = 409
    code = "model_not_loaded"

    def __init__(self, model: ModelId, why: str = "") -> None:
        """Say *why* the request does not start the model, if that is known."""
        self.model = model
        super().__init__(f"model {model} is not loaded{why and f'; {why}'}")


class ModelUnloadedError(RequestError):
    """The model was unloaded while the request waited for it."""

    code = "model_unloaded"

    def __init__(self, planner: str) -> None:
        super().__init__(f"unspecific error: {planner}: model unloaded")


class ModelRemovedError(RequestError):
    """A reload took the model out of the configuration while the request waited."""

    status = 404
    code = "model_removed"

    def __init__(self, model: ModelId) -> None:
        self.model = model
        super().__init__(f"model {model} was removed from the configuration")


class RequestCancelledError(RequestError):
    """Somebody cancelled the request through the API while it waited."""

    status = 503
    code = "cancelled"

    def __init__(self) -> None:
        super().__init__("request cancelled while it waited for its model")


class ShuttingDownError(RequestError):
    """swapper is ending; nothing new is served."""

    code = "shutting_down"

    def __init__(self, planner: str) -> None:
        super().__init__(f"unspecific error: {planner} is shutting down")


class FilterError(RequestError):
    """A filter of the configuration cannot be applied to the request's body."""

    code = "filter_failed"


class InternalError(RequestError):
    """A defect of swapper: logged with its traceback, told without it."""


# --- model processes ---------------------------------------------------------


class ProcessError(RequestError):
    """A model process did not do what it should.

    Attributes:
        model: the model's id.
        log_tail: the last lines the process wrote, oldest first.
        duration_s: seconds from the start of the process to the failure.
    """

    code = "model_start_failed"

    def __init__(
        self,
        model: ModelId,
        cause: str,
        *,
        log_tail: Sequence[str] = (),
        duration_s: float = 0.0,
    ) -> None:
        self.model = model
        self.cause = cause
        self.log_tail = tuple(log_tail)
        self.duration_s = duration_s
        tail = f"; last output: {' | '.join(self.log_tail)}" if self.log_tail else ""
        super().__init__(f"unspecific error: {cause}{tail}")

    @property
    def detail(self) -> Mapping[str, object]:
        """Return model, duration and log tail."""
        return {
            "model": self.model,
            "duration_s": round(self.duration_s, 3),
            "log_tail": list(self.log_tail),
        }


class SpawnError(ProcessError):
    """The command could not be executed at all."""


class PortInUseError(ProcessError):
    """Something else already listens where the model should."""

    code = "port_in_use"


class ExitedError(ProcessError):
    """The process ended by itself.

    Attributes:
        returncode: exit code, or minus the signal's number (as ``Popen``).
        oom_killed: the kernel has killed processes meanwhile, for want of memory; None
            if it does not tell.
    """

    code = "model_exited"

    def __init__(
        self,
        model: ModelId,
        returncode: int,
        *,
        while_starting: bool,
        log_tail: Sequence[str] = (),
        duration_s: float = 0.0,
        oom_killed: bool | None = None,
    ) -> None:
        self.returncode = returncode
        self.oom_killed = oom_killed
        how = (
            f"killed by signal {-returncode}"
            if returncode < 0
            else f"exit code {returncode}"
        )
        what = (
            "upstream command exited prematurely"
            if while_starting
            else "upstream process ended"
        )
        why = ", for the system was out of memory" if oom_killed else ""
        super().__init__(
            model,
            f"{what}: model {model}, {how} after {duration_s:.2f} s{why}",
            log_tail=log_tail,
            duration_s=duration_s,
        )

    @property
    def detail(self) -> Mapping[str, object]:
        """Return the facts of ``ProcessError`` and how the process ended."""
        ended: dict[str, object] = dict(super().detail)
        if self.returncode < 0:
            ended["signal"] = -self.returncode
        else:
            ended["exit_code"] = self.returncode
        return ended


class OutOfMemoryError(ProcessError):
    """A load has failed for lack of memory, and once more with more room."""

    code = "out_of_memory"

    def __init__(self, last: ProcessError) -> None:
        self.last = last
        super().__init__(
            last.model,
            f"model {last.model} lacks memory, also with more room: {last.cause}",
            log_tail=last.log_tail,
            duration_s=last.duration_s,
        )

    @property
    def detail(self) -> Mapping[str, object]:
        """Return the facts of the second failure."""
        return self.last.detail


class HealthCheckTimeoutError(ProcessError):
    """The process ran but never became healthy."""

    code = "health_check_timeout"


class StartAbortedError(ProcessError):
    """The start was called off before the process became ready."""

    code = "start_aborted"


class StartsRefusedError(RequestError):
    """The model has failed to start so often that the next attempt has to wait.

    Attributes:
        model: the model's id.
        last: the latest failure.
        failures: how many starts in a row have failed.
        retry_after_s: when the next one is made, if somebody asks then.
    """

    status = 503
    code = "start_refused"

    def __init__(
        self,
        model: ModelId,
        last: ProcessError,
        *,
        failures: int,
        retry_after_s: float,
    ) -> None:
        self.model = model
        self.last = last
        self.failures = failures
        self.retry_after_s = retry_after_s
        super().__init__(
            f"model {model} has failed to start {failures} times in a row; the next "
            f"attempt is possible in {self._seconds} s; the last failure: "
            f"{str(last).removeprefix('unspecific error: ')}"
        )

    @property
    def _seconds(self) -> int:
        return max(1, math.ceil(self.retry_after_s))

    @property
    def headers(self) -> Mapping[str, str]:
        """Return ``Retry-After`` in seconds."""
        return {"Retry-After": str(self._seconds)}

    @property
    def detail(self) -> Mapping[str, object]:
        """Return the facts of the last failure and when to come again."""
        return {
            **self.last.detail,
            "cause": self.last.cause,
            "failures": self.failures,
            "retry_after_s": self._seconds,
        }


# --- upstreams ---------------------------------------------------------------


class UpstreamError(RequestError):
    """A model server could not be reached or broke the protocol.

    Attributes:
        request_sent: False if no byte of the request reached the upstream, so
            that sending it again cannot run it twice.
    """

    status = 502
    code = "bad_gateway"

    def __init__(self, message: str, *, request_sent: bool = True) -> None:
        self.request_sent = request_sent
        super().__init__(message)


class ModelDiedError(UpstreamError):
    """A model's process ended before it answered a request.

    Attributes:
        ended: how.
    """

    code = "model_exited"

    def __init__(self, ended: ProcessError, *, request_sent: bool) -> None:
        self.ended = ended
        what = str(ended).removeprefix("unspecific error: ")
        super().__init__(
            f"model {ended.model} did not answer: {what}", request_sent=request_sent
        )

    @property
    def detail(self) -> Mapping[str, object]:
        """Return how the process ended."""
        return self.ended.detail


class UpstreamTimeoutError(UpstreamError):
    """A model server did not answer in the time its configuration allows."""

    status = 504
    code = "gateway_timeout"


class PeerError(UpstreamError):
    """A peer could not be reached or broke the protocol (http-api.md 13.4)."""

    def __init__(self, cause: UpstreamError) -> None:
        super().__init__(f"peer proxy error: {cause}", request_sent=cause.request_sent)


class PeerTimeoutError(PeerError):
    """A peer did not answer in the time its configuration allows."""

    status = 504
    code = "gateway_timeout"


# --- control flow ------------------------------------------------------------


class ClientGoneError(SwapperError):
    """The client hung up; there is nobody to answer. Never logged above debug."""


class InboxClosedError(SwapperError):
    """The owner of this inbox has ended; the message was not delivered."""
