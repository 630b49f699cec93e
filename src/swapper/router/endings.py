"""How runs ended, for those whose request broke off and who want to say why."""

from swapper.core.errors import ProcessError
from swapper.core.ids import ModelId, RunId
from swapper.router.messages import Explain


class Endings:
    """Remembers the last end of each model. Router thread only.

    Who asks before the news is there is answered with it, or when its time is over.
    """

    __slots__ = ("_asking", "_known")

    def __init__(self) -> None:
        self._known: dict[ModelId, tuple[RunId, ProcessError | None]] = {}
        self._asking: list[Explain] = []

    def note(self, model: ModelId, run: RunId, error: ProcessError | None) -> None:
        """Note that a run has ended: by itself, or (None) because it was stopped."""
        if error is None and self._known.get(model, (None, None))[0] == run:
            return  # why is known already
        self._known[model] = run, error
        for asked in [a for a in self._asking if a.model == model and a.run <= run]:
            self._asking.remove(asked)
            self.ask(asked)

    def ask(self, asked: Explain) -> None:
        """Answer as soon as it is known how the run ended."""
        run, error = self._known.get(asked.model, (RunId(0), None))
        if run < asked.run:
            self._asking.append(asked)
        else:
            asked.reply.offer(error if run == asked.run else None)

    def forget(self, model: ModelId) -> None:
        """Forget a model that is no more."""
        self._known.pop(model, None)

    def deadline(self) -> float | None:
        """Return when ``expire`` has something to do, None for never."""
        return min(asked.until for asked in self._asking) if self._asking else None

    def expire(self, now: float) -> None:
        """Answer those whose time is over."""
        for asked in [a for a in self._asking if a.until <= now]:
            self._asking.remove(asked)
            asked.reply.offer(None)

    def close(self) -> None:
        """Answer everybody: there will be no news."""
        while self._asking:
            self._asking.pop().reply.offer(None)
