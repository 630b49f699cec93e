"""What the supervisor of one model process is told, and what it tells.

Facts (past tense) go to the listener. For each run there is exactly one ``Started``
and exactly one ``Stopped``, in the order ``Started`` -> [``Exited``] -> ``Stopped``.
A stop during the start gives ``Started`` with a ``StartAbortedError``; a failed start
gives ``Started`` as soon as the failure is known, before the clean-up.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from swapper.config.schema import ModelConfig
from swapper.core.errors import ExitedError, ProcessError
from swapper.core.ids import ModelId, RunId

if TYPE_CHECKING:  # only a field's type; the router needs these facts alone
    from swapper.process.spawn import Child


@dataclass(frozen=True, slots=True)
class Started:
    """The start of a run is decided.

    Attributes:
        error: None if the model is ready.
    """

    model: ModelId
    run: RunId
    error: ProcessError | None


@dataclass(frozen=True, slots=True)
class Exited:
    """A ready process ended by itself; ``Stopped`` follows when its tree is gone."""

    model: ModelId
    run: RunId
    error: ExitedError


@dataclass(frozen=True, slots=True)
class Stopped:
    """The whole process tree of a run is gone and its local port is closed."""

    model: ModelId
    run: RunId


ProcessFact: TypeAlias = Started | Exited | Stopped


# --- to the supervisor's owner thread ----------------------------------------


@dataclass(frozen=True, slots=True)
class EnsureReady:
    """Start the process as *run*.

    Attributes:
        config: what to start; may be another one than last time.
    """

    run: RunId
    config: ModelConfig


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop this run; no other."""

    run: RunId
    grace_s: float


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Stop whatever runs and end the thread."""

    grace_s: float


@dataclass(frozen=True, slots=True)
class Spawned:
    """The start helper has made the process; not ready yet."""

    run: RunId
    child: "Child"


@dataclass(frozen=True, slots=True)
class HealthPassed:
    """The start helper has seen the model answer."""

    run: RunId


@dataclass(frozen=True, slots=True)
class StartFailed:
    """The start helper gave up.

    Attributes:
        error: None if it was told to.
    """

    run: RunId
    error: ProcessError | None


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """The process itself has ended and its output up to there is in the log.

    Attributes:
        returncode: exit code, or minus the signal's number.
    """

    run: RunId
    returncode: int


@dataclass(frozen=True, slots=True)
class TreeGone:
    """The stop helper has finished: nothing of the run is left."""

    run: RunId


SupervisorMessage: TypeAlias = (
    EnsureReady
    | Stop
    | Shutdown
    | Spawned
    | HealthPassed
    | StartFailed
    | ChildEnded
    | TreeGone
)
