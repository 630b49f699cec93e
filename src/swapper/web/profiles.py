"""The active profile, whose pins put other names in the place of requested ones.

At most one profile is active (http-api.md section 9); none at start. The choice is
kept in memory only and outlives a reload if the profile does.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping

from swapper.config import Config
from swapper.core.errors import NotFoundError
from swapper.web.model_name import NO_MODEL, ModelRequest

logger = logging.getLogger(__name__)


class ActiveProfile:
    """The choice of a profile; one per swapper. Any thread."""

    def __init__(
        self, on_change: Callable[[str | None], None] = lambda _: None
    ) -> None:
        """Know no profile before ``keep_if_in``.

        Args:
            on_change: told of another choice, in the thread that made it.
        """
        self._on_change = on_change
        self._lock = threading.Lock()  # guards both: what is chosen is known
        self._known: frozenset[str] = frozenset()
        self._id: str | None = None

    @property
    def id(self) -> str | None:
        """Return the active profile's id, None if there is none."""
        return self._id

    def pins(self, config: Config) -> Mapping[str, str]:
        """Return the active profile's pins as *config*, not a later one, has them."""
        active = self._id
        profile = None if active is None else config.profiles.get(active)
        return {} if profile is None else profile.pins

    def select(self, profile_id: str | None) -> None:
        """Make a profile the active one; None or "" for none.

        Raises:
            NotFoundError: there is no such profile; the choice stays.
        """
        chosen = profile_id or None
        with self._lock:
            is_known = chosen is None or chosen in self._known
            before = self._id
            if is_known:
                self._id = chosen
        if not is_known:
            name = json.dumps(chosen, ensure_ascii=False)
            raise NotFoundError(f"profile {name} not found")
        if chosen != before:
            logger.info("profile selected profile=%s", chosen or "(none)")
            self._on_change(chosen)

    def keep_if_in(self, config: Config) -> None:
        """Go over to the profiles of *config*; a choice that is not there ends."""
        with self._lock:
            before = self._id
            self._known = frozenset(config.profiles)
            if before not in self._known:
                self._id = None
            is_lost = self._id != before
        if is_lost:
            logger.warning("profile is not configured any more profile=%s", before)
            self._on_change(None)


def apply_pin(wanted: ModelRequest, pins: Mapping[str, str]) -> None:
    """Give *wanted* the name that is pinned for the one it has; once, no chain.

    Raises:
        NotFoundError: the name is switched off.
        BadRequestError: the name cannot be replaced.
    """
    target = pins.get(wanted.name)
    if target == "":
        raise NotFoundError(NO_MODEL)
    if target is not None:
        wanted.rename(target)
