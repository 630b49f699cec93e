"""Which files a model loads, as far as its configuration tells."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from swapper.config.commands import split_command
from swapper.config.schema import ModelConfig

_SUFFIXES: Final = (".gguf", ".safetensors")
_PART: Final = re.compile(r"(.+-)[0-9]{5}(-of-[0-9]{5}\.gguf)")


def weight_files(model: ModelConfig) -> list[Path]:
    """Return the files that *model* will read, those that exist, each once.

    What ``prefetch`` names: files, and directories for the weights in them. Without
    ``prefetch`` what the command names: weights, directories with weights in them, also
    as ``--option=PATH`` and within a quoted command for a shell. A first part stands
    for all of them. Looks at the file system, so it may block.
    """
    named = model.prefetch
    if named is None:
        named = tuple(_words(model.cmd))
    found: dict[Path, None] = {}
    for text in named:
        for path in _files_at(text, is_certain=model.prefetch is not None):
            found.setdefault(path)
    return list(found)


def missing_files(model: ModelConfig) -> list[str]:
    """Return what ``prefetch`` names and is not there. May block."""
    return [text for text in model.prefetch or () if not Path(text).exists()]


def _words(command: str, *, is_inner: bool = False) -> Iterator[str]:
    with suppress(ValueError):  # there is no command
        for word in split_command(command):
            yield word
            name, equals, value = word.partition("=")
            if equals and name.startswith("-"):
                yield value
            if not is_inner and any(suffix in word for suffix in _SUFFIXES):
                yield from _words(word, is_inner=True)


def _files_at(text: str, *, is_certain: bool) -> Iterator[Path]:
    path = Path(text)
    try:
        if path.is_dir():
            yield from sorted(p for p in path.iterdir() if p.suffix in _SUFFIXES)
        elif is_certain or path.suffix in _SUFFIXES:
            yield from (part for part in _parts(path) if part.is_file())
    except (OSError, ValueError):  # not to be looked at, or no path at all
        return


def _parts(path: Path) -> list[Path]:
    """Return the file with all parts that belong to it."""
    match = _PART.fullmatch(path.name)
    if match is None:
        return [path]
    before, after = match.groups()
    siblings = path.parent.iterdir() if path.parent.is_dir() else ()
    parts = [p for p in siblings if _is_part(p.name, before, after)]
    return sorted(parts) or [path]


def _is_part(name: str, before: str, after: str) -> bool:
    number = name.removeprefix(before).removesuffix(after)
    return name == f"{before}{number}{after}" and number.isdecimal()
