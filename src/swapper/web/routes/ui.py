"""``/ui/``: what a person with a browser or curl sees first (http-api.md 20.7)."""

import html
from typing import Final

from swapper import __version__
from swapper.config import Config
from swapper.web.request import Request
from swapper.web.response import Response, not_found, text_response

_LINKS: Final = {
    "/v1/models": "what there is",
    "/running": "what runs",
    "/logs/stream": "what happens",
}


class PageRoutes:
    """One page that tells what this is and where to go on."""

    def __init__(self, config: Config) -> None:
        count = len(config.models)
        models = "model" if count == 1 else "models"
        self._claim = f"swapper {__version__} serves {count} {models}."

    def serve(self, request: Request) -> Response:
        """Return the page; a path that ends like a file's name is not there."""
        if "." in request.rest.rpartition("/")[2]:
            return not_found()
        if "text/html" in request.header("Accept"):
            return text_response(self._page(), content_type="text/html; charset=utf-8")
        base = f"{request.environ['wsgi.url_scheme']}://{request.header('Host')}"
        return text_response(self._text(base))

    def _text(self, base: str) -> str:
        lines = [f"{base}{path:<18}{what}\n" for path, what in _LINKS.items()]
        return f"{self._claim}\n\n{''.join(lines)}"

    def _page(self) -> str:
        items = [
            f'<li><a href="{path}">{path}</a>: {html.escape(what)}</li>\n'
            for path, what in _LINKS.items()
        ]
        return (
            '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
            f"<title>swapper</title>\n<h1>swapper</h1>\n<p>{self._claim}</p>\n"
            f"<ul>\n{''.join(items)}</ul>\n</html>\n"
        )
