"""Log history and live log streams (http-api.md 20.6)."""

from swapper.config import Config, find_local_in_path
from swapper.core.errors import BadRequestError
from swapper.logs import Logs, Monitor, Subscription
from swapper.sync import CancelToken
from swapper.web.books import Books
from swapper.web.request import Request
from swapper.web.response import Response, redirect


class LogRoutes:
    """Shows what swapper and the models write."""

    def __init__(
        self, config: Config, logs: Logs, ending: CancelToken, books: Books
    ) -> None:
        self._ending = ending
        self._books = books
        self._config = config
        self._logs = logs

    def history(self, request: Request) -> Response:
        """Return the combined history, possibly empty; a browser gets the web page."""
        if "text/html" in request.header("Accept"):
            return redirect("/ui/", 302)
        self._books.settle()  # the lines of what has ended before
        body = self._logs.combined.history()
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        return Response(200, headers, [body])

    def stream(self, request: Request) -> Response:
        """Return history (unless ``no-history``) and then what is written, live."""
        monitor = self._monitor(request)
        with_history = request.query_value("no-history") is None
        subscription = monitor.subscribe(history=with_history)
        request.on_close(subscription.close)
        # neither a reader that hangs up nor a shutdown waits for the next line
        request.on_close(request.client.token.bind(subscription.close).release)
        request.on_close(self._ending.bind(subscription.finish).release)
        headers = [
            ("Content-Type", "text/plain"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Accel-Buffering", "no"),
        ]
        return Response(200, headers, _LogBody(subscription))

    def _monitor(self, request: Request) -> Monitor:
        if not request.rest:
            return self._logs.combined
        if request.rest in {"proxy", "upstream"}:
            proxy, upstream = self._logs.proxy, self._logs.upstream
            return proxy if request.rest == "proxy" else upstream
        found = find_local_in_path(self._config, request.rest_segments)
        if found is None:
            raise BadRequestError(
                "invalid logger. Use 'proxy', 'upstream' or a model's ID"
            )
        return self._logs.model(found.model)


class _LogBody:
    """A subscription as a response body."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._has_begun = False

    def __iter__(self) -> "_LogBody":
        return self

    def __next__(self) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            return b""  # has gunicorn send the head, however long there is no line
        piece = self._subscription.read(None)
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        """End the subscription."""
        self._subscription.close()
