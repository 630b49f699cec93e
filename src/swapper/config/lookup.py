"""From a requested name to a model (config.md section 19, steps 3 to 6)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from swapper.config.schema import Config, PeerModel
from swapper.core.ids import ModelId

T = TypeVar("T")


class PathMatch(NamedTuple, Generic[T]):
    """A model named by the beginning of a path.

    Attributes:
        name: as requested.
        model: what the name stands for.
        next_segment: index of the first segment after the name.
    """

    name: str
    model: T
    next_segment: int


def resolve(config: Config, name: str) -> ModelId | PeerModel | None:
    """Return what *name* stands for; None if nothing. Any thread.

    In this order: the id of a model, an alias, a peer's model by its qualified name,
    a peer's model by a bare name that only one peer offers.
    """
    return config.model_by_name.get(name) or config.peer_by_name.get(name)


def find_in_path(
    config: Config, segments: Sequence[str]
) -> PathMatch[ModelId | PeerModel] | None:
    """Return the longest known name at the beginning of a path. Any thread.

    *segments* is the percent-decoded path after the route's prefix, split at
    ``/``; empty ones are skipped when names are built (http-api.md 14.3).
    """
    longest = config.longest_name_chars
    return _longest(segments, longest, lambda name: resolve(config, name))


def find_local_in_path(
    config: Config, segments: Sequence[str]
) -> PathMatch[ModelId] | None:
    """Return the longest id or alias of a model of ours; see ``find_in_path``."""
    return _longest(segments, config.longest_name_chars, config.model_by_name.get)


def find_pin_in_path(
    pins: Mapping[str, str], segments: Sequence[str]
) -> PathMatch[str] | None:
    """Return the longest pin of a profile; ``model`` is what takes its place."""
    return _longest(segments, max(map(len, pins), default=0), pins.get)


def _longest(
    segments: Sequence[str], longest_chars: int, known: Callable[[str], T | None]
) -> PathMatch[T] | None:
    best: PathMatch[T] | None = None
    name = ""
    for index, segment in enumerate(segments):
        if not segment:
            continue
        name = f"{name}/{segment}" if name else segment
        if len(name) > longest_chars:
            break
        model = known(name)
        if model is not None:
            best = PathMatch(name, model, index + 1)
    return best
