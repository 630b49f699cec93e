"""Where the configuration comes from: one file, and files of a directory on top.

This stage only finds and reads; it does not look into the text.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from swapper.config.document import Where
from swapper.config.report import problem_at
from swapper.core.errors import ConfigError, ConfigProblem

StrPath: TypeAlias = str | os.PathLike[str]

MAX_SOURCE_CHARS: Final = 4 * 1024 * 1024
"""Largest source. Parsing takes about 6 s per million characters, and a reload
does it while requests are served; real configurations stay far below."""

_SUFFIXES: Final = (".yml", ".yaml")


@dataclass(frozen=True, slots=True)
class Source:
    """One text to load.

    Attributes:
        name: as messages name it; "" when the text came from memory.
        text: its content, without a byte order mark.
    """

    name: str
    text: str


def source_paths(
    config: StrPath | None, config_dir: StrPath | None
) -> tuple[Path, ...]:
    """Return the files to load, in the order in which they are merged.

    An empty path counts as not given. Files of the directory come after
    *config*, in byte order of their names (config.md section 2).

    Raises:
        ConfigError: nothing is given, the directory cannot be listed, or
            *config* is also one of its files.
    """
    main = Path(config) if config and os.fspath(config) else None
    folder = Path(config_dir) if config_dir and os.fspath(config_dir) else None
    if main is None and folder is None:
        raise ConfigError(ConfigProblem("", "no configuration file or directory given"))
    members = () if folder is None else member_paths(folder)
    if main is not None and _absolute(main) in map(_absolute, members):
        message = f"is also a file of the configuration directory {folder}"
        raise ConfigError(problem_at(Where(str(main), 0), message))
    paths = members if main is None else (main, *members)
    if not paths:
        message = "the configuration directory has no *.yml or *.yaml file"
        raise ConfigError(problem_at(Where(str(folder), 0), message))
    return paths


def read_source(path: Path) -> Source:
    """Read one file; blocks on it, so a pipe works too.

    Raises:
        ConfigError: it cannot be read, is too large, or is no UTF-8 text.
    """
    name = str(path)
    try:
        with path.open("rb") as file:
            # Two bytes more than any text of the allowed length could need.
            content = file.read(4 * MAX_SOURCE_CHARS + 2)
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        message = f"cannot be read: {reason or exc}"
        raise ConfigError(problem_at(Where(name, 0), message)) from exc
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        message = f"is not UTF-8 text: byte 0x{content[exc.start]:02x}"
        raise ConfigError(problem_at(Where(name, line), message)) from exc
    return checked_source(name, text)


def checked_source(name: str, text: str) -> Source:
    """Return the source made of *text*.

    Raises:
        ConfigError: it is too large.
    """
    if len(text) > MAX_SOURCE_CHARS:
        message = f"is larger than {MAX_SOURCE_CHARS // 2**20} Mi characters"
        raise ConfigError(problem_at(Where(name, 0), message))
    return Source(name, text.removeprefix("\ufeff"))


def member_paths(folder: Path) -> tuple[Path, ...]:
    """Return a directory's ``*.yml`` and ``*.yaml`` files, in byte order.

    Raises:
        ConfigError: it cannot be listed.
    """
    try:
        names = [
            entry.name
            for entry in os.scandir(folder)
            if entry.name.endswith(_SUFFIXES) and not entry.is_dir()
        ]
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        message = f"the configuration directory cannot be listed: {reason or exc}"
        raise ConfigError(problem_at(Where(str(folder), 0), message)) from exc
    return tuple(folder / name for name in sorted(names, key=os.fsencode))


def _absolute(path: Path) -> str:
    # Not resolve(): two links to one file are two sources, as in a directory
    # of links that is switched as a whole.
    return os.path.abspath(path)  # noqa: PTH100 - pathlib has no ".." without links
