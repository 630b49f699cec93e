"""All upstreams, each kept as long as somebody wants it as it is."""

from collections.abc import Collection
from typing import NamedTuple

from swapper.config.schema import TimeoutsConfig
from swapper.core.errors import UpstreamError
from swapper.net.hangup import HangupWatcher
from swapper.relay.endpoint import timeouts_of
from swapper.relay.forward import Upstream


class UpstreamKey(NamedTuple):
    """What makes two upstreams the same.

    Attributes:
        label: who it is, for messages: ``model llama``.
        base_url: where it is.
    """

    label: str
    base_url: str
    timeouts: TimeoutsConfig


class Upstreams:
    """Makes upstreams when they are first wanted and shares them. Any thread.

    A request asks with the address of the very run it was granted, so that after a
    reload nobody is sent to a model's new address before its new process is there.
    Idle connections are watched in a thread ``hangup:idle``.
    """

    def __init__(self) -> None:
        self._watcher = HangupWatcher("hangup:idle")
        self._made: dict[UpstreamKey, Upstream] = {}  # setdefault and pop are atomic

    def get(self, key: UpstreamKey) -> Upstream:
        """Return the upstream; nothing is connected before its first request.

        Raises:
            UpstreamError: its base URL is not usable.
        """
        made = self._made.get(key)
        if made is None:
            try:
                timeouts = timeouts_of(key.timeouts)
                fresh = Upstream(key.base_url, key.label, timeouts, self._watcher)
            except ValueError as exc:
                message = f"{key.label} cannot be reached: {exc}"
                raise UpstreamError(message, request_sent=False) from exc
            made = self._made.setdefault(key, fresh)
        return made

    def keep(self, wanted: Collection[UpstreamKey]) -> None:
        """Close the idle connections of all others and forget those.

        Requests in progress go on; their connections are closed afterwards.
        """
        for key in [key for key in self._made if key not in wanted]:
            self._made.pop(key).close()

    def close(self) -> None:
        """Close every idle connection and end the thread that watches them."""
        self.keep(())
        self._watcher.close()
