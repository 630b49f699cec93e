"""Decodes ``store`` (config.md 8.4)."""

import os
from pathlib import Path

from swapper.config.decode.section import Section


def decode_store(top: Section) -> str:
    """Return the path of the activity log's file; "" keeps it in memory.

    Looks at the file system, but creates nothing.
    """
    if not top.is_set("store"):
        return ""
    section = top.section("store")
    path = section.text("path")
    fault = _fault_of(path)
    if fault:
        section.error("path", fault)
    return path


def _fault_of(text: str) -> str:
    """Return why no database can be kept at *text*; "" if one can."""
    if not text.strip():
        return "must not be empty"
    path = Path(text)
    try:
        if path.exists():
            return _fault_of_file(path)
        return _fault_of_folder(path.parent)
    except (OSError, ValueError) as exc:
        return f"{text} cannot be used: {exc}"


def _fault_of_file(path: Path) -> str:
    if path.is_dir():
        return f"{path} is a directory"
    return "" if os.access(path, os.W_OK) else f"{path} is not writable"


def _fault_of_folder(path: Path) -> str:
    if not path.is_dir():
        return f"{path} is not a directory that exists"
    return "" if os.access(path, os.W_OK) else f"the directory {path} is not writable"
