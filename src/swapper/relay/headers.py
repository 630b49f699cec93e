"""Which headers go on: to the upstream and back to the client. Pure.

Headers are (name, value) pairs; order, spelling and duplicates survive. What belongs
to one connection only (RFC 9110 7.6.1) is dropped in both directions. Content-Length
and Host are never dropped because a ``Connection`` header names them: the first is
ours to set, without the second there is no request.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from swapper.net.http1 import (
    Fields,
    Headers,
    Table,
    get_all,
    list_items,
    lower_names,
)

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
_NOT_FROM_CLIENT: Final = _HOP_BY_HOP | {"content-length", "expect"}
_NOT_WITHOUT_BODY: Final = _HOP_BY_HOP | {"content-length"}
_NAMES_NOTHING: Final = frozenset({"close", "keep-alive", "Keep-Alive"})
_KEPT_IF_NAMED: Final = frozenset({"content-length", "host"})
_METHODS_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def request_headers(
    client: Headers,
    *,
    method: str,
    authority: str,
    client_ip: str,
    length: int | None,
    own: Headers = (),
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
        own: in place of the client's of the same names.
    """
    names = lower_names(client)
    dropped = _dropped(client, names, _NOT_FROM_CLIENT)
    if own:
        dropped = dropped.union(lower_names(own))
    kept = _kept(client, names, dropped)
    if "host" not in names:
        kept.insert(0, ("Host", authority))
    if not _first(client, names, "accept-encoding") or "accept-encoding" in dropped:
        kept = _with_some_encoding(kept)
    if "te" in names and "trailers" in list_items(get_all(client, "te")):
        kept.append(("TE", "trailers"))
    if client_ip:
        if "x-forwarded-for" in names:
            kept = _with_forwarded_for(kept, client_ip)
        else:
            kept.append(("X-Forwarded-For", client_ip))
    kept += own
    if length is None:
        kept.append(("Transfer-Encoding", "chunked"))
    elif length or method in _METHODS_WITH_BODY or "content-length" in names:
        kept.append(("Content-Length", str(length)))
    return tuple(kept)


def response_headers(upstream: Headers, *, status: int) -> Headers:
    """Return the headers of the answer to the client (http-api.md 12.3).

    Args:
        upstream: as the upstream sent them.
        status: a 101 or 204 loses its Content-Length, which RFC 9110 8.6 forbids.
    """
    never = _NOT_WITHOUT_BODY if status in {101, 204} else _HOP_BY_HOP
    names = lower_names(upstream)
    kept = _kept(upstream, names, _dropped(upstream, names, never))
    if "text/event-stream" in _first(upstream, names, "content-type").lower():
        kept = _without(kept, "x-accel-buffering")
        kept.append(("X-Accel-Buffering", "no"))
    return tuple(kept)


def with_legible_encodings(client: Headers) -> Headers:
    """Return *client* accepting only answers that we can look into: gzip and deflate.

    Items keep their spelling and parameters (http-api.md 12.2). What is left empty
    becomes ``identity`` in ``request_headers``.
    """
    names = lower_names(client)
    if "accept-encoding" not in names:
        return client
    legible = _legible[", ".join(get_all(client, "accept-encoding"))]
    kept = _kept(client, names, frozenset({"accept-encoding"}))
    kept.append(("Accept-Encoding", legible))
    kept_names = [name for name in names if name != "accept-encoding"]
    return Fields.of(kept, (*kept_names, "accept-encoding"))


def _legible_of(accepted: str) -> str:
    items = (item.strip() for item in accepted.split(","))
    return ", ".join(
        item
        for item in items
        if item.partition(";")[0].strip().lower() in {"gzip", "deflate"}
    )


_legible: Final = Table(_legible_of)


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


def _kept(
    headers: Headers, names: Sequence[str], dropped: frozenset[str]
) -> list[tuple[str, str]]:
    """Return what is not *dropped*; *names* are in lower case."""
    if dropped.isdisjoint(names):
        return list(headers)
    pairs = zip(headers, names, strict=True)
    return [pair for pair, name in pairs if name not in dropped]


def _dropped(
    headers: Headers, names: Sequence[str], always: frozenset[str]
) -> frozenset[str]:
    """Return *always* and what ``Connection`` names; *names* are in lower case."""
    if "connection" not in names:
        return always
    values = get_all(headers, "connection")
    if _NAMES_NOTHING.issuperset(values):
        return always
    return always | (frozenset(list_items(values)) - _KEPT_IF_NAMED)


def _first(headers: Headers, names: Sequence[str], name: str) -> str:
    """Return the first value of a header, "" if absent; *names* are in lower case."""
    return headers[names.index(name)][1] if name in names else ""


def _with_some_encoding(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return *pairs* with ``identity`` if no encoding is named in any header."""
    if any(get_all(tuple(pairs), "accept-encoding")):
        return pairs
    return [*_without(pairs, "accept-encoding"), ("Accept-Encoding", "identity")]


def _without(pairs: Iterable[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    kept = list(pairs)
    names = lower_names(kept)
    if name not in names:
        return kept
    return [pair for pair, lower in zip(kept, names, strict=True) if lower != name]


def _with_forwarded_for(
    pairs: list[tuple[str, str]], client_ip: str
) -> list[tuple[str, str]]:
    """Return *pairs* with one ``X-Forwarded-For``, where the first one stood."""
    names = lower_names(pairs)
    if "x-forwarded-for" not in names:  # a Connection header named it
        return [*pairs, ("X-Forwarded-For", client_ip)]
    first = names.index("x-forwarded-for")
    seen = [value for value in get_all(tuple(pairs), "x-forwarded-for") if value]
    return [
        *pairs[:first],
        (pairs[first][0], ", ".join((*seen, client_ip))),
        *_without(pairs[first + 1 :], "x-forwarded-for"),
    ]
