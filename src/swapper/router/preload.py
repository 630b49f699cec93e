"""Loads models before anybody asks for them (``hooks.on_startup.preload``)."""

import logging
from collections.abc import Sequence
from contextlib import suppress

from swapper.core.errors import ClientGoneError, InboxClosedError, RequestError
from swapper.core.ids import ModelId
from swapper.router.local import LocalRouter
from swapper.scheduler import Admission
from swapper.sync import CancelToken, Inbox, OwnerThread

logger = logging.getLogger(__name__)


class Preloader:
    """Asks the router for models, one after another, like a client would.

    Any thread; costs nothing before the first model.
    """

    def __init__(self, router: LocalRouter) -> None:
        self._router = router
        self._token = CancelToken()
        self._inbox: Inbox[Sequence[ModelId]] = Inbox()
        self._thread = OwnerThread("preload", self._run)
        self._starts = [self._thread.start]  # list.pop makes the start happen once

    def load(self, models: Sequence[ModelId]) -> None:
        """Load *models*, after those asked for before; a failure is only logged."""
        if not models:
            return
        with suppress(InboxClosedError):
            self._inbox.put(models)
            while self._starts:
                self._starts.pop()()

    def cancel(self) -> None:
        """Load nothing more; a model that is loading is left to the router."""
        self._token.cancel()
        with suppress(InboxClosedError):
            self._inbox.put(())  # the end

    def join(self) -> None:
        """Wait for the thread, after ``cancel``."""
        self._thread.join()

    def _run(self) -> None:
        while models := self._inbox.get():
            for model in models:
                self._load(model)
        self._inbox.close()

    def _load(self, model: ModelId) -> None:
        if self._token.cancelled:
            return
        try:
            self._router.acquire(model, self._token, Admission.LOAD).done()
        except ClientGoneError:
            return
        except RequestError as exc:
            logger.warning("preload failed model=%s: %s", model, exc)
