"""Notices that the configuration's files have changed (config.md section 20).

By looking, not by file-system events: those miss bind mounts, network file systems
and directories of links that are switched as a whole.
"""

import logging
import os
from pathlib import Path
from typing import Final, TypeAlias

from swapper.config.read.sources import StrPath, member_paths
from swapper.core.errors import ConfigError

logger = logging.getLogger(__name__)

POLL_INTERVAL_S: Final = 2.0

_Print: TypeAlias = tuple[object, ...] | None
"""What a source looks like; None while there is nothing to read."""


class SourceWatch:
    """Compares the sources with how they last looked. One thread at a time.

    Made before the first load, so that no change falls between load and watch.
    """

    def __init__(self, config: StrPath | None, config_dir: StrPath | None) -> None:
        self._file = Path(config) if config and os.fspath(config) else None
        self._folder = (
            Path(config_dir) if config_dir and os.fspath(config_dir) else None
        )
        self._seen = self._look()

    def has_changed(self) -> bool:
        """Tell whether there is something new to load since the last call.

        A source that has disappeared is nothing new; its return is.
        """
        before, self._seen = self._seen, self._look()
        return any(
            now is not None and now != then
            for then, now in zip(before, self._seen, strict=True)
        )

    def _look(self) -> tuple[_Print, _Print]:
        file = None if self._file is None else _print_of_file(self._file)
        folder = None if self._folder is None else _print_of_folder(self._folder)
        return file, folder


def _print_of_file(path: Path) -> _Print:
    try:
        stat = path.stat()  # of the target, if it is a link
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        logger.warning("configuration cannot be watched path=%s: %s", path, exc)
        return None
    # The inode tells a file that was renamed into place within one clock tick.
    return stat.st_mtime_ns, stat.st_size, stat.st_dev, stat.st_ino


def _print_of_folder(folder: Path) -> _Print:
    try:
        members = member_paths(folder)
    except ConfigError as exc:
        if folder.exists():
            logger.warning("configuration cannot be watched: %s", exc)
        return None
    prints = tuple((path.name, _print_of_file(path)) for path in members)
    return prints or None
