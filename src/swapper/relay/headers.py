"""Which headers go on: to the upstream and back to the client. Pure.

Headers are (name, value) pairs; order, spelling and duplicates survive. What belongs
to one connection only (RFC 9110 7.6.1) is dropped in both directions. Content-Length
and Host are never dropped because a ``Connection`` header names them: the first is
ours to set, without the second there is no request.
"""

from collections.abc import Iterable
from typing import Final

from swapper.net.http1 import Headers, get_all, list_items

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_KEPT_IF_NAMED: Final = frozenset({"content-length", "host"})
_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def request_headers(
    client: Headers,
    *,
    method: str,
    authority: str,
    client_ip: str,
    length: int | None,
) -> Headers:
    """Return the headers of the upstream request.

    ``Expect`` is dropped, because the server answers it; ``User-Agent`` is not
    invented. A client that names no acceptable encoding gets ``identity``
    (http-api.md 12.2, decision Q17).

    Args:
        client: as the client sent them.
        method: decides whether an empty body is announced.
        authority: ``Host`` for a client that sent none (HTTP/1.0).
        client_ip: appended to ``X-Forwarded-For``; "" leaves that header alone.
        length: of the body in bytes; None sends it chunked.
    """
    dropped = _dropped(client) | {"expect", "content-length"}
    kept = [pair for pair in client if pair[0].lower() not in dropped]
    names = {name.lower() for name, _ in kept}
    if "host" not in names:
        kept.insert(0, ("Host", authority))
    if not any(get_all(tuple(kept), "accept-encoding")):
        kept = _without(kept, "accept-encoding")
        kept.append(("Accept-Encoding", "identity"))
    if "trailers" in list_items(get_all(client, "te")):
        kept.append(("TE", "trailers"))
    if client_ip:
        kept = _with_forwarded_for(kept, client_ip)
    kept += _framing(client, method, length)
    return tuple(kept)


def response_headers(upstream: Headers, *, status: int) -> Headers:
    """Return the headers of the answer to the client (http-api.md 12.3).

    Args:
        upstream: as the upstream sent them.
        status: a 204 loses its Content-Length, which RFC 9110 8.6 forbids.
    """
    dropped = _dropped(upstream)
    if status == 204:
        dropped = dropped | {"content-length"}
    kept = [pair for pair in upstream if pair[0].lower() not in dropped]
    if _is_event_stream(kept):
        kept = _without(kept, "x-accel-buffering")
        kept.append(("X-Accel-Buffering", "no"))
    return tuple(kept)


def is_upgrade(headers: Headers, protocol: str = "websocket") -> bool:
    """Return whether these headers switch the connection to *protocol*.

    Tokens are compared without case, in lists and repeated headers as well
    (http-api.md 16.1).

    Args:
        headers: of a request or of an answer with status 101.
        protocol: in lower case.
    """
    return "upgrade" in list_items(
        get_all(headers, "connection")
    ) and protocol in list_items(get_all(headers, "upgrade"))


def with_upgrade(kept: Headers, original: Headers) -> Headers:
    """Return *kept* with the upgrade that was dropped from *original* put back."""
    protocols = ", ".join(get_all(original, "upgrade"))
    return (*kept, ("Connection", "Upgrade"), ("Upgrade", protocols))


def _dropped(headers: Headers) -> frozenset[str]:
    named = list_items(get_all(headers, "connection"))
    if not named:
        return _HOP_BY_HOP
    return _HOP_BY_HOP | (frozenset(named) - _KEPT_IF_NAMED)


def _without(pairs: Iterable[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    return [pair for pair in pairs if pair[0].lower() != name]


def _with_forwarded_for(
    pairs: list[tuple[str, str]], client_ip: str
) -> list[tuple[str, str]]:
    """Return *pairs* with one ``X-Forwarded-For``, where the first one stood."""
    seen = [value for value in get_all(tuple(pairs), "x-forwarded-for") if value]
    value = ", ".join((*seen, client_ip))
    names = [name.lower() for name, _ in pairs]
    if "x-forwarded-for" not in names:
        return [*pairs, ("X-Forwarded-For", value)]
    first = names.index("x-forwarded-for")
    return [
        *pairs[:first],
        (pairs[first][0], value),
        *_without(pairs[first + 1 :], "x-forwarded-for"),
    ]


def _framing(
    client: Headers, method: str, length: int | None
) -> tuple[tuple[str, str], ...]:
    if length is None:
        return (("Transfer-Encoding", "chunked"),)
    if length or method in _METHODS_WITH_BODY or get_all(client, "content-length"):
        return (("Content-Length", str(length)),)
    return ()


def _is_event_stream(pairs: Iterable[tuple[str, str]]) -> bool:
    return any(
        name.lower() == "content-type" and "text/event-stream" in value.lower()
        for name, value in pairs
    )
