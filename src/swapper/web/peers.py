"""Requests for models of other servers (http-api.md section 13).

Nothing is queued, counted or started here for them. A peer gets what the client sent,
less what concerns the way from the client to us and what opens doors of ours.
"""

import logging
import re
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from swapper.config import Config, PeerConfig, PeerModel
from swapper.core.errors import (
    BadRequestError,
    PeerError,
    PeerTimeoutError,
    ShuttingDownError,
    UpstreamError,
    UpstreamTimeoutError,
)
from swapper.net.http1 import Headers
from swapper.relay import UpstreamRequest, Upstreams
from swapper.sync import CancelToken
from swapper.web.auth import carries_key
from swapper.web.model_name import Readable
from swapper.web.relayed import exchange, forwarded
from swapper.web.request import Request
from swapper.web.response import Response
from swapper.web.services import peer_upstream

logger = logging.getLogger(__name__)

_OF_THE_WAY_TO_US: Final = re.compile(r"(?i)host|forwarded|x-forwarded-.*")


class PeerService:
    """Serves requests with models of peers. Request threads only."""

    def __init__(
        self, config: Config, upstreams: Upstreams, ending: CancelToken
    ) -> None:
        """Know the peers of *config*; *ending* is cancelled when swapper ends."""
        self._peers = config.peers
        self._keys = config.api_keys
        self._upstreams = upstreams
        self._ending = ending

    def serve(
        self,
        request: Request,
        model: PeerModel,
        target: str,
        body: Readable | bytes | None,
        length: int | None,
    ) -> Response:
        """Return the peer's answer; its body is still on its way.

        Blocks until the head of the answer is there.

        Args:
            request: the client's request.
            model: whose peer is asked; the request names it as the peer knows it.
            target: path and query, to be added to the peer's base URL.
            body: what to send along.
            length: of *body*; None sends it chunked.

        Raises:
            ClientGoneError: the client hung up.
            PeerError: the peer cannot answer.
            BadRequestError: *target* would leave the peer's base URL, or the peer's
                key would come back.
            ShuttingDownError: swapper is ending.
        """
        if self._ending.cancelled:
            raise ShuttingDownError("peer proxy")
        refuse_way_out(target)
        refuse_trace(request.method)
        peer = self._peers[model.peer]
        sent = self._for_peer(peer, forwarded(request, target, body, length))
        try:
            upstream = self._upstreams.get(peer_upstream(peer))
            return exchange(upstream, request, sent, _nothing)
        except UpstreamError as exc:
            is_late = isinstance(exc, UpstreamTimeoutError)
            error = PeerTimeoutError(exc) if is_late else PeerError(exc)
            logger.warning("request failed model=%s: %s", model.qualified, error)
            raise error from exc

    def _for_peer(self, peer: PeerConfig, sent: UpstreamRequest) -> UpstreamRequest:
        return replace(
            sent,
            headers=headers_for_peer(sent.headers, self._keys),
            client_ip="",
            own_headers=(*sent.own_headers, *key_headers(peer.api_key)),
        )


def headers_for_peer(client: Headers, keys: tuple[str, ...]) -> Headers:
    """Return those of the client's headers that a peer may see. Pure.

    Without ``Host``, which becomes the peer's, without what tells about the way to us,
    and without any header that holds one of *keys*, the keys to this server.

    Source: http-api.md 13.2, decision Q4.
    """
    return tuple(
        (name, value)
        for name, value in client
        if not _OF_THE_WAY_TO_US.fullmatch(name)
        and not any(carries_key(value, key) for key in keys)
    )


def key_headers(api_key: str) -> Headers:
    """Return what shows a peer its own key; none for "". Pure."""
    if not api_key:
        return ()
    return ("Authorization", f"Bearer {api_key}"), ("X-Api-Key", api_key)


def refuse_way_out(target: str) -> None:
    """Keep a request below the peer's base path, to which its key belongs. Pure.

    Servers differ in what they take for a step upwards: also encoded dots, slashes and
    backslashes are looked through here; what passes goes on as it was sent.

    Raises:
        BadRequestError: there is such a step.
    """
    path = unquote(target.partition("?")[0]).replace("\\", "/")
    if ".." in path.split("/"):
        raise BadRequestError("the path would leave the peer's base URL")


def refuse_trace(method: str) -> None:
    """Keep a peer from sending its key back to the client (RFC 9110 9.3.8). Pure.

    Raises:
        BadRequestError: *method* asks for the request as it arrived.
    """
    if method == "TRACE":
        raise BadRequestError("TRACE would show the client what only the peer may see")


def _nothing() -> None:
    """Be what happens at the end of an answer that nobody counts."""
