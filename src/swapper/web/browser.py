"""Rules for requests that come from web pages: CORS, and what they may not do."""

import re
from typing import Final
from urllib.parse import unquote, urlsplit

from swapper.core.errors import ForbiddenError
from swapper.web.request import Request
from swapper.web.response import Response

_METHODS: Final = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
_DEFAULT_HEADERS: Final = "Content-Type, Authorization, Accept, X-Requested-With"
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


def preflight(request: Request) -> Response:
    """Answer an ``OPTIONS`` request, on any path (http-api.md 2.4)."""
    asked = request.header("Access-Control-Request-Headers")
    items = (item.strip() for item in asked.split(","))
    allowed = ", ".join(item for item in items if _TOKEN.fullmatch(item))
    headers = [
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Allow-Headers", allowed if asked else _DEFAULT_HEADERS),
        ("Access-Control-Max-Age", "86400"),
    ]
    return Response(204, headers)


def refuse_cross_site(request: Request) -> None:
    """Keep pages of other sites from driving a proxy on localhost.

    Admin routes (``/api/*``, ``/unload``) are closed to them altogether,
    ``/upstream/*`` and ``/comfyui/*`` for methods that change something and for
    websockets, which browsers open to any site without asking it.

    Raises:
        ForbiddenError: a browser says the request comes from another site.
    """
    if not _is_guarded(request):
        return
    site = request.header("Sec-Fetch-Site")
    origin = request.header("Origin")
    is_foreign = bool(origin) and _host_of(origin) != request.header("Host")
    if site == "cross-site" or (is_foreign and site not in {"same-origin", "none"}):
        raise ForbiddenError(
            f"cross-site request refused: {request.path} is not for other sites' pages"
        )


def _host_of(origin: str) -> str:
    """Return host and port of an origin, "" if it has none or is malformed."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_guarded(request: Request) -> bool:
    path = unquote(request.path)
    if path.startswith(("/upstream/", "/comfyui/")):
        return request.method not in _SAFE_METHODS or request.is_websocket
    return path.startswith("/api/") or path == "/unload"
