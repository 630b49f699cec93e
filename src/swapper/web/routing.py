"""Paths to handlers: normalisation, 404 and 405 (http-api.md 2.2, 2.3). Pure.

The path is looked at as sent. Fixed routes are compared after percent-decoding
segment by segment, so ``/%68ealth`` is ``/health`` and ``/v1%2Fmodels`` is nothing.
A subtree route gets what follows its prefix with the encoding untouched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import unquote

from swapper.web.request import Request
from swapper.web.response import (
    NOSNIFF,
    Response,
    not_found,
    redirect,
    text_response,
)

Handler: TypeAlias = Callable[[Request], Response]

ANY: Final = "*"
"""Stands for every method in a route table."""


@dataclass(frozen=True, slots=True)
class Routes:
    """The route table.

    Attributes:
        fixed: decoded path -> method -> handler. ``GET`` also serves ``HEAD``.
        subtrees: prefix with its final slash -> method -> handler.
    """

    fixed: Mapping[str, Mapping[str, Handler]]
    subtrees: Mapping[str, Mapping[str, Handler]]

    def dispatch(self, request: Request) -> Response:
        """Answer *request* with its handler, a redirect, 404 or 405."""
        clean = clean_path(request.path)
        if clean != request.path:
            return _redirect(request, clean)
        methods = self._methods(request)
        if methods is None:
            return not_found()
        handler = _handler_for(methods, request.method)
        if handler is None:
            allow = ", ".join(sorted(_allowed(methods)))
            return text_response(
                "Method Not Allowed\n", 405, headers=(("Allow", allow), *NOSNIFF)
            )
        return handler(request)

    def _methods(self, request: Request) -> Mapping[str, Handler] | None:
        path = decode_fixed(request.path)
        if path is not None:
            root = self.subtrees.get(path + "/", {})
            methods = dict.fromkeys(root, _to_subtree) | dict(self.fixed.get(path, {}))
            if methods:
                return methods
        for prefix, subtree in self.subtrees.items():
            if request.path.startswith(prefix):
                request.rest = request.path[len(prefix) :]
                return subtree
        return None


def _to_subtree(request: Request) -> Response:
    return _redirect(request, f"{request.path}/")


def _redirect(request: Request, path: str) -> Response:
    return redirect(f"{path}?{request.query}" if request.query else path, 307)


def decode_fixed(path: str) -> str | None:
    """Return *path* decoded; None if a segment decodes to one with a slash."""
    if "%" not in path:
        return path
    segments = [unquote(segment) for segment in path.split("/")]
    if any("/" in segment for segment in segments):
        return None
    return "/".join(segments)


def clean_path(path: str) -> str:
    """Return *path* without empty, ``.`` and ``..`` segments; final slash kept."""
    if "//" not in path and "/." not in path:
        return path
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    ends_in_slash = segments[-1] in {"", ".", ".."} and kept
    return "/" + "/".join(kept) + ("/" if ends_in_slash else "")


def _handler_for(methods: Mapping[str, Handler], method: str) -> Handler | None:
    if method == "HEAD" and "HEAD" not in methods:
        method = "GET"
    return methods.get(method) or methods.get(ANY)


def _allowed(methods: Mapping[str, Handler]) -> set[str]:
    return set(methods) | ({"HEAD"} if "GET" in methods else set())
