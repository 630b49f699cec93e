"""Collects what is wrong with a configuration, so that one load tells all of it."""

from collections.abc import Sequence

from swapper.config.document import Where
from swapper.core.errors import ConfigError, ConfigProblem


def problem_at(where: Where, message: str, path: str = "") -> ConfigProblem:
    """Return a problem whose texts are safe to print on a terminal."""
    return ConfigProblem(
        printable(path), printable(message), printable(where.source), where.line
    )


def printable(text: str) -> str:
    """Return *text* on one line, with what could drive a terminal spelled out."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


class Report:
    """Errors and warnings of one load; used by the loading thread only.

    Only the first error of a key path counts: a value that one stage found
    broken would only make later stages complain about its consequences.
    """

    __slots__ = ("_errors", "_warnings")

    def __init__(self) -> None:
        self._errors: dict[tuple[str, str], ConfigProblem] = {}
        self._warnings: dict[ConfigProblem, None] = {}

    @property
    def warnings(self) -> tuple[ConfigProblem, ...]:
        """Return the warnings in the order of the file."""
        return _in_file_order(tuple(self._warnings))

    def error(self, path: str, where: Where, message: str) -> None:
        """Note that the value at *path* makes the configuration unusable."""
        # Problems of the text as a whole have no path; each of them counts.
        identity = (path, "" if path else f"{where} {message}")
        self._errors.setdefault(identity, problem_at(where, message, path))

    def warn(self, path: str, where: Where, message: str) -> None:
        """Note that the value at *path* is ignored or looks wrong."""
        self._warnings[problem_at(where, message, path)] = None

    def raise_errors(self) -> None:
        """Raise one ``ConfigError`` with every error so far, if there is any."""
        if self._errors:
            raise ConfigError(*_in_file_order(tuple(self._errors.values())))


def _in_file_order(problems: Sequence[ConfigProblem]) -> tuple[ConfigProblem, ...]:
    sources = list(dict.fromkeys(problem.source for problem in problems))
    rank = {source: number for number, source in enumerate(sources)}
    return tuple(sorted(problems, key=lambda p: (rank[p.source], p.line)))
