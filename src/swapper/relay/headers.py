"""Which headers go on: to the upstream and back to the client. Pure.

Headers are (name, value) pairs; order, spelling and duplicates survive. What belongs
to one connection only (RFC 9110 7.6.1) is dropped in both directions. Content-Length
and Host are never dropped because a ``Connection`` header names them: the first is
ours to set, without the second there is no request.
"""

from collections.abc import Iterable
from itertools import compress
from operator import not_
from typing import Final

from swapper.net.http1 import Fields, Headers, list_items, remembered

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
    fields = Fields.of(client)
    given = fields.first
    ours = Fields.of(own)
    dropped = _dropped(fields, _NOT_FROM_CLIENT).union(ours.names)
    kept = _kept(fields, dropped)
    if "host" not in given:
        kept.insert(0, ("Host", authority))
    if not ours.first.get("accept-encoding") and (
        not given.get("accept-encoding") or "accept-encoding" in dropped
    ):
        kept = _with_some_encoding(kept)
    if "te" in given and "trailers" in list_items(fields.get_all("te")):
        kept.append(("TE", "trailers"))
    if client_ip:
        if "x-forwarded-for" in given:
            kept = _with_forwarded_for(kept, client_ip)
        else:
            kept.append(("X-Forwarded-For", client_ip))
    kept += own
    if length is None:
        kept.append(("Transfer-Encoding", "chunked"))
    elif length or method in _METHODS_WITH_BODY or "content-length" in given:
        kept.append(("Content-Length", str(length)))
    return tuple(kept)


def response_headers(upstream: Headers, *, status: int) -> Headers:
    """Return the headers of the answer to the client (http-api.md 12.3).

    Args:
        upstream: as the upstream sent them.
        status: a 101 or 204 loses its Content-Length, which RFC 9110 8.6 forbids.
    """
    never = _NOT_WITHOUT_BODY if status in {101, 204} else _HOP_BY_HOP
    fields = Fields.of(upstream)
    kept = _kept(fields, _dropped(fields, never))
    if "text/event-stream" in fields.first.get("content-type", "").lower():
        kept = _without(kept, "x-accel-buffering")
        kept.append(("X-Accel-Buffering", "no"))
    return tuple(kept)


def legible_encodings(client: Headers) -> Headers:
    """Return what *client* accepts, less what we cannot look into, as a header.

    gzip and deflate keep their spelling and parameters; ``identity`` if nothing is
    left. Nothing if nothing was named (http-api.md 12.2).
    """
    accepted = Fields.of(client).get_all("accept-encoding")
    if not accepted:
        return ()
    return (("Accept-Encoding", _legible_of(", ".join(accepted))),)


def _legible(accepted: str) -> str:
    items = (item.strip() for item in accepted.split(","))
    legible = [
        item
        for item in items
        if item.partition(";")[0].strip().lower() in {"gzip", "deflate"}
    ]
    return ", ".join(legible) or "identity"


_legible_of: Final = remembered(_legible)


def is_upgrade(headers: Headers, protocol: str = "websocket") -> bool:
    """Return whether these headers switch the connection to *protocol*.

    Tokens are compared without case, in lists and repeated headers as well
    (http-api.md 16.1).

    Args:
        headers: of a request or of an answer with status 101.
        protocol: in lower case.
    """
    fields = Fields.of(headers)
    return "upgrade" in list_items(
        fields.get_all("connection")
    ) and protocol in list_items(fields.get_all("upgrade"))


def with_upgrade(kept: Headers, original: Headers) -> Headers:
    """Return *kept* with the upgrade that was dropped from *original* put back."""
    protocols = ", ".join(Fields.of(original).get_all("upgrade"))
    return (*kept, ("Connection", "Upgrade"), ("Upgrade", protocols))


def _kept(fields: Fields, dropped: frozenset[str]) -> list[tuple[str, str]]:
    """Return what is not *dropped*."""
    if dropped.isdisjoint(fields.names):
        return list(fields)
    is_dropped = map(dropped.__contains__, fields.names)
    return [*compress(fields, map(not_, is_dropped))]


def _dropped(fields: Fields, always: frozenset[str]) -> frozenset[str]:
    """Return *always* and what ``Connection`` names."""
    values = fields.get_all("connection")
    if _NAMES_NOTHING.issuperset(values):
        return always
    return always | (frozenset(list_items(values)) - _KEPT_IF_NAMED)


def _with_some_encoding(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return *pairs* with ``identity`` if no encoding is named in any header."""
    name = "accept-encoding"
    if any(Fields.of(pairs).get_all(name)):
        return pairs
    return [*_without(pairs, name), ("Accept-Encoding", "identity")]


def _without(pairs: Iterable[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    return _kept(Fields.of(pairs), frozenset({name}))


def _with_forwarded_for(
    pairs: list[tuple[str, str]], client_ip: str
) -> list[tuple[str, str]]:
    """Return *pairs* with one ``X-Forwarded-For``, where the first one stood."""
    fields = Fields.of(pairs)
    if "x-forwarded-for" not in fields.first:  # a Connection header named it
        return [*pairs, ("X-Forwarded-For", client_ip)]
    at = fields.names.index("x-forwarded-for")
    seen = [value for value in fields.get_all("x-forwarded-for") if value]
    return [
        *pairs[:at],
        (pairs[at][0], ", ".join((*seen, client_ip))),
        *_without(pairs[at + 1 :], "x-forwarded-for"),
    ]
