"""``/api/metrics``: what the activity log has (http-api.md 21.3, 21.4)."""

import logging
from collections.abc import Callable

from swapper.core.errors import InternalError
from swapper.record.database import StoreError
from swapper.record.queries import parse_query
from swapper.record.store import Store
from swapper.web.request import Request
from swapper.web.response import Response, json_response

logger = logging.getLogger(__name__)


class ActivityRoutes:
    """Shows finished requests, one by one and summed up. Read in the request's thread."""

    def __init__(self, store: Store, has_capture: Callable[[int], bool]) -> None:
        """Know the log, and whom to ask whether a row's request was captured."""
        self._store = store
        self._has_capture = has_capture

    def rows(self, request: Request) -> Response:
        """Return a page of rows.

        Raises:
            BadRequestError: a query parameter makes no sense.
            InternalError: the log cannot be read.
        """
        query = parse_query(request.query_items)
        try:
            page = self._store.page(query)
        except StoreError as exc:
            logger.warning("activity cannot be read: %s", exc)
            raise InternalError("failed to get activity") from exc
        return json_response(page.as_json(self._has_capture))

    def statistics(self, request: Request) -> Response:
        """Return totals of one model's requests, or of all.

        Raises:
            InternalError: the log cannot be read.
        """
        model = (request.query_value("model") or "").strip()
        try:
            statistics = self._store.statistics(model)
        except StoreError as exc:
            logger.warning("activity cannot be summed up: %s", exc)
            raise InternalError("failed to get activity stats") from exc
        return json_response(statistics.as_json())
