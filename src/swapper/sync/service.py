"""The only maker of threads: named, logged when they crash, joined at the end."""

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class OwnerThread:
    """One thread that runs one function to its end.

    A daemon to the interpreter: a program that embeds swapper must be able to exit
    without asking it first. Owners are ended by ``close`` or ``shutdown`` of what
    they belong to; the runtime does that at exit too.

    Attributes:
        name: as seen in a debugger, e.g. ``router`` or ``process:llama``.
        failure: what the function raised, once it has ended that way.
    """

    __slots__ = ("_on_failure", "_target", "_thread", "failure", "name")

    def __init__(
        self,
        name: str,
        target: Callable[[], None],
        *,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Prepare the thread.

        Args:
            name: thread name.
            target: what to run.
            on_failure: told what *target* raised; runs in the dying thread.
        """
        self.name = name
        self.failure: BaseException | None = None
        self._target = target
        self._on_failure = on_failure
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start running. Once."""
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; return False if it did not come within *timeout_s*.

        True at once for a thread that was never started.
        """
        if self._thread.ident is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        """Return whether the thread is running."""
        return self._thread.is_alive()

    def is_current(self) -> bool:
        """Return whether the caller runs in this thread."""
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        try:
            self._target()
        except BaseException as exc:  # a thread's outermost frame
            self.failure = exc
            logger.critical("thread crashed name=%s", self.name, exc_info=exc)
            if self._on_failure is not None:
                self._on_failure(exc)
