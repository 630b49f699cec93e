"""From a requested name to a model (config.md section 19, steps 3 and 4)."""

from collections.abc import Sequence
from typing import NamedTuple

from swapper.config.schema import Config
from swapper.core.ids import ModelId


class PathMatch(NamedTuple):
    """A model named by the beginning of a path.

    Attributes:
        name: as requested: an id or an alias.
        model: the real id.
        next_segment: index of the first segment after the name.
    """

    name: str
    model: ModelId
    next_segment: int


def resolve_model(config: Config, name: str) -> ModelId | None:
    """Return the id that *name*, an id or an alias, stands for. Any thread."""
    return config.model_by_name.get(name)


def find_model_in_path(config: Config, segments: Sequence[str]) -> PathMatch | None:
    """Return the longest known name at the beginning of a path. Any thread.

    *segments* is the percent-decoded path after the route's prefix, split at
    ``/``; empty ones are skipped when names are built (http-api.md 14.3).
    """
    best: PathMatch | None = None
    name = ""
    longest = config.longest_name_chars
    for index, segment in enumerate(segments):
        if not segment:
            continue
        name = f"{name}/{segment}" if name else segment
        if len(name) > longest:
            break
        model = config.model_by_name.get(name)
        if model is not None:
            best = PathMatch(name, model, index + 1)
    return best
