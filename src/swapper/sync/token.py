"""Cancelling work in another thread, Go's ``context`` without the deadline."""

import threading
from collections.abc import Callable


class Binding:
    """A callback tied to a token; either the token or ``release`` takes it.

    The owner of a resource that a cancel may destroy (a pooled socket, say) keeps
    it for reuse only if ``release`` returned True.
    """

    __slots__ = ("_callbacks", "_token")

    def __init__(self, token: "CancelToken", callback: Callable[[], object]) -> None:
        self._token = token
        self._callbacks = [callback]  # list.pop is the atomic "who takes it"

    def release(self) -> bool:
        """Untie; return True if the callback has not run and never will."""
        try:
            self._callbacks.pop()
        except IndexError:
            return False
        self._token._forget(self)  # noqa: SLF001 - the two classes are one mechanism
        return True

    def _fire(self) -> None:
        try:
            callback = self._callbacks.pop()
        except IndexError:
            return
        callback()


class CancelToken:
    """Says that nobody wants the result any more. All methods: any thread."""

    __slots__ = ("_bindings", "_cancelled", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards _cancelled and _bindings
        self._cancelled = False
        self._bindings: list[Binding] = []

    @property
    def cancelled(self) -> bool:
        """Return whether ``cancel`` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Run every bound callback once, in this thread; later calls do nothing.

        Callbacks must not block and must not raise.
        """
        with self._lock:
            self._cancelled = True
            bindings, self._bindings = self._bindings, []
        for binding in bindings:
            binding._fire()  # noqa: SLF001 - the two classes are one mechanism

    def bind(self, callback: Callable[[], object]) -> Binding:
        """Run *callback* on ``cancel``; at once if that has already happened."""
        binding = Binding(self, callback)
        with self._lock:
            if not self._cancelled:
                self._bindings.append(binding)
                return binding
        binding._fire()  # noqa: SLF001 - the two classes are one mechanism
        return binding

    def _forget(self, binding: Binding) -> None:
        with self._lock:
            if binding in self._bindings:
                self._bindings.remove(binding)
