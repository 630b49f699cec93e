"""Where an upstream is: its base URL taken apart, and the timeouts that go with it."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from swapper.config.schema import TimeoutsConfig
from swapper.core.errors import BadRequestError

NO_LIMIT_S: Final = 2e6
"""More than anybody waits, and all that ``poll`` can wait for: 23 days."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_TARGET = re.compile(r"[!-~\x80-\xff]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait for an upstream (http-api.md 12.4); a body has no limit.

    Attributes:
        keepalive_s: between TCP keep-alive probes; 0 leaves it to the system, a
            negative number sends none.
        response_head_s: from the end of the request to the response head; None
            waits for as long as it takes.
        idle_s: how long an unused connection is kept.
    """

    connect_s: float = 30.0
    keepalive_s: int = 30
    tls_handshake_s: float = 10.0
    response_head_s: float | None = None
    idle_s: float = 90.0


def timeouts_of(config: TimeoutsConfig) -> Timeouts:
    """Return the configured limits; 0 or less there means none here.

    ``expectContinue`` has no part in it: the server has answered a client's ``Expect``
    before the relay reads the body, so no request of ours ever waits for a 100.
    """
    head_s = _limit_s(config.response_header_s)
    return Timeouts(
        connect_s=_limit_s(config.connect_s),
        keepalive_s=config.keepalive_s,
        tls_handshake_s=_limit_s(config.tls_handshake_s),
        response_head_s=None if head_s == NO_LIMIT_S else head_s,
        idle_s=_limit_s(config.idle_conn_s),
    )


def _limit_s(configured: int) -> float:
    return min(configured, NO_LIMIT_S) if configured > 0 else NO_LIMIT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A base URL.

    Attributes:
        host: name or address, an IPv6 one without brackets.
        path: as written in the URL, percent-encoding untouched; may be "".
        query: as written, without the question mark; may be "".
    """

    scheme: str
    host: str
    port: int
    path: str = ""
    query: str = ""

    @property
    def is_tls(self) -> bool:
        """Return whether connections are encrypted."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Return the value of a ``Host`` header: the port only if not the default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.port == _DEFAULT_PORTS[self.scheme]:
            return host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Return the base URL for messages, without credentials and query."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def target(self, client_target: str) -> str:
        """Return the request target for a client's path and query.

        The base path comes first, with exactly one slash at the joint; the base
        query comes before the client's. Nothing is decoded, encoded or cleaned.

        Args:
            client_target: path and query as the client sent them.

        Raises:
            BadRequestError: a character that would break the request line.

        Source: http-api.md 12.1.
        """
        if _TARGET.fullmatch(client_target) is None:
            raise BadRequestError("illegal character in the request target")
        path, mark, query = client_target.partition("?")
        path = f"{self.path.removesuffix('/')}/{path.removeprefix('/')}"
        if self.query:
            query = f"{self.query}&{query}" if query else self.query
            mark = "?"
        return f"{path}{mark}{query}"


def parse_endpoint(base_url: str) -> Endpoint:
    """Return the parts of a base URL; user and password in it are ignored.

    Raises:
        ValueError: not an absolute http or https URL; the text says why, without
            repeating the URL, in which there may be a password.
    """
    try:
        parts = urlsplit(base_url)
    except ValueError:
        raise ValueError("its base URL is malformed") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("its base URL does not begin with http:// or https://")
    if not parts.hostname:
        raise ValueError("its base URL names no host")
    if _TARGET.fullmatch(parts.path + parts.query) is None:
        raise ValueError("the path of its base URL contains an illegal character")
    return Endpoint(
        scheme=parts.scheme,
        host=_checked_host(parts.hostname),
        port=_port(parts),
        path=parts.path,
        query=parts.query,
    )


def _checked_host(host: str) -> str:
    try:
        name = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError as exc:
        raise ValueError(f"{host!r} cannot be a host name") from exc
    if _TARGET.fullmatch(name) is None:
        raise ValueError(f"{host!r} contains an illegal character")
    return name


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        raise ValueError("its base URL has a port that is none") from None
    if port == 0:
        raise ValueError("port 0 cannot be connected to")
    return port or _DEFAULT_PORTS[parts.scheme]
